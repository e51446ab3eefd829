"""Where ``axi-convert`` begins: devices do not have what it needs, and that is said in words."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Load the workstation's program and run it."""
    try:
        from convert.cli import main as run
    except ImportError as error:
        remedy = "axi-convert is for the workstation: pip install 'axi-edge[convert]'"
        print(f"axi-convert: {error.name or error} is not installed here; {remedy}", file=sys.stderr)
        return 3
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way of ending it cleans up
    return run()
