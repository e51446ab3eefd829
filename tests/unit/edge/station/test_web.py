"""What the pages give and take: each joint to one person, nothing of the network before a decision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.core.review import Review, Said, read_payload
from edge.station.claims import Claims
from tests.support.pages import Station, Visitor
from tests.support.queues import joint


@pytest.fixture
def station(tmp_path: Path) -> Station:
    found = Station(tmp_path)
    reasons = ("learning", "audit", "", "unfamiliar")
    joints = [joint(n, reason=reasons[n % 4], p_defect=0.123456 + n / 1000, kind="voided") for n in range(12)]
    found.store.hear([one._replace(verdict="defect" if not one.reason else "unjudged") for one in joints], [], 0.0)
    return found


@pytest.fixture
def anna(station: Station) -> Visitor:
    return station.logged_in("anna")


def test_two_people_never_have_one_joint(station: Station, anna: Visitor) -> None:
    ben, had = station.logged_in("ben"), set[str]()
    for visitor in (anna, ben, anna, ben):
        claimed = {one["event_id"] for one in visitor.claimed()}
        had |= claimed
    first = [one["event_id"] for one in anna.claimed()]
    assert not set(first) & {one["event_id"] for one in ben.claimed(have=tuple(first))}
    assert ben.decide(first[0]).status_code == 409


def test_one_person_with_two_browsers_has_two_heaps(station: Station, anna: Visitor) -> None:
    again = station.logged_in("anna")
    assert not {one["event_id"] for one in anna.claimed()} & {one["event_id"] for one in again.claimed()}


def test_two_pages_of_one_session_have_two_heaps(station: Station, anna: Visitor) -> None:
    first = {one["event_id"] for one in anna.claimed(page="one")}
    second = {one["event_id"] for one in anna.claimed(page="two")}
    assert not first & second
    anna.ask("/api/release", page="one")
    ben = {one["event_id"] for one in station.logged_in("ben").claimed()}
    assert ben == first


class _Overtaken(Claims):
    """Another page takes the joints that wait first, between the question which are free and the claim on them."""

    first: tuple[str, ...] = ()

    def held_by_others(self, session: str) -> list[str]:
        free = super().held_by_others(session)
        self.take("another page", self.first)
        return free


def test_who_is_overtaken_gets_the_joints_after_those(tmp_path: Path) -> None:
    """Not an empty page while joints wait."""
    station = Station(tmp_path, claims=_Overtaken)
    station.store.hear([joint(n) for n in range(12)], [], 0.0)
    station.claims.first = first = tuple(joint(n).event_id for n in range(3))
    found = [one["event_id"] for one in station.logged_in("ben").claimed()]
    assert len(found) == len(first)
    assert not set(found) & set(first)


def test_what_is_being_saved_is_not_given_out_again(anna: Visitor) -> None:
    first, *others = (one["event_id"] for one in anna.claimed())
    got = anna.ask("/api/claim", {"have": others, "saving": [first]}).json()["joints"]
    assert first not in {one["event_id"] for one in got}


def test_what_somebody_else_has_open_by_now_is_not_taken_back(station: Station, anna: Visitor) -> None:
    first = anna.claimed()[0]["event_id"]
    anna.decide(first, "unsure")
    assert first in {one["event_id"] for one in station.logged_in("ben").claimed()}
    answer = anna.ask("/api/undo")
    assert answer.status_code == 409
    assert "Somebody else" in answer.json()["problem"]
    assert station.outbox.unsent() == 1


def test_a_joint_that_is_odd_to_the_network_alone_is_not_among_the_doubted(anna: Visitor) -> None:
    assert anna.claimed("doubted=yes") == []


def test_what_is_left_is_anybodys(station: Station, anna: Visitor) -> None:
    first = {one["event_id"] for one in anna.claimed()}
    assert anna.ask("/api/release").status_code == 204
    ben = station.logged_in("ben")
    assert {one["event_id"] for one in ben.claimed()} == first
    station.clock.now += 301
    assert {one["event_id"] for one in station.logged_in("carl").claimed()} == first


def test_nothing_of_the_network_is_known_before_the_decision(station: Station, anna: Visitor) -> None:
    """And so no joint can be told from one that is drawn for the audit."""
    pages = [anna.client.get(address).text for address in ("/", "/review", "/?doubted=no", "/review?serial=SN000")]
    claimed = anna.claimed()
    shown = "".join([*pages, json.dumps(claimed)])
    for told in ("audit", "learning", "unjudged", "0.12", "p_defect", "verdict", "unfamiliar", "kind"):
        assert told not in shown
    shapes = {tuple(sorted(one)) for one in claimed}
    assert len(shapes) == 1
    first = anna.decide(claimed[1]["event_id"], "unsure").json()
    assert not first["standing"], "it could be taken back, and made anew"
    (known,) = anna.decide(claimed[0]["event_id"]).json()["standing"]
    assert (known["reason"], known["p_defect"]) == ("audit", pytest.approx(0.124456))


def test_a_decision_is_a_review_and_wakes_who_sends_it(station: Station, anna: Visitor) -> None:
    first, second, _ = anna.claimed()
    assert anna.decide(first["event_id"], "defect", "voided").status_code == 200
    assert anna.decide(second["event_id"]).status_code == 200
    reviews = [read_payload(payload) for _, payload in station.outbox.to_send(1e12, 10)]
    assert [(one.event_id, one.decision, one.defect_class, one.reviewer) for one in reviews] == [
        (first["event_id"], Said.DEFECT, "voided", "anna"),
        (second["event_id"], Said.FALSE_CALL, None, "anna"),
    ]
    assert station.woken == 2
    assert {one["event_id"] for one in anna.claimed()}.isdisjoint({first["event_id"], second["event_id"]})


def test_the_last_decision_is_taken_back_and_held_again(station: Station, anna: Visitor) -> None:
    first = anna.claimed()[0]["event_id"]
    anna.decide(first)
    assert anna.ask("/api/undo").json()["joint"]["event_id"] == first
    assert first not in {one["event_id"] for one in station.logged_in("ben").claimed()}
    assert anna.ask("/api/undo").status_code == 409
    assert anna.decide(first, "unsure").status_code == 200


def test_what_cannot_be_is_refused_in_plain_words(station: Station, anna: Visitor) -> None:
    event = anna.claimed()[0]["event_id"]
    for said, status in (
        ({"event_id": event, "decision": "perhaps"}, 400),
        ({"event_id": event, "decision": "defect"}, 400),
        ({"event_id": event, "decision": "defect", "defect_class": "<b>"}, 400),
        ({"event_id": event, "decision": "unsure", "seconds": -1}, 400),
        ({"event_id": "x" * 100, "decision": "unsure"}, 400),
        ({"event_id": "nobody's", "decision": "unsure"}, 404),
        ({"decision": "unsure"}, 400),
        ([], 400),
        ("[" * 5000, 400),
    ):
        answer = anna.ask("/api/decide", said)
        assert answer.status_code == status, said
        assert answer.json()["problem"]
    assert station.outbox.unsent() == 0
    assert anna.ask("/api/claim?doubted=perhaps").status_code == 400


def test_names_from_elsewhere_are_text(station: Station, anna: Visitor) -> None:
    script = '<script>alert("x")</script>'
    station.store.hear([joint(90, serial=script, board_type=script, machine_call=script, joint=script)], [], 0.0)
    page = anna.client.get("/").text
    assert script not in page
    assert "&lt;script&gt;" in page
    assert len(anna.claimed(query="serial=%3Cscript%3Ealert(%22x%22)%3C/script%3E")) == 1


def test_the_queue_says_what_keeps_reviews_from_the_broker(station: Station, anna: Visitor) -> None:
    station.troubles.append("the broker takes no reviews (Not authorized)")
    assert "takes no reviews (Not authorized)" in anna.client.get("/").text


def test_joints_without_pictures_say_so(anna: Visitor) -> None:
    assert all("no longer in the spool" in one["problem"] for one in anna.claimed())


def test_a_second_look_is_said_to_be_one(station: Station, anna: Visitor) -> None:
    station.store.hear([], [Review("r", "t", Said.UNSURE, "eve", event_id=joint(0).event_id)], 0.0)
    assert [one["second_look"] for one in anna.claimed()] == [True, False, False]


def test_nobody_drums_on_one_key(tmp_path: Path) -> None:
    station = Station(tmp_path, shortest_s=0.4)
    station.store.hear([joint(n) for n in range(12)], [], 0.0)
    anna, ben = station.logged_in("anna"), station.logged_in("ben")
    first, second, _ = (one["event_id"] for one in anna.claimed())
    other = ben.claimed()[0]["event_id"]
    assert anna.decide(first).status_code == 200
    assert anna.decide(second).status_code == 429
    assert ben.decide(other).status_code == 200
    station.clock.now += 0.41
    assert anna.decide(second).status_code == 200
    assert station.outbox.unsent() == 3
