"""The package as a device gets it: a fresh environment, no extras."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path


def test_a_device_gets_verdicts_without_tensorflow(device_python: Path, bundle: Path, lots: Path) -> None:
    listing = [str(device_python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(listing, capture_output=True, text=True, check=True).stdout)
    names = {package["name"].lower() for package in listed}
    assert "axi-edge" in names
    assert {"ai-edge-litert", "paho-mqtt", "msgspec"} <= names
    assert not names & {"tensorflow", "keras", "scipy", "rich", "matplotlib", "amqtt"}
    job = min(path for path in (lots / "evaluate").iterdir() if path.is_dir())
    command = [str(device_python.parent / "axi-edge"), "inspect", str(job), "--bundle", str(bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert len(done.stdout.splitlines()) == 10
