"""Parts of the operating system's configuration that a device is better for, laid where they are looked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import ConfigError, UsageError
from edge.files import write_durably

PARTS = Path(__file__).parents[2] / "firmware_cfg" / "os"
APPLY = {
    "watchdog": "systemctl daemon-reexec",
    "journal": "systemctl restart systemd-journald",
    "clock": "systemctl restart systemd-timesyncd",
    "chrony": "systemctl restart chrony",
    "governor": "systemd-tmpfiles --create axi-governor.conf",
    "cores": "start the computer anew: only then the rest of the system keeps away",
    "firewall": "nft -c -f /etc/nftables-axi.conf && systemctl daemon-reload && systemctl enable nftables && "
    "systemctl restart nftables",
}
"""By part: what makes it take effect."""


class Laid(NamedTuple):
    """A file of a part. ``kept``: there is another in its place, which stays."""

    path: Path
    kept: bool


def lay(parts: Sequence[str], root: Path = Path("/")) -> list[Laid]:
    """Copy the files of these parts below ``root``; what is there already stays. Raises UsageError for an unknown part,
    ConfigError where a file cannot be written.
    """
    for part in parts:
        if part not in APPLY:
            raise UsageError(f"{part}: no such part; there are {', '.join(APPLY)}")
    return [_laid(source, root / source.relative_to(PARTS / part)) for part in parts for source in _files(part)]


def _files(part: str) -> list[Path]:
    return sorted(path for path in (PARTS / part).rglob("*") if path.is_file())


def _laid(source: Path, target: Path) -> Laid:
    try:
        content = source.read_bytes()
        if target.exists():
            return Laid(target, kept=target.read_bytes() != content)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, content)
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror or error}; run it as root") from error
    return Laid(target, kept=False)
