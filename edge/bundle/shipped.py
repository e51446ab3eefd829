"""The bundle that ships: gated and signed, and there before anything was built."""

from __future__ import annotations

from pathlib import Path

WORD = "reference"
"""What commands call it."""
_FOLDER = Path(__file__).parents[2] / "firmware_cfg" / "reference"
"""Installed or not, it lies beside this package."""
KEYS = _FOLDER / "signing.pub"
"""The public key that it was signed under."""


def bundle_folder(text: str) -> Path:
    """The folder that a command was given, which may be the word for the bundle that ships."""
    return _FOLDER / "bundle" if text == WORD else Path(text)
