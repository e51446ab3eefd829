"""``axi-edge check`` finds what it is there to find: one real fault each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.daemon import DaemonProcess
from tests.support.lines import wait_until
from tests.support.mosquitto import Mosquitto, find_mosquitto
from tests.support.plant import Plant

pytestmark = pytest.mark.broker

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker with users and access rules: axi1 may write where it should, dumb may write nowhere."""
    if find_mosquitto() is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto is not installed here: apt-get install mosquitto")
    folder = tmp_path_factory.mktemp("strict")
    passwords, rules = folder / "passwords", folder / "rules"
    passwords.touch()
    for user in ("axi1", "dumb"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, "secret"], check=True, capture_output=True)
    rules.write_text("user axi1\ntopic readwrite acme/line3/axi1/#\nuser dumb\ntopic read nothing\n")
    extra = f"allow_anonymous false\npassword_file {passwords}\nacl_file {rules}\n"
    broker = Mosquitto(folder, extra=extra, lasting=False)
    broker.start()
    yield broker
    broker.stop()


class Device:
    """A configuration to bend, and what the doctor says of it."""

    def __init__(self, work: Path, bundle: Path, port: int) -> None:
        self.work, self.bundle = work, bundle
        self.daemon = DaemonProcess(work, bundle, port)
        self.config = self.daemon.config

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def log_in(self, user: str, password: str) -> None:
        (self.work / "password").write_text(f"{password}\n")
        self.change("[mqtt]", f'[mqtt]\nusername = "{user}"\npassword_file = "{self.work}/password"')

    def check(self, before: tuple[str, ...] = (), **env: str) -> tuple[int, dict[str, str]]:
        """Exit code, and by thing: grade and text."""
        call = [*before, sys.executable, "-m", "edge.cli", "check", "--config", str(self.config)]
        done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, **env})
        lines = [line for line in done.stdout.splitlines() if line[:4].strip() in {"ok", "warn", "fail"}]
        found: dict[str, str] = {}
        for line in lines:
            grade, what = line[:4].strip(), line[6:19].strip()
            if grade != "ok" or what not in found:
                found[what] = f"{grade} {line[20:].strip()}"
        return done.returncode, found


@pytest.fixture
def device(tmp_path: Path, bundle: Path, strict: Mosquitto) -> Device:
    return Device(tmp_path, bundle, strict.port)


def test_a_sound_device_passes(device: Device) -> None:
    device.log_in("axi1", "secret")
    code, found = device.check()
    assert code == 0, found
    elsewhere = {"clock", "bundle", "release", "qualified"}
    assert {what: text.split()[0] for what, text in found.items() if what not in elsewhere} == dict.fromkeys(
        ("configuration", "runtime", "packages", "kernels", "broker", "spool", "journal", "disk spool", "disk journal"),
        "ok",
    )
    assert found["release"].startswith("warn policy card")
    device.change('policy = "card"', 'policy = "licensed"')
    assert device.check()[1]["release"].startswith("ok policy licensed")


def wrong_password(device: Device) -> None:
    device.log_in("axi1", "guess")


def no_rights(device: Device) -> None:
    device.log_in("dumb", "secret")


def nobody_there(device: Device) -> None:
    device.change("port = ", "port = 1 #")


def expired(device: Device) -> None:
    file, _ = Authority(device.work).issue("old", -3)
    device.change("[mqtt]", f'[mqtt]\nca_file = "{file}"')


def soon_expired(device: Device) -> None:
    device.change("[mqtt]", f'[mqtt]\nca_file = "{Authority(device.work).file}"')


def one_of_two_expired(device: Device) -> None:
    old, _ = Authority(device.work).issue("old", days=-3)
    valid, _ = Authority(device.work).issue("valid", days=100)
    both = device.work / "both.pem"
    both.write_bytes(old.read_bytes() + valid.read_bytes())
    device.change("[mqtt]", f'[mqtt]\nca_file = "{both}"')


def journal_is_a_folder(device: Device) -> None:
    (device.work / "journal.db").mkdir()


def journal_of_a_long_name(device: Device) -> None:
    device.change("journal.db", "j" * 300 + ".db")


def spool_is_a_file(device: Device) -> None:
    shutil.rmtree(device.work / "spool")
    (device.work / "spool").write_text("not a folder")


def spool_is_nowhere(device: Device) -> None:
    device.change("/spool", "/spol")


def spool_is_relative(device: Device) -> None:
    device.change(f"{device.work}/spool", "spool")


def a_type_that_nothing_judges(device: Device) -> None:
    device.change("[spool]", '[spool]\njoint_type = "BGA"')


def damaged_bundle(device: Device) -> None:
    copy = device.work / "copy"
    shutil.copytree(device.bundle, copy)
    model = bytearray((copy / "model.tflite").read_bytes())
    model[1_000] ^= 1
    (copy / "model.tflite").write_bytes(model)
    device.change(str(device.bundle), str(copy))


@pytest.mark.parametrize(
    ("fault", "what", "said"),
    [
        (wrong_password, "broker", "fail .*refused: .*username and password_file"),
        (no_rights, "broker", "fail .*refused a message to .*/check .Not authorized.; give user 'dumb' the right"),
        (nobody_there, "broker", "fail .*Connection refused"),
        (expired, "certificate", "fail .*old.pem: valid until .* it has expired: renew it"),
        (soon_expired, "certificate", "warn .*ca.pem: valid until .*; renew it"),
        (one_of_two_expired, "certificate", "warn .*; 1 of 2 in it have expired: remove them"),
        (spool_is_a_file, "spool", "fail .*a file, not a folder"),
        (journal_is_a_folder, "journal", "fail .*a folder, not a file; correct .journal. path"),
        (journal_of_a_long_name, "journal", "fail .*File name too long.*correct its path"),
        (spool_is_nowhere, "spool", "fail .*spol: no such folder; correct .spool. path"),
        (spool_is_relative, "spool", "fail spool: a service has no folder of its own"),
        (a_type_that_nothing_judges, "joint type", "fail .*'BGA' is judged by no bundle, only PTH;"),
        (damaged_bundle, "bundle", "fail .*model.tflite: digest"),
    ],
)
def test_each_fault_is_found(device: Device, fault: Callable[[Device], None], what: str, said: str) -> None:
    fault(device)
    code, found = device.check()
    assert re.match(said, found[what]), found
    assert code == 1


def test_a_runtime_that_does_not_go_with_this_numpy_is_named(device: Device) -> None:
    """A module in its place that fails as the real one does."""
    fake = device.work / "fake" / "tflite_runtime"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "interpreter.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    _, found = device.check(PYTHONPATH=str(fake.parent))
    assert found["runtime"].startswith("warn litert")
    assert "needs numpy below 2" in found["runtime"]
    device.change("[inference]", '[inference]\nruntime = "tflite-runtime"')
    code, found = device.check(PYTHONPATH=str(fake.parent))
    assert code == 1
    assert found["bundle"].startswith("fail [inference] runtime: tflite-runtime")


def test_a_clock_that_was_never_set_is_found(device: Device) -> None:
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed here: apt-get install faketime")
    _, found = device.check(LD_PRELOAD=str(FAKETIME), FAKETIME="@2020-01-01 00:00:00", FAKETIME_DONT_FAKE_MONOTONIC="1")
    assert found["clock"].startswith("fail 2020-01-01: the clock is not set")


def test_a_full_disk_and_slow_kernels_are_found(device: Device) -> None:
    """In a mount namespace of its own: a tiny disk under the spool, and an empty /proc."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounting needs root")
    mounts = f"mount -t tmpfs -o size=1m small {device.work}/spool && mount -t tmpfs empty /proc"
    script = f'{mounts} && exec "$@"'
    code, found = device.check(("unshare", "--mount", "sh", "-c", script, "sh"))
    assert code == 1
    assert found["disk spool"].startswith("fail")
    assert "spool: 1 MB and" in found["disk spool"]
    assert "below [health] min_free_mb 256 no job is claimed" in found["disk spool"]
    assert found["kernels"].startswith("warn XNNPACK is off")
    assert "/proc/cpuinfo cannot be read" in found["kernels"]


def test_what_keeps_jobs_from_the_daemon_that_runs_is_found(device: Device) -> None:
    device.log_in("axi1", "secret")
    device.change("[mqtt]", "[health]\ninterval_s = 0.1\n[mqtt]")
    device.daemon.start()
    (device.work / "spool" / "incoming" / "note.txt").write_text("no job")
    wait_until(lambda: "job_left" in device.daemon.command("status").stdout)
    code, found = device.check()
    assert code == 1
    assert re.match("fail job_left, since .*: note.txt: not a job folder", found["alarm"])
    device.daemon.kill()


def test_a_certificate_of_the_brokers_that_ends_soon_is_found(tmp_path: Path, bundle: Path, plant: Plant) -> None:
    (tmp_path / "device").mkdir()
    device = Device(tmp_path / "device", bundle, plant.tls_port)
    device.log_in("axi1", "a secret word")
    device.change("[mqtt]", f'[mqtt]\nca_file = "{plant.authority.file}"')
    call = [sys.executable, "-m", "edge.cli", "check", "--config", str(device.config)]
    said = subprocess.run(call, capture_output=True, text=True, check=False).stdout
    assert re.search(r"warn  certificate   of the broker: valid until \d{4}-\d\d-\d\d; renew it", said), said
    assert re.search(r"ok    broker  ", said), said


def test_a_broker_that_speaks_tls_is_said_to_where_we_do_not(tmp_path: Path, bundle: Path, plant: Plant) -> None:
    (tmp_path / "device").mkdir()
    device = Device(tmp_path / "device", bundle, plant.tls_port)
    device.log_in("axi1", "a secret word")
    code, found = device.check()
    assert code == 1
    assert "if the broker speaks TLS there (as on port 8883), set [mqtt] ca_file" in found["broker"]
