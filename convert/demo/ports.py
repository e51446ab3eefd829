"""Ports of this machine."""

from __future__ import annotations

import itertools
import os
import socket
import time
from collections.abc import Callable

# Below what Linux gives to outgoing connections (32768 and up, ip_local_port_range): of those, one that is free now
# may be somebody's connection by the time that its server has started.
_LOWEST, _COUNT = 15000, 15000
_next = itertools.count(os.getpid() * 131)


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no outgoing connection will take; each only once.

    Raises:
        OSError: Every port of the range is in use.
    """
    for step in itertools.islice(_next, _COUNT):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = _LOWEST + step % _COUNT
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"every port from {_LOWEST} to {_LOWEST + _COUNT - 1} is in use")


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
