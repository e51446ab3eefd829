"""Wrong guesses that would cost a joint, or silently do nothing: refused, and said why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.bundle.shipped import KEYS, WORD, bundle_folder
from tests.support.builders import make_job, write_job
from tests.support.daemon import DaemonProcess
from tests.support.lines import wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


@pytest.fixture
def device(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[DaemonProcess]:
    found = DaemonProcess(tmp_path, bundle_folder(WORD), mosquitto.port)
    yield found
    found.kill()


def test_an_audit_of_a_spool_that_is_not_there_proves_nothing(device: DaemonProcess) -> None:
    device.config.write_text(device.config.read_text().replace("/spool", "/spol"))
    done = device.command("audit")
    assert done.returncode == 3
    assert "no such folder, so nothing can be audited" in done.stderr


def test_a_grant_for_a_board_type_that_nobody_knows_is_not_done(device: DaemonProcess) -> None:
    device.config.write_text(device.config.read_text().replace('policy = "card"', 'policy = "licensed"'))
    device.start()
    assert device.command("sample").returncode == 0
    wait_until(lambda: "sample" in device.command("licence", "list").stdout)
    words = ("licence", "grant", "smaple", "--point", "recall-0.98", "--reason", "a typo")
    done = device.command(*words)
    assert done.returncode == 1
    assert "nothing was done: no licence of smaple PTH is known; known are: sample PTH" in done.stdout
    assert device.command(*words, "--unknown").returncode == 0
    done = device.command("licence", "suspend", "sample", "--lift", "--reason", "nothing to lift")
    assert done.returncode == 1
    assert "nothing was done: sample PTH is learning" in done.stdout


def test_an_altered_bundle_is_not_good_by_its_own_word(device: DaemonProcess, tmp_path: Path) -> None:
    """The configured key decides, without being named once more."""
    device.config.write_text(device.config.read_text().replace("[model]", f'[model]\npublic_key_file = "{KEYS}"'))
    altered = tmp_path / "altered"
    altered.mkdir()
    for file in bundle_folder(WORD).iterdir():
        (altered / file.name).write_bytes(file.read_bytes())
    card = json.loads((altered / "card.json").read_text())
    card["operating_points"][0]["threshold"] = 0.9
    (altered / "card.json").write_text(json.dumps(card))
    done = device.command("bundle", "verify", str(altered))
    assert done.returncode == 4
    assert "SIGNATURE" in done.stderr
    assert "signature good" in device.command("bundle", "verify", str(bundle_folder(WORD))).stdout


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("https://plant.example/slicenet-1.0.0", "an address; get it first, with axi-edge bundle fetch"),
        ("bundle.tgz", "a file, not a bundle's folder; unpack it, and name the folder"),
        ("card.json", "a file, not a bundle's folder; name its folder"),
        ("nowhere", "no such folder; name the folder of a bundle"),
    ],
)
def test_what_is_no_bundle_is_said_to_be_what_it_is(given: str, says: str, tmp_path: Path) -> None:
    for name in ("bundle.tgz", "card.json"):
        (tmp_path / name).write_text("{}")
    call = [sys.executable, "-m", "edge.cli", "bundle", "show", given if "://" in given else str(tmp_path / given)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert says in done.stderr


def test_messages_under_a_base_topic_that_was_wrong_go_to_the_right_one(
    device: DaemonProcess, mosquitto: Mosquitto
) -> None:
    right = device.config.read_text()
    wrong = right.replace("acme/line3/axi1", "acme/lnie3/axi1").replace(f"port = {mosquitto.port}", "port = 1")
    device.config.write_text(wrong)
    write_job(device.incoming, make_job("L-1", joints=3))
    device.start()
    wait_until((device.spool / "done" / "L-1").exists)
    device.kill()
    device.config.write_text(right)
    listener = Subscriber(mosquitto.port)
    device.start()
    listener.wait_for(lambda one: len(one.payloads("acme/line3/axi1/verdict/")) == 3)
    listener.wait_for(lambda one: len(one.payloads("acme/line3/axi1/board/")) == 1)
    wait_until(lambda: "outbox        0 " in device.command("status").stdout)
    assert "messages go to another base topic" in device.log
    listener.close()


def test_a_configuration_that_cannot_be_read_ends_the_daemon_for_good_and_says_so(device: DaemonProcess) -> None:
    device.config.write_text(device.config.read_text().replace("[mqtt]", "[mqtt]\nprot = 1"))
    done = device.command("run")
    assert done.returncode == 78, "which the unit does not start anew: EX_CONFIG"
    assert "[mqtt] prot: unknown; the nearest valid name is 'port'; then systemctl start axi-edge" in done.stderr


def test_a_drop_in_that_is_not_read_is_found(device: DaemonProcess) -> None:
    folder = device.config.with_suffix(".d")
    folder.mkdir()
    (folder / "60-x.conf").write_text("[health]\ninterval_s = 0.1\n")
    (folder / "50-y.toml").write_text("[health]\ninterval_s = 0.2\n")
    said = device.command("check").stdout
    assert "60-x.conf: not read: only names that end in .toml are" in said
    assert "in force: 50-y.toml" in said


def test_a_reload_that_is_refused_fails_and_says_why(device: DaemonProcess) -> None:
    done = device.command("reload")
    assert done.returncode == 1
    assert "no daemon runs" in done.stdout
    device.start()
    wait_until(lambda: "running" in device.command("status").stdout)
    done = device.command("reload")
    assert (done.returncode, done.stdout) == (0, "slicenet 1.0.0 judges\n"), done.stderr
    right = device.config.read_text()
    device.config.write_text(right.replace(str(bundle_folder(WORD)), "/nowhere"))
    done = device.command("reload")
    assert done.returncode == 1
    assert "refused: " in done.stdout
    assert "no such folder" in done.stdout
    device.config.write_text(right)
    assert device.command("reload").returncode == 0
