"""What follows once a device's files are written: a bundle to judge with, and the services' start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge.bundle.shipped import WORD
from edge.setup.programs import run

OWNER = "axi-edge"
_UNITS = ("axi-edge.service", "axi-station.service")


def give_bundle(link: Path, config: Path) -> bool:
    """The bundle that ships, where none is active yet, as the service's own. Raises ConfigError."""
    if link.is_symlink() or link.exists():
        return False
    run([sys.executable, "-m", "edge.cli", "bundle", "activate", WORD, "--config", str(config)], user=OWNER)
    return True


def managed() -> bool:
    """Is there a service manager?"""
    return Path("/run/systemd/system").is_dir()


def start_services(*, anew: bool) -> list[str]:
    """Start what is installed, now and at every start of the computer; ``anew``: also what runs already. Raises
    ConfigError.
    """
    run(["systemctl", "daemon-reload"])
    units = [unit for unit in _UNITS if _installed(unit)]
    for unit in units:
        run(["systemctl", "enable", unit])
        run(["systemctl", "restart" if anew else "start", unit])
    return units


def _installed(unit: str) -> bool:
    done = subprocess.run(["systemctl", "cat", unit], capture_output=True, check=False)
    return done.returncode == 0
