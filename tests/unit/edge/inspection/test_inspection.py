from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from edge.core.card import TensorInfo
from edge.core.verdict import Reason
from edge.jobs.folder import ClaimedJob
from tests.support.builders import document, make_card, make_job, trusting
from tests.support.line import Line, alarms, claimed
from tests.unit.edge.inspection.test_attempts import Fragile


def test_every_joint_of_every_job_gets_one_verdict_and_the_job_ends_in_done() -> None:
    line = Line([claimed(make_job(f"L-{i}", joints=4, views=2)) for i in range(3)])
    line.run()
    assert len({verdict.event_id for verdict in line.verdicts()}) == len(line.verdicts()) == 3 * 8
    assert line.spool.finished == ["L-0", "L-1", "L-2"]
    summaries = [json.loads(m.payload) for m in line.messages() if "/board/" in m.topic]
    assert [(summary["joints_expected"], summary["joints_decided"]) for summary in summaries] == [(8, 8)] * 3
    assert line.progress >= 24


def test_a_board_that_looks_strange_is_told_of_and_its_summary_says_why() -> None:
    known = trusting(3)
    features = TensorInfo(dtype="uint8", shape=(1, 3), scale=0.1)
    card = make_card(familiarity=known, quantisation=replace(make_card().quantisation, features=features))
    counts = 3, 3, 2, 3  # two strange joints say nothing, and the board after that is news again
    jobs = [claimed(make_job(f"L-{i}", joints=joints)) for i, joints in enumerate(counts)]
    line = Line(jobs, card=card)  # whose scorer gives no features
    line.run()
    assert {(verdict.verdict, verdict.reason) for verdict in line.verdicts()} == {("unjudged", Reason.UNFAMILIAR)}
    assert all(verdict.p_defect is not None for verdict in line.verdicts())
    assert alarms(line) == ["unfamiliar_board"] * 2
    summaries = [json.loads(m.payload) for m in line.messages() if "/board/" in m.topic]
    assert [summary["reasons"] for summary in summaries] == [{"unfamiliar": joints} for joints in counts]


def test_an_alarm_can_be_sent_whatever_the_folder_is_called() -> None:
    line = Line([claimed(make_job("L-1", joints=1), folder="caf\udce9")], judge=Fragile({"J0.0": 2}))
    line.run()
    assert alarms(line) == ["runtime_hung", "runtime_hung"]


def test_a_refused_job_is_rejected_with_an_alarm_and_a_verdict_for_each_joint_it_names() -> None:
    broken = document(make_job(joints=3))
    broken["joints"][1]["roi"] = "here"
    job = ClaimedJob(Path("work/L7"), json.dumps(broken).encode(), "sha256:x")
    line = Line([job])
    line.run()
    assert "joints[1].roi" in line.spool.rejected["L7"]
    assert [(verdict.joint, verdict.reason, verdict.model) for verdict in line.verdicts()] == [
        (f"J0.{i}", Reason.JOB_REFUSED, None) for i in range(3)
    ]
    alarms = [json.loads(m.payload) for m in line.messages() if m.topic == "base/alarm"]
    assert [alarm["code"] for alarm in alarms] == ["job_refused"]
    assert "joints[1].roi" in alarms[0]["text"]


def test_a_job_id_used_again_for_other_content_is_refused_and_its_joints_have_event_ids_of_their_own() -> None:
    first, second = make_job(joints=2), make_job(joints=3)
    line = Line([claimed(first), claimed(second, folder="again"), claimed(first, folder="same")])
    line.run()
    assert line.spool.finished == ["L7-000123", "same"]
    assert "used before" in line.spool.rejected["again"]
    assert len({verdict.event_id for verdict in line.verdicts()}) == 2 + 3


def test_fewer_slices_than_the_board_type_had_are_said_once_until_they_are_back() -> None:
    counts = (3, 2, 2, 3, 1)
    line = Line([claimed(make_job(f"L-{i}", joints=1, slices=count)) for i, count in enumerate(counts)])
    line.run()
    assert line.spool.finished == [f"L-{i}" for i in range(len(counts))]
    assert alarms(line) == ["fewer_slices"] * 2


def test_a_job_that_may_hold_more_joints_than_could_be_read_says_so_in_its_summary() -> None:
    raw = json.dumps(document(make_job(joints=3))).encode()
    line = Line([ClaimedJob(Path("work/L7"), raw[: raw.index(b"J0.2")], "sha256:x", unread="it is cut")])
    line.run()
    (summary,) = [json.loads(m.payload) for m in line.messages() if "/board/" in m.topic]
    assert (summary["joints_decided"], summary["refused"], summary["unread"]) == (2, True, "it is cut")
    whole = Line([claimed(make_job(joints=1))])
    whole.run()
    assert all("unread" not in json.loads(m.payload) for m in whole.messages() if "/board/" in m.topic)
