"""Ports of this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def opens(port: int, alive: Callable[[], bool], seconds: float) -> bool:
    """Wait until somebody listens on the port, as long as whoever should is ``alive``; False if nobody does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)  # a port gives no event when it opens
        else:
            return True
    return False
