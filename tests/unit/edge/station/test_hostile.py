"""Hostile requests get a plain refusal, and change nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.pages import PASSWORD, Station, Visitor
from tests.support.queues import joint

EVENT = joint(0).event_id
CHANGING = ("/api/claim", "/api/decide", "/api/undo", "/api/release")


@pytest.fixture
def station(tmp_path: Path) -> Station:
    found = Station(tmp_path)
    found.store.hear([joint(n) for n in range(12)], [], 0.0)
    (tmp_path / "secret.txt").write_text("nobody may read this")
    return found


@pytest.mark.parametrize("address", ["/", "/review", "/review?serial=x", f"/slice/{EVENT}/0"])
def test_pages_ask_to_log_in(address: str, station: Station) -> None:
    answer = station.visitor().client.get(address)
    assert answer.status_code == 303
    assert answer.headers["location"].split("?")[0] == "/login"


@pytest.mark.parametrize("address", [*CHANGING, "/logout"])
def test_nothing_is_done_for_strangers(address: str, station: Station) -> None:
    visitor = station.visitor()
    assert visitor.ask(address, {}, token=visitor.token()).status_code == 401
    assert station.visitor().client.get("/api/events").status_code == 401


@pytest.mark.parametrize("address", [*CHANGING, "/logout"])
@pytest.mark.parametrize("token", ["", "guessed", "another's"])
def test_a_request_that_no_page_of_the_session_made_is_refused(address: str, token: str, station: Station) -> None:
    anna, ben = station.logged_in("anna"), station.logged_in("ben")
    sent = ben.token("/") if token == "another's" else token  # noqa: S105 - of a test
    assert anna.ask(address, {"event_id": EVENT, "decision": "unsure"}, token=sent).status_code == 403
    assert station.outbox.unsent() == 0
    assert anna.client.get("/").status_code == 200


def test_a_form_from_elsewhere_logs_nobody_in_or_out(station: Station) -> None:
    anna = station.logged_in("anna")
    assert anna.client.post("/login", data={"name": "anna", "password": PASSWORD}).status_code == 403
    assert anna.client.post("/logout", data={"token": "x"}).status_code == 403
    assert anna.client.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/api/claim", "/api/decide", "/api/undo", "/review"])
def test_a_viewer_reviews_nothing(address: str, station: Station) -> None:
    viewer = station.logged_in("vera", "viewer")
    answer = viewer.client.get(address) if address == "/review" else viewer.ask(address, {})
    assert answer.status_code == 403
    assert "specialist" in answer.text
    assert "/review" not in viewer.client.get("/").text


def test_a_session_ends_with_its_account_and_by_logging_out(station: Station) -> None:
    anna, thief = station.logged_in("anna"), station.visitor()
    thief.client.cookies = anna.client.cookies
    assert thief.client.get("/").status_code == 200
    token = anna.token("/")
    assert anna.client.post("/logout", data={"token": token}).status_code == 303
    stolen = TestClient(station.app, cookies=dict(thief.client.cookies), follow_redirects=False)
    assert stolen.get("/").status_code == 303
    ben = station.logged_in("ben")
    station.people.remove("ben")
    assert ben.client.get("/").status_code == 303


def test_a_cookie_that_somebody_wrote_is_none(station: Station) -> None:
    anna = station.logged_in("anna")
    cookie = anna.client.cookies["axi-station"]
    for forged in (cookie[:-2] + "xx", "x" + cookie[1:], "", "e30=.x.y", cookie * 3):
        visitor = TestClient(station.app, cookies={"axi-station": forged}, follow_redirects=False)
        assert visitor.get("/").status_code == 303


def test_passwords_are_not_found_by_trying(station: Station) -> None:
    station.logged_in("anna")
    visitor = station.visitor()
    answers = [visitor.log_in("anna", f"wrong password {n}").status_code for n in range(8)]
    assert answers == [401] * 5 + [429] * 3
    late = visitor.log_in("anna")
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) >= 1
    station.clock.now += 400
    assert visitor.log_in("anna").status_code == 303


def test_nobody_locks_somebody_else_out(station: Station) -> None:
    station.logged_in("anna")
    thief = station.visitor("10.9.9.9")
    assert [thief.log_in("anna", "wrong password").status_code for _ in range(7)][-1] == 429
    assert station.visitor().log_in("anna").status_code == 303


def test_wrong_names_and_wrong_passwords_look_alike(station: Station) -> None:
    station.logged_in("anna")
    said = [station.visitor().log_in(name, "wrong password") for name in ("anna", "nobody")]
    assert [answer.status_code for answer in said] == [401, 401]
    assert all("Name or password is wrong." in answer.text for answer in said)


@pytest.mark.parametrize(
    "address",
    [
        "/slice/..%2f..%2fsecret.txt/0",
        "/slice/../../secret.txt/0",
        "/static/../templates/base.html",
        "/static/..%2f..%2f..%2fcli.py",
        "/static/%2e%2e/%2e%2e/serving.py",
        "/static//etc/passwd",
        f"/slice/{EVENT}/-1",
        f"/slice/{EVENT}/999999999999999999999",
        f"/slice/{EVENT}%00/0",
        f"/slice/{EVENT}/0/../../../secret.txt",
        "/secret.txt",
        "/.git/config",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_address_leads_out(address: str, station: Station) -> None:
    answer = station.logged_in("anna").client.get(address)
    assert answer.status_code in {303, 404}
    assert "nobody may read this" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(("name", "path"), [("serial", "../../secret.txt"), ("job_id", "/etc"), ("joint", "a\x00b")])
def test_names_of_joints_lead_nowhere(name: str, path: str, station: Station) -> None:
    odd = joint(90, **{name: path})
    station.store.hear([odd], [], 0.0)
    anna = station.logged_in("anna")
    assert anna.client.get(f"/slice/{odd.event_id}/0").status_code == 404
    assert anna.client.get("/").status_code == 200


def test_large_bodies_are_cut_off(station: Station) -> None:
    anna = station.logged_in("anna")
    token = anna.token("/")
    for body in (b"x" * 70_000, b'{"have": [' + b'"a",' * 30_000 + b'"a"]}'):
        answer = anna.client.post("/api/claim", content=body, headers={"x-token": token})
        assert answer.status_code == 413
    answer = anna.client.post("/login", data={"name": "x" * 100_000, "password": "y", "token": token})
    assert answer.status_code == 413
    assert anna.ask("/api/claim", {"have": ["a"] * 21}).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_do_nothing(method: str, station: Station) -> None:
    assert station.logged_in("anna").client.request(method, "/api/decide").status_code in {400, 405}


def headers_of(answer: Any) -> None:
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_every_answer_has_its_headers_and_pages_are_kept_by_nobody(station: Station) -> None:
    anna: Visitor = station.logged_in("anna")
    for answer in (
        anna.client.get("/"),
        anna.client.get("/nowhere"),
        anna.client.get("/static/review.js"),
        anna.ask("/api/claim", {}),
        anna.ask("/api/claim", {}, token="wrong"),  # noqa: S106
        station.visitor().client.get("/login"),
    ):
        headers_of(answer)
    assert anna.client.get("/").headers["cache-control"] == "no-store"
    cookie = station.visitor().client.get("/login").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_what_goes_wrong_inside_is_not_shown(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = station.logged_in("anna")

    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(station.store, "choices", broken)
    answer = anna.client.get("/")
    assert answer.status_code == 500
    assert "secret of the inside" not in answer.text
    headers_of(answer)
