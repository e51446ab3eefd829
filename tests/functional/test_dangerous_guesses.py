"""Wrong guesses that would cost a joint, or silently do nothing: refused, and said why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge.bundle.shipped import KEYS, WORD, bundle_folder
from tests.support.builders import make_job, write_job
from tests.support.daemon import DaemonProcess
from tests.support.lines import alarms, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


def test_an_audit_of_a_spool_that_is_not_there_proves_nothing(shipped: DaemonProcess) -> None:
    shipped.config.write_text(shipped.config.read_text().replace("/spool", "/spol"))
    done = shipped.command("audit")
    assert done.returncode == 3
    assert "no such folder, so nothing can be audited" in done.stderr


def test_a_grant_for_a_board_type_that_nobody_knows_is_not_done(shipped: DaemonProcess) -> None:
    shipped.config.write_text(shipped.config.read_text().replace('policy = "card"', 'policy = "licensed"'))
    shipped.start()
    assert shipped.command("sample").returncode == 0
    wait_until(lambda: "sample" in shipped.command("licence", "list").stdout)
    words = ("licence", "grant", "smaple", "--point", "recall-0.98", "--reason", "a typo")
    done = shipped.command(*words)
    assert done.returncode == 1
    assert "nothing was done: no licence of smaple PTH is known; known are: sample PTH" in done.stdout
    assert shipped.command(*words, "--unknown").returncode == 0
    done = shipped.command("licence", "suspend", "sample", "--lift", "--reason", "nothing to lift")
    assert done.returncode == 1
    assert "nothing was done: sample PTH is learning" in done.stdout


def test_an_altered_bundle_is_not_good_by_its_own_word(shipped: DaemonProcess, tmp_path: Path) -> None:
    """The configured key decides, without being named once more."""
    shipped.config.write_text(shipped.config.read_text().replace("[model]", f'[model]\npublic_key_file = "{KEYS}"'))
    altered = tmp_path / "altered"
    altered.mkdir()
    for file in bundle_folder(WORD).iterdir():
        (altered / file.name).write_bytes(file.read_bytes())
    card = json.loads((altered / "card.json").read_text())
    card["operating_points"][0]["threshold"] = 0.9
    (altered / "card.json").write_text(json.dumps(card))
    done = shipped.command("bundle", "verify", str(altered))
    assert done.returncode == 4
    assert "SIGNATURE" in done.stderr
    assert "signature good" in shipped.command("bundle", "verify", str(bundle_folder(WORD))).stdout


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
    shipped: DaemonProcess, mosquitto: Mosquitto
) -> None:
    right = shipped.config.read_text()
    wrong = right.replace("acme/line3/axi1", "acme/lnie3/axi1").replace(f"port = {mosquitto.port}", "port = 1")
    shipped.config.write_text(wrong)
    write_job(shipped.incoming, make_job("L-1", joints=3))
    shipped.start()
    wait_until((shipped.spool / "done" / "L-1").exists)
    shipped.kill()
    shipped.config.write_text(right)
    listener = Subscriber(mosquitto.port)
    shipped.start()
    listener.wait_for(lambda one: len(one.payloads("acme/line3/axi1/verdict/")) == 3)
    listener.wait_for(lambda one: len(one.payloads("acme/line3/axi1/board/")) == 1)
    wait_until(lambda: "outbox        0 " in shipped.command("status").stdout)
    assert "messages go to another base topic" in shipped.log
    listener.close()


def test_a_configuration_that_cannot_be_read_ends_the_daemon_for_good_and_says_so(shipped: DaemonProcess) -> None:
    shipped.config.write_text(shipped.config.read_text().replace("[mqtt]", "[mqtt]\nprot = 1"))
    done = shipped.command("run")
    assert done.returncode == 78, "which the unit does not start anew: EX_CONFIG"
    assert "[mqtt] prot: unknown; the nearest valid name is 'port'; then systemctl start axi-edge" in done.stderr


def test_a_daemon_that_runs_is_seen_while_its_configuration_is_broken(shipped: DaemonProcess) -> None:
    shipped.start()
    wait_until(lambda: "daemon        running" in shipped.command("status").stdout)
    right = shipped.config.read_text()
    for wrong in (right.replace("[mqtt]", "[mqtt]\nprot = 1"), "[device\n" + right):
        shipped.config.write_text(wrong)
        done = shipped.command("check")
        assert done.returncode == 3, done.stdout + done.stderr
        assert re.search(r"^fail  configuration .*axi-edge.toml: ", done.stdout)
        assert "ok    runtime" in done.stdout
    shipped.config.write_text(right.replace("[mqtt]", "[mqtt]\nprot = 1"))
    done = shipped.command("status")
    assert done.returncode == 3
    assert re.search(r"^configuration .*\[mqtt\] prot: unknown; the nearest valid name is 'port'", done.stdout)
    assert "daemon        running, by what it read before; it would not start again" in done.stdout
    assert "bundle        slicenet 1.0.0" in done.stdout
    told = json.loads(shipped.command("status", "--json").stdout)
    assert (told["running"], told["state"]["bundle"]["name"]) == (True, "slicenet")
    shipped.config.write_text("[device\n" + right)
    assert "daemon        running" in shipped.command("status").stdout, "where the journal is stands in the text"
    journal = f"[journal]\npath = {json.dumps(str(shipped.work / 'journal.db'))}\n"
    assert journal in right
    shipped.config.write_text("[device\n" + right.replace(journal, ""))
    done = shipped.command("status")
    assert (done.returncode, "whether it runs cannot be told, nor where" in done.stdout) == (3, True)
    assert json.loads(shipped.command("status", "--json").stdout)["running"] is None
    shipped.config.with_suffix(".d").mkdir()
    (shipped.config.with_suffix(".d") / "50-journal.toml").write_text(journal)
    assert "daemon        running" in shipped.command("status").stdout


def test_every_job_that_was_refused_is_named_also_those_that_are_alike(
    shipped: DaemonProcess, mosquitto: Mosquitto
) -> None:
    listener = Subscriber(mosquitto.port)
    shipped.start()
    for number in range(5):
        (shipped.incoming / f"L-{number}.tmp").mkdir(parents=True)
        (shipped.incoming / f"L-{number}.tmp" / "manifest.json").write_text("{")
        (shipped.incoming / f"L-{number}.tmp").rename(shipped.incoming / f"L-{number}")
    wait_until(lambda: "and 2 more in the folder rejected" in shipped.command("status").stdout)
    said = shipped.command("status").stdout
    assert len(re.findall(r"^refused       L-\d, \d{4}-.*/manifest.json: Input data", said, re.MULTILINE)) == 3, said
    assert len(json.loads(shipped.command("status", "--json").stdout)["refused"]) == 5
    listener.wait_for(lambda s: alarms(s).count("job_refused") == 5)
    again = [alarm["text"] for alarm in listener.payloads("/alarm") if "refused before" in alarm["text"]]
    assert len(again) == 4
    listener.close()


def test_a_drop_in_that_is_not_read_is_found(shipped: DaemonProcess) -> None:
    folder = shipped.config.with_suffix(".d")
    folder.mkdir()
    (folder / "60-x.conf").write_text("[health]\ninterval_s = 0.1\n")
    (folder / "50-y.toml").write_text("[health]\ninterval_s = 0.2\n")
    said = shipped.command("check").stdout
    assert "60-x.conf: not read: only names that end in .toml are" in said
    assert "in force: 50-y.toml" in said


def test_a_reload_that_is_refused_fails_and_says_why(shipped: DaemonProcess) -> None:
    done = shipped.command("reload")
    assert done.returncode == 1
    assert "no daemon runs" in done.stdout
    shipped.start()
    wait_until(lambda: "running" in shipped.command("status").stdout)
    done = shipped.command("reload")
    assert (done.returncode, done.stdout) == (0, "slicenet 1.0.0 judges\n"), done.stderr
    right = shipped.config.read_text()
    shipped.config.write_text(right.replace(str(bundle_folder(WORD)), "/nowhere"))
    done = shipped.command("reload")
    assert done.returncode == 1
    assert "refused: " in done.stdout
    assert "no such folder" in done.stdout
    shipped.config.write_text(right)
    assert shipped.command("reload").returncode == 0


def test_words_that_are_no_text_and_files_that_are_no_certificates_are_refused_in_words(shipped: DaemonProcess) -> None:
    call = [sys.executable, "-m", "edge.cli", "view", "forget", b"M\xffB", "--config", str(shipped.config)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, "no text in UTF-8" in done.stderr) == (2, True), done.stderr
    call = [sys.executable, "-m", "edge.cli", "station", "user", "add", "carl", "--config", str(shipped.config)]
    done = subprocess.run(call, capture_output=True, input=b"\xff\xfe\xfd" * 9 + b"\n", check=False)
    assert (done.returncode, b"no text in UTF-8" in done.stderr) == (2, True), done.stderr
    right = shipped.config.read_text()
    for path, says in (("/nope", "No such file or directory"), (str(shipped.config), "holds no PEM certificate")):
        shipped.config.write_text(right.replace("[mqtt]", f'[mqtt]\nca_file = "{path}"'))
        done = shipped.command("tail")
        assert done.returncode == 3, done.stderr
        assert f"[mqtt] ca_file: {path}: {says}; name a readable PEM certificate" in done.stderr


def test_what_a_reload_does_not_take_up_is_said(shipped: DaemonProcess) -> None:
    shipped.start()
    wait_until(lambda: "running" in shipped.command("status").stdout)
    shipped.config.write_text(shipped.config.read_text().replace("acme/line3/axi1", "acme/line4/axi1"))
    done = shipped.command("reload")
    assert (
        done.stdout
        == "slicenet 1.0.0 judges\n[mqtt] changed: in force from the next start, systemctl restart axi-edge\n"
    )
