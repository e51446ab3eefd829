"""The line's pages show what was counted and heard, to whoever may see it, and nothing that would tell of a joint."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.core.payloads import StatusPayload
from edge.core.review import Review, Said
from edge.station.alarms import MOMENTS, Alarm
from edge.station.boardmap import Became
from tests.support.builders import make_job, write_job
from tests.support.pages import NOW, Station
from tests.support.queues import decided, joint
from tests.unit.edge.station.test_figures import LICENCE, METRICS, MODEL

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "integrate.md"


@pytest.fixture
def station(tmp_path: Path) -> Station:
    found = Station(tmp_path)
    when = "2026-11-29T08:30:00.000Z"
    sent = [joint(n, time=when) for n in range(30)]
    released = [joint(n, time=when, verdict="normal", reason="", released=True) for n in range(30, 50)]
    found.store.hear([*sent, *released], [], NOW)
    return found


def figures_of(text: str) -> dict[str, str]:
    """What stands below each heading of the line's figures."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text, re.DOTALL)
    return {name: " ".join(re.sub("<.*?>", "", value).split()) for name, value in found}


def charts_of(text: str) -> Any:
    found = re.search(r'data-charts="([^"]+)"', text)
    assert found
    return json.loads(html.unescape(found[1]))


def test_the_line_is_shown_with_what_was_saved(station: Station) -> None:
    viewer = station.logged_in("vic", "viewer").client
    before = figures_of(viewer.get("/line").text)
    assert (before["flagged by the machine"], before["released"]) == ("50", "20 40 %")
    assert before["work saved"] == "20 joints no review said how long it took"
    assert before["escapes found by audits"] == "0 nothing audited yet"
    for number in range(3):
        station.store.decide(decided(joint(number))._replace(seconds=6.0), 0)
    station.outbox.to_send(1.0, 10)
    text = viewer.get("/line?span=week").text
    after = figures_of(text)
    assert after["reviewed"] == "3 0 as defects, 3 false calls, 0 unsure"
    assert re.fullmatch(r"20 joints 2 minutes, at \d\.\d s a review \(median\)", after["work saved"])
    charts = charts_of(text)
    assert len(charts["labels"]) == 7
    assert (charts["joints"]["released"][-1], charts["joints"]["sent"][-1]) == (20, 30)
    assert charts["quality"] is None


def test_licences_alarms_and_the_device_are_shown_as_they_were_heard(station: Station) -> None:
    page = station.logged_in("vic", "viewer").client
    assert "nothing heard" in page.get("/line").text
    learning = msgspec.structs.replace(LICENCE, board_type="MB-<1>", state="learning", defects_sampled=40, escapes=0)
    unmeasured = msgspec.structs.replace(learning, board_type="MB-2", reviewers_miss=1.0)
    status = StatusPayload(state="online", time="t", version="9.9.9", bundle=MODEL)
    for said in (status, METRICS, LICENCE, learning, unmeasured):
        station.device.hear("topic", msgspec.json.encode(said))
    alarms = [Alarm("2026-11-29T08:00:00Z", "disk_low", "error", "<b>low</b>")]
    alarms.append(Alarm("2026-11-29T08:10:00Z", "job_refused", "error", "no manifest"))
    station.rooms.alarms.hear(alarms)
    text = page.get("/line").text
    assert "MB-&lt;1&gt;" in text
    assert re.search(r"40 of 9\d or more <progress", text)
    assert "no reviewer is proved good enough yet" in text
    assert "9.9.9" in text
    (raised,) = re.findall("<li><b>(.*?)</b> (.*?)</li>", text)
    assert raised == ("disk_low", "&lt;b&gt;low&lt;/b&gt;")
    assert "job_refused" in text


def test_the_guide_names_the_alarms_that_have_no_end() -> None:
    (sentence,) = re.findall(r"as they end; (.*?) are about one moment", GUIDE.read_text("utf-8"), re.DOTALL)
    assert set(re.findall("`([a-z_]+)`", sentence)) == MOMENTS


def test_nothing_on_the_line_tells_what_waits_for_which_reason(station: Station) -> None:
    visitor = station.logged_in("anna")
    for address in ("/line", "/line?span=weeks&board_type=MB-1", "/board?serial=SN000"):
        text = visitor.client.get(address).text
        assert not [word for word in ("learning", "unjudged", "p_defect", "unfamiliar") if word in text]


def test_a_board_is_a_map_of_what_became_of_its_joints(tmp_path: Path) -> None:
    station, job = Station(tmp_path), make_job(joints=5)
    write_job(tmp_path / "spool" / "done", job)
    of = {"job_id": job.job_id, "serial": "SN 7/<b>"}
    heard = [joint(n, joint=f"J0.{n}", **of) for n in range(4)]
    heard[3] = heard[3]._replace(released=True, verdict="normal", reason="")
    station.store.hear(heard, [], NOW)
    station.store.decide(decided(heard[0], decision=Said.DEFECT, defect_class="voided"), 0)
    station.store.decide(decided(heard[1]), 0)
    station.store.hear([], [Review("r", "t", Said.UNSURE, "eve", event_id=heard[2].event_id)], NOW)
    board = station.rooms.boards.map_of("SN 7/<b>", all_of_it=False)
    assert board is not None
    became = {one.joint: one.became for view in board.views for one in view.joints}
    assert became == {
        "J0.0": Became.DEFECT,
        "J0.1": Became.GOOD,
        "J0.2": Became.WAITS,
        "J0.3": Became.RELEASED,
        "J0.4": Became.UNHEARD,
    }
    assert board.views[0].joints[2].roi == job.joints[2].roi
    client = station.logged_in("vic", "viewer").client
    answer = client.get("/board", params={"serial": "SN 7/<b>"})
    assert "SN 7/&lt;b&gt;" in answer.text
    assert answer.text.count("<rect") == 5
    (picture,) = re.findall('<img src="([^"]+)"', answer.text)
    assert client.get(picture).headers["content-type"] == "image/png"


def test_a_board_whose_pictures_are_gone_is_still_counted(station: Station) -> None:
    text = station.logged_in("vic", "viewer").client.get("/board?serial=SN003").text
    assert "10 released" in text
    assert "Of job L1-000003 no picture is there any more." in text


def test_who_may_see_what(station: Station) -> None:
    for role, status in (("viewer", 403), ("specialist", 403), ("engineer", 200)):
        client = station.logged_in(role, role).client
        assert client.get("/reviewers").status_code == status
        assert ("/reviewers" in client.get("/line").text) == (status == 200)
    stranger = station.visitor().client
    for address in ("/line", "/board?serial=SN000", "/reviewers"):
        assert stranger.get(address).headers["location"].startswith("/login?then=%2F")
    viewer = station.logged_in("viewer", "viewer").client
    assert viewer.get("/line?span=year").status_code == 400
    assert viewer.get("/board?serial=nothing").status_code == 404
    assert viewer.get("/board").status_code == 404


def test_an_engineer_sees_who_reviews_how(station: Station) -> None:
    truths = [Review("", "t", Said.DEFECT, "lab", event_id=joint(n).event_id) for n in range(5)]
    station.rooms.known.mark(truths)
    assert station.store.decide(decided(joint(20), "an<na"), 0)
    station.rooms.known.deal(station.store.hear([joint(n) for n in range(100, 140)], [], NOW), NOW)
    for number in range(5):
        assert station.store.decide(decided(joint(number), "an<na"), 0)
    station.rooms.records.was_hasty("an<na", 7)
    text = station.logged_in("eva", "engineer").client.get("/reviewers").text
    assert "an&lt;na" in text
    assert "5 of 5" in text
    assert "5 defects and 0 good joints of known truth" in text
    assert '<td class="number">7</td>' in text


def test_a_second_reviewer_hears_afterwards_what_the_first_said(tmp_path: Path) -> None:
    station = Station(tmp_path, undo_s=0.0)
    station.store.hear([joint(0)], [], NOW)
    anna, ben = station.logged_in("anna"), station.logged_in("ben")
    assert anna.decide(anna.claimed()[0]["event_id"], "unsure").json()["standing"][0]["others"] == []
    (shown,) = ben.claimed()
    assert shown["second_look"]
    assert "anna" not in json.dumps(shown)
    said = ben.decide(shown["event_id"], "defect", "voided").json()
    assert said["standing"][0]["others"] == [["anna", "unsure"]]


def test_keys_that_came_too_soon_are_counted(tmp_path: Path) -> None:
    station = Station(tmp_path, shortest_s=5.0)
    station.store.hear([joint(0), joint(1)], [], NOW)
    anna = station.logged_in("anna")
    one, other = (shown["event_id"] for shown in anna.claimed())
    said = {"event_id": one, "decision": "false_call", "seconds": 6.0, "hasty": 3}
    assert anna.ask("/api/decide", said).status_code == 200
    assert anna.decide(other).status_code == 429
    (record,) = station.rooms.records.everybody()
    assert (record.reviews, record.hasty) == (1, 4)


def test_a_board_that_is_to_come_as_any_other_is_on_no_map_before(station: Station) -> None:
    station.rooms.known.mark([Review("", "t", Said.DEFECT, "lab", event_id=joint(3).event_id)])
    for role, status in (("viewer", 404), ("specialist", 404), ("engineer", 200)):
        assert station.logged_in(role, role).client.get("/board?serial=SN000").status_code == status
    anna = station.logged_in("specialist")
    assert anna.decide(joint(3).event_id).status_code == 409, "nobody is asked about it before"
    assert 'id="joints">29<' in anna.client.get("/").text


def test_what_the_network_says_is_not_drawn_for_who_reviews(station: Station) -> None:
    drawn = {
        role: charts_of(station.logged_in(role, role).client.get("/line").text)
        for role in ("viewer", "specialist", "engineer")
    }
    assert [charts["scores"] is None for charts in drawn.values()] == [False, True, False]
    assert all(charts["latency"] for charts in drawn.values())


def test_what_waits_is_counted_for_the_type_that_is_looked_at_and_for_who_can_still_review(station: Station) -> None:
    anna, ben = station.logged_in("anna"), station.logged_in("ben")
    assert figures_of(anna.client.get("/line?board_type=MB-1").text)["wait now"].split()[0] == "10"
    station.store.decide(decided(joint(0), decision=Said.UNSURE), 0)
    assert [anna.ask("/api/claim").json()["waiting"], ben.ask("/api/claim").json()["waiting"]] == [29, 30]
    assert ['id="joints">29<' in anna.client.get("/").text, 'id="joints">30<' in ben.client.get("/").text] == [True] * 2
