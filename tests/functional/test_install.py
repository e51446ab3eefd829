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


def test_a_device_starts_with_the_bundle_that_ships(device_python: Path, lots: Path, tmp_path: Path) -> None:
    """No build, no file but what was installed: the key it prints opens the bundle, and the bundle judges."""

    def axi_edge(*words: str) -> str:
        command = [str(device_python.parent / "axi-edge"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout

    key = tmp_path / "trusted.pem"
    key.write_text(axi_edge("bundle", "key"))
    said = axi_edge("bundle", "verify", "reference", "--public-key", str(key))
    assert said.startswith("slicenet-")
    assert "signature good" in said
    job = min(path for path in (lots / "evaluate").iterdir() if path.is_dir())
    judged = axi_edge("inspect", str(job), "--bundle", "reference", "--public-key", str(key))
    verdicts = [json.loads(line) for line in judged.splitlines()]
    assert len(verdicts) == 10
    assert {verdict["model"]["name"] for verdict in verdicts} == {"slicenet"}
    assert all(verdict["reason"] in {None, "unfamiliar"} for verdict in verdicts)


def test_the_workstations_program_says_on_a_device_that_it_is_none(device_python: Path) -> None:
    command = [str(device_python.parent / "axi-convert"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 3
    assert done.stderr.endswith("axi-convert is for the workstation: pip install 'axi-edge[convert]'\n")
