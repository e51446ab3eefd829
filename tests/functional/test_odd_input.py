"""What anybody may hand to a command: a sentence and an exit code, never a traceback, never a wait without end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.format import open_bundle
from edge.commands.audit import captured
from edge.commands.tail import _decoded, readable
from edge.config import load_settings
from edge.core.errors import BrokerUnavailable, BundleRefused, ConfigError, UsageError
from edge.daemon.broker import try_broker
from tests.support.daemon import DaemonProcess

NEEDED = '[device]\nname = "axi1"\n[model]\nbundle = "b"\n[mqtt]\nbase_topic = "base"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "[" * 3_000, "not valid TOML"),
        ("a = " + "[" * 3_000 + "]" * 3_000, "not valid TOML"),
        ("a = " + "9" * 5_000, "not valid TOML"),
        ('[model]\nbundle = "a\\u0000b"', "[model.bundle]: a zero character"),
        ('[mqtt]\nanswer_under = ["a\\u0000b"]', "[mqtt.answer_under.0]: a zero character"),
        (f'{NEEDED}[journal]\npath = ""', "[journal] path: "),
        (f'{NEEDED}username = "' + "u" * 70_000 + '"', "[mqtt] username: "),
    ],
)
def test_a_configuration_is_refused_in_a_sentence(text: str, says: str, tmp_path: Path) -> None:
    config = tmp_path / "axi-edge.toml"
    config.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_settings(config)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"schema": "axi-verdict/1"}',
        b'{"schema": "axi-board/1", "time": "", "verdicts": []}',
        b'{"schema": "axi-metrics/1", "time": 7, "latency_ms": {"p99": "x"}}',
        b'{"schema": "axi-status/1", "time": "", "bundle": 3}',
        b'{"schema": "axi-alarm/1", "time": "", "severity": "\\u001b[2J", "code": "", "text": "\\u0007"}',
        b"[" * 100_000,
        b"\xff\x00\x1b[31m",
        b"",
    ],
)
def test_whatever_is_published_below_the_base_topic_is_one_line(raw: bytes) -> None:
    line = readable("verdict/SN", _decoded(raw))
    assert line.isprintable()
    assert line


@pytest.mark.parametrize("payload", ["", 7, None, [1], {"schema": "axi-verdict/1x"}])
def test_a_capture_may_hold_what_others_published(payload: Any, tmp_path: Path) -> None:
    capture = tmp_path / "capture"
    verdict = dict.fromkeys(("event_id", "job_id", "joint", "verdict", "route"), "x") | {"schema": "axi-verdict/1"}
    lines = [{"topic": "t", "payload": payload}, {"topic": "t", "payload": verdict}]
    capture.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert len(list(captured(capture))) == 1


def test_a_capture_that_is_none_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "capture").write_text("[" * 100_000)
    with pytest.raises(UsageError, match="line 1: not a message"):
        list(captured(tmp_path / "capture"))


@pytest.mark.parametrize("name", ["card.json", "golden.npz", "model.tflite"])
def test_a_bundle_of_pipes_and_devices_is_refused_and_not_waited_for(name: str, tmp_path: Path, bundle: Path) -> None:
    for odd in ("pipe", "device"):
        copy = tmp_path / odd
        copy.mkdir()
        for part in bundle.iterdir():
            if part.name != name:
                (copy / part.name).write_bytes(part.read_bytes())
        if odd == "pipe":
            os.mkfifo(copy / name)
        else:
            (copy / name).symlink_to("/dev/zero")
        with pytest.raises(BundleRefused, match=name):
            open_bundle(copy)


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that lets everybody in and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_let_in, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _let_in(server: socket.socket) -> None:
    kept = []
    while True:
        try:
            kept.append(server.accept())
        except OSError:
            return


def test_a_broker_that_says_nothing_is_not_waited_for_without_end(tmp_path: Path, mute: int) -> None:
    device = DaemonProcess(tmp_path, tmp_path / "bundle", mute)
    device.config.write_text(device.config.read_text().replace("timeout_s = 5.0", "timeout_s = 0.3"))
    for command in ("tail", "tail --json"):
        done = device.command(*command.split())
        assert done.returncode == BrokerUnavailable.exit_code == 1
        assert "no answer in time" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["check"], ["audit"]])
def test_a_reader_that_has_gone_is_no_success(words: list[str], tmp_path: Path, mute: int) -> None:
    device = DaemonProcess(tmp_path, tmp_path / "bundle", mute)
    device.config.write_text(device.config.read_text().replace("timeout_s = 5.0", "timeout_s = 0.3"))
    reader, writer = os.pipe()
    os.close(reader)
    config = ["--config", str(device.config)]
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", *words, *config], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.returncode != 0
    assert b"Traceback" not in done.stderr


def test_names_that_the_terminal_cannot_show_are_written_out(tmp_path: Path, bundle: Path, lots: Path) -> None:
    job = next(path for path in sorted((lots / "evaluate").iterdir()) if path.is_dir())
    manifest = json.loads((job / "manifest.json").read_text())
    manifest["board"]["serial"] = "S\u4e2d\ud83d\ude00"
    copy = tmp_path / os.fsdecode(b"job-\xff")
    copy.mkdir()
    for part in job.iterdir():
        (copy / part.name).write_bytes(part.read_bytes())
    (copy / "manifest.json").write_text(json.dumps(manifest))
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    call = [sys.executable, "-m", "edge.cli", "inspect", str(copy), "--bundle", str(bundle)]
    done = subprocess.run(call, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]


def test_a_host_of_many_addresses_takes_no_longer_than_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers at any of them; each would be waited for as long as configured."""
    usual, waited = socket.getaddrinfo, list[float]()

    def many(host: str, port: int, *rest: Any, **more: Any) -> Any:
        return (
            [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{n}", port)) for n in range(1, 9)]
            if host == "broker.example"
            else usual(host, port, *rest, **more)
        )

    def connect(address: Any, timeout: float, **_: Any) -> None:
        waited.extend([timeout] * 8)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", many)
    monkeypatch.setattr(socket, "create_connection", connect)
    device = DaemonProcess(tmp_path, tmp_path / "bundle", 1883)
    device.config.write_text(device.config.read_text().replace("127.0.0.1", "broker.example"))
    settings = load_settings(device.config)
    assert "timed out" in try_broker(settings)
    assert sum(waited) <= settings.mqtt.timeout_s + 1e-9
