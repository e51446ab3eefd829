"""Where ``axi-edge`` begins: what cannot even be loaded is said in words, too."""

from __future__ import annotations

import os
import sys

_USUAL_PAGE = 4096


def main() -> int:
    """Load the program and run it."""
    try:
        from edge.cli import main as run  # noqa: PLC0415 - or its failure would be nobody's
    except ImportError as error:
        print(f"axi-edge: {_in_words(error)}", file=sys.stderr)
        return 3
    return run()


def _in_words(error: ImportError) -> str:
    size = os.sysconf("SC_PAGE_SIZE")
    remedy = "install axi-edge anew"
    if size > _USUAL_PAGE:
        remedy = "start a kernel with pages of 4 KiB (Raspberry Pi: kernel=kernel8.img in config.txt)"
    return f"a package cannot be loaded, pages of {size // 1024} KiB: {error}; {remedy}"
