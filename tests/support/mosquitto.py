"""A real mosquitto as a child process, and what it delivers."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from convert.demo.ports import free_port, opens


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """Starts, stops and kills a broker that keeps its port.

    ``lasting``: sessions and retained messages survive in a file, which is written at every change, but after the
    PUBACK. What it acknowledged has gone out to whoever is connected by then: with a limit to what is in flight it
    would be kept in memory only, and lost with a broker that is killed.
    """

    def __init__(self, folder: Path, *, extra: str = "", lasting: bool = True, config: str = "") -> None:
        """``config``: what ``mosquitto.conf`` holds in place of the usual; something in it must listen on ``port``."""
        self._folder = folder
        self.port = free_port()
        folder.chmod(0o777)
        self._config = folder / "mosquitto.conf"
        keep = "persistence true\nautosave_interval 1\nautosave_on_changes true\nmax_inflight_messages 0\n"
        usual = (
            f"user root\nlistener {self.port} 0.0.0.0\nallow_anonymous true\n"
            f"{f'{keep}persistence_location {folder}/' if lasting else ''}\nmax_queued_messages 0\n{extra}"
        )
        self._usual = config or usual
        self._config.write_text(self._usual)
        self._process: subprocess.Popen[bytes] | None = None

    def change(self, extra: str) -> None:
        """Stop and start with these lines at the end of its configuration, in place of those of the last change."""
        self.stop()
        self._config.write_text(f"{self._usual}\n{extra}")
        self.start()

    def start(self) -> None:
        program = find_mosquitto()
        assert program
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen([program, "-c", str(self._config)], stdout=log, stderr=log)
        log.close()
        # on a busy machine nothing but time is short: one that cannot start ends at once
        assert opens(self.port, lambda: self.alive, 60), f"nothing listens on {self.port}: {self._last_words()}"

    def _last_words(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-500:]

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait(10)
        self._process = None


class Subscriber:
    """Collects everything under a topic; waits for what a test expects."""

    def __init__(self, port: int, topic: str = "#", *, client_id: str = "") -> None:
        self._changed = threading.Condition()
        self._messages: list[tuple[str, bytes, bool]] = []
        self._subscribed = False
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=not client_id,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._note_subscribed()
        self._client.on_message = lambda _client, _data, message: self._keep(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._subscribed, 10), "no subscription"

    def _note_subscribed(self) -> None:
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _keep(self, message: Any) -> None:
        with self._changed:
            self._messages.append((message.topic, message.payload, message.retain))
            self._changed.notify_all()

    def payloads(self, part: str) -> list[dict[str, Any]]:
        """Decoded payloads of the topics that contain ``part``, in order of arrival."""
        with self._changed:
            return [msgspec.json.decode(payload) for topic, payload, _ in self._messages if part in topic]

    def count(self, part: str) -> int:
        """How many have arrived of the topics that contain ``part``."""
        with self._changed:
            return sum(part in topic for topic, _, _ in self._messages)

    def wait_for(self, condition: Any, seconds: float = 60) -> None:
        """Wait until ``condition(self)`` holds; fails the test when it does not in time."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), seconds)
        assert held, f"not within {seconds} s; arrived: {[topic for topic, _, _ in self._messages][-20:]}"

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish something; returns once the broker has it."""
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
