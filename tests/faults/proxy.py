"""A TCP proxy between the device and the broker that can be slow, deaf, rude or absent."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import Literal

Mode = Literal["pass", "blackhole", "slow", "reset", "refuse"]
_CHUNK = 65_536
_SLOW_BYTES, _SLOW_S = 2_000, 0.05


class Proxy:
    """Forwards connections to ``target``. ``mode`` may change at any time.

    blackhole: takes everything and forwards nothing; slow: 40 kB/s; reset: cuts every connection and each new one;
    refuse: does not listen.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "pass"
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._stop = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(16)
        listener.settimeout(0.1)
        return listener

    def become(self, mode: Mode) -> None:
        if mode == "refuse":
            self._listener.close()
        elif self._mode == "refuse":
            self._listener = self._listen(self.port)
        self._mode = mode
        if mode in {"reset", "refuse"}:
            self.cut()

    def cut(self) -> None:
        """Drop every connection, with a reset."""
        with self._lock:
            for pair in self._pairs:
                for end in pair:
                    _reset(end)
            self._pairs.clear()

    def close(self) -> None:
        self._stop.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:  # timed out, or refusing
                time.sleep(0.01)
                continue
            if self._mode == "reset":
                _reset(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                _reset(near)
                continue
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        with selectors.DefaultSelector() as ready, suppress(OSError, ValueError, KeyError):
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while not self._stop.is_set():
                for key, _ in ready.select(0.1):
                    if self._mode == "blackhole":
                        time.sleep(0.05)  # what has come stays in the kernel, as in a cable that was pulled
                        continue
                    data = key.fileobj.recv(_SLOW_BYTES if self._mode == "slow" else _CHUNK)  # type: ignore[union-attr]
                    if not data:
                        return _end(near, far)
                    key.data.sendall(data)
                    if self._mode == "slow":
                        time.sleep(_SLOW_S)
        return _end(near, far)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.close()


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        end.shutdown(socket.SHUT_RDWR)
    _end(end)
