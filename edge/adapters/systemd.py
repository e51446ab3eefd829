"""The service manager's notification socket (sd_notify(3)): a datagram of KEY=VALUE lines."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from collections.abc import Mapping

log = logging.getLogger(__name__)

_PATIENCE_S = 30


class Notifier:
    """Sends notifications; does nothing where no service manager asked for them."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(microseconds) / 1e6 if mine and microseconds.isdigit() else None
        """Seconds within which the service manager wants to hear of progress; None: not at all."""

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Feed the watchdog; call only after progress was seen."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the abstract name space, whose names begin with a NUL.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.connect(address)
                channel.sendall(text.encode())
        except OSError as error:  # a manager that does not listen must not stop the line
            log.warning("service manager not reached", extra={"problem": str(error)})


def properties_of(unit: str, *names: str) -> dict[str, str]:
    """What systemd says of a unit; nothing where there is no systemd, or it does not answer."""
    words = ["systemctl", "show", unit, f"--property={','.join(names)}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(line.partition("=")[::2] for line in done.stdout.splitlines())
