"""A joint's page, by its verdict's id: pictures for everybody, the network's word for nobody who may still be asked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from edge.core.job import Roi
from edge.core.review import Review, Said
from edge.core.verdict import Call, Route
from edge.station.joints import joint_of
from tests.support.builders import make_verdict
from tests.support.pages import NOW, PASSWORD, Station, Visitor
from tests.support.queues import decided, joint

HIDDEN = ("learning", "0.250", "unjudged", "network")


@pytest.fixture
def station(tmp_path: Path) -> Station:
    found = Station(tmp_path)
    found.store.hear([joint(n) for n in range(20)], [], NOW)
    return found


def page_of(visitor: Visitor, number: int) -> str:
    answer = visitor.client.get(f"/joint/{joint(number).event_id}")
    assert answer.status_code == 200
    return str(answer.text)


def test_while_a_joint_waits_its_page_says_nothing_of_the_network(station: Station) -> None:
    for role in ("viewer", "specialist", "engineer"):
        text = page_of(station.logged_in(role, role), 0)
        assert "waits for a specialist" in text
        assert not [word for word in HIDDEN if word in text]
        assert ("Review it" in text) == (role != "viewer")


def test_once_somebody_was_sure_the_page_says_who_and_what_the_network_did(station: Station) -> None:
    assert station.store.decide(decided(joint(0), "an<na"), NOW)
    text = page_of(station.logged_in("vera", "viewer"), 0)
    assert "an&lt;na" in text
    assert "false call" in text
    assert [word for word in HIDDEN if word in text] == list(HIDDEN)
    assert "Review it" not in text


def test_where_it_is_to_be_seen_is_said_and_goes_into_the_review(station: Station) -> None:
    place = {"view": "top-1", "roi": Roi(10, 20, 30, 40), "files": ("a<0>.png", "a1.png")}
    said = replace(make_verdict("J9.1", call=Call.UNJUDGED).payload, route=Route.SPECIALIST, **place)
    seen = joint_of(msgspec.json.encode(said))
    station.store.hear([seen], [], NOW)
    text = station.logged_in("anna").client.get(f"/joint/{seen.event_id.upper()}").text
    for words in ("top-1", "10, 20, 30, 40", "a&lt;0&gt;.png, a1.png"):
        assert words in text
    assert station.store.decide(decided(seen), NOW)
    ((payload,),) = station.rooms.history._database.rows("SELECT payload FROM reviews")
    review = msgspec.json.decode(payload)
    assert (review["view"], review["roi"], review["files"]) == ("top-1", [10, 20, 30, 40], ["a<0>.png", "a1.png"])


def test_a_verdict_of_an_older_device_says_it_nowhere(station: Station) -> None:
    assert "ROI" not in page_of(station.logged_in("anna"), 0)
    assert station.store.decide(decided(joint(0)), NOW)
    ((payload,),) = station.rooms.history._database.rows("SELECT payload FROM reviews")
    assert not {"view", "roi", "files"} & msgspec.json.decode(payload).keys()


def test_a_joint_that_is_to_come_as_any_other_is_seen_by_no_reviewer_before(station: Station) -> None:
    station.rooms.known.mark([Review("", "t", Said.DEFECT, "lab", event_id=joint(3).event_id)])
    address = f"/joint/{joint(3).event_id}"
    assert station.logged_in("anna").client.get(address).status_code == 404
    assert station.logged_in("eva", "engineer").client.get(address).status_code == 200


@pytest.mark.parametrize("event", ["x", "0" * 36, "..%2f..%2fetc%2fpasswd", "%27%20OR%201=1"])
def test_what_no_verdict_was_heard_of_is_refused(event: str, station: Station) -> None:
    assert station.logged_in("anna").client.get(f"/joint/{event}").status_code == 404


def test_a_link_leads_through_the_login_to_its_joint(station: Station) -> None:
    station.accounts.add("anna", "specialist", PASSWORD)
    visitor = station.visitor()
    answer = visitor.client.get(f"/joint/{joint(0).event_id}")
    assert answer.status_code == 303
    form = visitor.client.get(answer.headers["location"]).text
    address = f"/joint/{joint(0).event_id}"
    assert f'name="then" value="{address}"' in form
    sent = {"name": "anna", "password": "wrong", "token": visitor.token(), "then": address}
    assert f'value="{address}"' in visitor.client.post("/login", data=sent).text, "nor is it lost by a wrong password"
    answer = visitor.client.post("/login", data={**sent, "password": PASSWORD, "token": visitor.token()})
    assert answer.headers["location"] == address
    assert visitor.client.get(address).status_code == 200


@pytest.mark.parametrize(
    "then",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/x\r\nset-cookie: a=b",
        "/%2f\u2215",
        "",
    ],
)
def test_nobody_is_led_elsewhere_by_logging_in(then: str, station: Station) -> None:
    station.accounts.add("anna", "specialist", PASSWORD)
    visitor = station.visitor()
    sent = {"name": "anna", "password": PASSWORD, "token": visitor.token(), "then": then}
    assert visitor.client.post("/login", data=sent).headers["location"] == "/"


def test_a_review_page_asked_for_one_joint_gets_that_one(station: Station) -> None:
    claimed = station.logged_in("anna").claimed(f"event_id={joint(7).event_id}")
    assert [one["event_id"] for one in claimed] == [joint(7).event_id]
