"""A broker that ``axi-edge setup broker`` has set up, running here, and clients of it over TLS."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from convert.demo.ports import free_port, opens
from edge.setup.broker import Line, Where, set_up
from tests.support.mosquitto import find_mosquitto


class Broker:
    """What was written, started by a main file as Debian's is."""

    def __init__(self, folder: Path, line: Line) -> None:
        self.folder, self.where = folder, Where(folder / "out", folder / "etc", owner="root")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.write(line)

    def write(self, line: Line) -> None:
        set_up(line, self.where)
        made = self.where.configuration.read_text()
        main = self.folder / "mosquitto.conf"
        main.write_text(
            f"user root\npersistence true\npersistence_location {self.folder}/\n"
            + made.replace("listener 8883", f"listener {self.port}").replace("interval 10", "interval 1")
        )

    def start(self) -> None:
        program = find_mosquitto()
        assert program
        self._process = subprocess.Popen([program, "-c", str(self.folder / "mosquitto.conf")])
        assert opens(self.port, lambda: self._process is not None and self._process.poll() is None, 10)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def client(self, name: str, word: str = "") -> Client:
        folder = self.where.for_account(name)
        if (folder / "key.pem").exists():
            return Client(self, "", "", (str(folder / "cert.pem"), str(folder / "key.pem")))
        return Client(self, name, word or (folder / "password").read_text().strip())


class Client:
    """Connected over TLS as somebody; ``refused`` where the broker did not let it in."""

    def __init__(self, broker: Broker, name: str, word: str, files: tuple[str, str] | None = None) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.tls_set(str(broker.where.out / "ca.pem"), *(files or ()))
        if name:
            self._client.username_pw_set(name, word)
        self._answered, self._changed = threading.Event(), threading.Condition()
        self.refused, self.heard, self._acknowledged = True, list[str](), dict[int, bool]()
        self._client.on_connect = self._connected
        self._client.on_message = lambda _client, _data, message: self._hear(message.topic)
        self._client.on_publish = self._published
        self._client.on_subscribe = lambda *_: self._answered.set()
        self._client.connect("localhost", broker.port)
        self._client.loop_start()
        assert self._answered.wait(10)

    def _connected(self, _client: paho.Client, _data: object, _flags: object, reason: Any, _more: object) -> None:
        self.refused = bool(reason.is_failure)
        self._answered.set()

    def _hear(self, topic: str) -> None:
        with self._changed:
            self.heard.append(topic)
            self._changed.notify_all()

    def _published(self, _client: paho.Client, _data: object, number: int, reason: Any, _more: object) -> None:
        with self._changed:
            self._acknowledged[number] = not reason.is_failure
            self._changed.notify_all()

    def may_write(self, topic: str) -> bool:
        number = self._client.publish(topic, json.dumps({"to": topic}), qos=1).mid
        with self._changed:
            assert self._changed.wait_for(lambda: number in self._acknowledged, 10)
            return self._acknowledged[number]

    def subscribe(self, topic: str) -> None:
        self._answered.clear()
        self._client.subscribe(topic, qos=1)
        assert self._answered.wait(10)

    def hears(self, topic: str) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: topic in self.heard, 10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
