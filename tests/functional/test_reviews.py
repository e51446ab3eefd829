"""Reviews handed to a real daemon: each counts once, whatever dies meanwhile, and makes a lot to learn from."""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from convert.lots.reading import load_lot
from convert.lots.truth import read_truth
from edge.core.preprocess import PreprocessSpec
from tests.support.daemon import DaemonProcess
from tests.support.lines import boards, jobs_of, wait_until
from tests.support.mosquitto import Mosquitto, Subscriber

pytestmark = pytest.mark.broker


@pytest.fixture
def busy(device: DaemonProcess, lots: Path, mosquitto: Mosquitto) -> DaemonProcess:
    """A device, running, that has judged a lot; it looks for reviews often."""
    device.config.write_text(f"{device.config.read_text()}\n[health]\ninterval_s = 0.1\n")
    subscriber = Subscriber(mosquitto.port)
    device.start()
    for job in jobs_of(lots / "evaluate"):
        device.submit(job)
    subscriber.wait_for(boards(4))
    subscriber.close()
    return device


def counted(device: DaemonProcess) -> int:
    with closing(sqlite3.connect(f"file:{device.work}/journal.db?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(event_id) FROM review").fetchone()[0])


def verdict_events(device: DaemonProcess) -> list[tuple[tuple[str, str], str]]:
    """(job, joint) and event_id of every verdict."""
    asked = "SELECT job_id, joint, event_id FROM verdict JOIN job ON job.row = verdict.job"
    with closing(sqlite3.connect(f"file:{device.work}/journal.db?mode=ro", uri=True)) as db:
        return [((job_id, joint), event) for job_id, joint, event in db.execute(asked)]


def review(number: int, event: str, reviewer: str) -> bytes:
    said = {
        "schema": "axi-review/1",
        "review_id": str(uuid.UUID(int=number)),
        "time": "2026-11-26T08:20:11Z",
        "event_id": event,
        "decision": "false_call",
        "reviewer": reviewer,
    }
    return json.dumps(said).encode()


def known(device: DaemonProcess) -> bool:
    """Is the journal made yet?"""
    with closing(sqlite3.connect(f"file:{device.work}/journal.db?mode=ro", uri=True)) as db:
        return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'review'").fetchone())


def table(path: Path, lot: Path, *, reviewer: str = "r1") -> Path:
    """What a reviewer who is never wrong says of the lot."""
    said = {0: "false_call,", 1: "defect,"}
    rows = [
        f"{job_id},{joint},{said[row.label]}{row.truth if row.label else ''},{reviewer},2026-11-29T08:00:00Z"
        for (job_id, joint), row in read_truth(lot).items()
    ]
    path.write_text("\n".join(["job_id,joint,decision,defect_class,reviewer,time", *rows, ""]))
    return path


def test_reviews_come_in_are_listed_and_become_a_lot_to_learn_from(
    busy: DaemonProcess, lots: Path, tmp_path: Path
) -> None:
    truth = read_truth(lots / "evaluate")
    file = table(tmp_path / "march.csv", lots / "evaluate")
    done = busy.command("review", "import", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(truth)} reviews handed over" in done.stdout
    wait_until(lambda: counted(busy) == len(truth))
    listed = [json.loads(line) for line in busy.command("review", "list", "--json").stdout.splitlines()]
    assert {(one["job_id"], one["joint"]): one["decision"] == "defect" for one in listed} == {
        key: bool(row.label) for key, row in truth.items()
    }
    assert all(one["p_defect"] is not None and one["board_type"] for one in listed)
    wait_until((busy.spool / "reviews" / "done" / "march.csv").exists)
    made = busy.command("review", "export", str(tmp_path / "lot"))
    assert (made.returncode, made.stderr) == (0, "")
    lot = load_lot(tmp_path / "lot", PreprocessSpec())
    assert {(row.job_id, row.joint): (row.label, row.truth) for row in lot.rows} == {
        key: (row.label, row.truth) for key, row in truth.items()
    }
    again = busy.command("review", "export", str(tmp_path / "lot"))
    assert again.returncode == 2
    assert "new or empty" in again.stderr


def test_no_review_is_lost_or_counted_twice_though_the_daemon_is_killed_again_and_again(
    busy: DaemonProcess, lots: Path, tmp_path: Path
) -> None:
    truth, chance = read_truth(lots / "evaluate"), random.Random(3)
    busy.kill()
    for number in range(8):
        file = table(tmp_path / "a.csv", lots / "evaluate", reviewer=f"r{number}")
        assert busy.command("review", "import", str(file)).returncode == 0
    for _ in range(4):
        busy.start()
        least = counted(busy) + chance.randrange(1, 40)
        wait_until(lambda least=least: counted(busy) >= min(least, 8 * len(truth)))
        busy.kill()
    busy.start()
    wait_until(lambda: len(list((busy.spool / "reviews" / "done").iterdir())) == 8)
    assert counted(busy) == 8 * len(truth)
    assert busy.command("review", "list", "--aside").stdout == "no review was set aside\n"


def test_no_review_by_the_broker_is_lost_or_counted_twice_though_the_daemon_is_killed_again_and_again(
    busy: DaemonProcess, mosquitto: Mosquitto, lots: Path
) -> None:
    """They are sent on whether it lives or not, and each is sent twice."""
    events = [event for _, event in verdict_events(busy)]
    said = [review(number, event, f"r{number}") for number, event in enumerate(4 * events)]
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", mosquitto.port)
    client.loop_start()
    chance = random.Random(4)
    for start in range(0, len(said), 20):
        for payload in said[start : start + 20] * 2:
            client.publish("acme/line3/axi1/review", payload, qos=1).wait_for_publish(10)
        if chance.random() < 0.5:
            busy.kill()
            busy.start()
    wait_until(lambda: counted(busy) == len(said))
    client.disconnect()
    client.loop_stop()
    assert busy.command("review", "list", "--aside").stdout == "no review was set aside\n"


def test_reviews_count_again_when_the_journal_that_held_them_is_lost(
    busy: DaemonProcess, lots: Path, tmp_path: Path
) -> None:
    truth = read_truth(lots / "evaluate")
    busy.command("review", "import", str(table(tmp_path / "a.csv", lots / "evaluate")))
    wait_until(lambda: counted(busy) == len(truth))
    wait_until((busy.spool / "reviews" / "done" / "a.csv").exists)
    busy.kill()
    for part in busy.work.glob("journal.db*"):
        part.unlink()
    busy.start()
    wait_until(lambda: (busy.work / "journal.db").exists() and known(busy) and counted(busy) == len(truth))


def test_joints_are_judged_though_neither_broker_nor_reviews_can_be_reached(device: DaemonProcess, lots: Path) -> None:
    """What is configured of the broker cannot be used, and where reviews are dropped there is a file."""
    text = device.config.read_text()
    device.config.write_text(text.replace("[mqtt]", '[mqtt]\nca_file = "/nonexistent/ca.pem"'))
    device.spool.mkdir(exist_ok=True)
    (device.spool / "reviews").write_text("")
    device.start()
    (job, *_) = jobs_of(lots / "evaluate")
    device.submit(job)
    wait_until((device.spool / "done" / job.name).exists)
    assert device.alive


def test_what_is_wrong_is_said_to_whoever_hands_it_over_and_by_an_alarm(
    busy: DaemonProcess, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    subscriber = Subscriber(mosquitto.port)
    file = tmp_path / "a.csv"
    file.write_text(
        "job_id,joint,decision,reviewer,time\nL-unknown,J1,defect,r1,2026-11-29\nL-unknown,J2,scrap,r1,2026-11-29\n"
    )
    done = busy.command("review", "import", str(file))
    assert done.returncode == 1
    assert "line 3: decision: 'scrap'" in done.stderr
    subscriber.wait_for(
        lambda s: {"reviews_rejected", "reviews_set_aside"} <= {one["code"] for one in s.payloads("/alarm")}
    )
    (text,) = busy.command("review", "list", "--aside").stdout.splitlines()
    assert "job 'L-unknown' has no joint 'J1' here" in text
    subscriber.wait_for(
        lambda s: any(one["reviews"] == {"counted": 0, "set_aside": 1} for one in s.payloads("/metrics"))
    )
    subscriber.close()
    missing = busy.command("review", "import", str(tmp_path / "none.csv"))
    assert missing.returncode == 2
    assert "No such file" in missing.stderr
