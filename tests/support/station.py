"""``axi-edge station`` as a process, beside a device, and its pages in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2 as httpx

from convert.demo.ports import free_port, opens

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct horse battery"  # noqa: S105 - of a test


class StationProcess:
    """``config``: the device's; a section for the station is written behind it."""

    def __init__(self, config: Path, *, extra: str = "") -> None:
        self.config, self.port = config, free_port()
        self._log = config.with_name("station.log")
        section = f'\n[station]\nname = "review1"\nport = {self.port}\npath = "{config.parent}/station.db"\n'
        section += f'url = "{self.address}"\n{extra}\n'
        config.write_text(config.read_text() + section)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def command(self, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "edge.cli", "station", *words, "--config", str(self.config)]
        return subprocess.run(call, capture_output=True, text=True, check=False, input=said)

    def add_user(self, name: str, role: str = "specialist") -> None:
        done = self.command("user", "add", name, "--role", role, said=f"{PASSWORD}\n")
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edge.cli", "--debug", "station", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ},
            )
        assert opens(self.port, lambda: self.alive, 20), self.log

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> int:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        self._process = None
        return code

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


class Robot:
    """Reviews as a page does, without a browser."""

    def __init__(self, address: str) -> None:
        self._address, self._client = address, httpx.Client(base_url=address, timeout=20)

    def log_in(self, name: str, *, again: bool = False, password: str = PASSWORD) -> None:
        """``again``: patiently, where the station may be away; what went wrong is tried later."""
        try:
            page = self._client.get("/login").text
            said = {"name": name, "password": password, "token": self._token(page)}
            answer = self._client.post("/login", data=said)
            assert again or answer.status_code == 303, answer.text
        except httpx.HTTPError:
            if not again:
                raise

    def close(self) -> None:
        self._client.close()

    def _token(self, page: str) -> str:
        found = re.search(r'name="token" (?:content|value)="([^"]+)"', page)
        return found[1] if found else ""

    def _ask(self, address: str, said: object) -> Any:
        token = self._token(self._client.get("/login").text)
        return self._client.post(address, json=said, headers={"x-token": token})

    def claimed(self) -> list[dict[str, Any]]:
        """Raises KeyError where nobody is logged in."""
        return list(self._ask("/api/claim", {}).json()["joints"])

    def get(self, address: str) -> str:
        """A page, which must be there."""
        answer = self._client.get(address)
        assert answer.status_code == 200, answer.text
        return answer.text

    def waiting(self) -> int:
        """Of a queue page."""
        found = re.search(r'id="joints">(\d+)', self._client.get("/").text)
        return int(found[1]) if found else -1

    def decide(self, event_id: str) -> Any:
        return self._ask("/api/decide", {"event_id": event_id, "decision": "false_call", "seconds": 1.0})

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        pause = threading.Event()
        for _ in range(int(seconds * 10)):
            if condition():
                return
            pause.wait(0.1)
        raise AssertionError("not in time")
