"""The station's application with a store and a spool, without a network."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from edge.jobs.vendors import JobDefaults
from edge.station.accounts import Accounts, Attempts
from edge.station.alarms import Alarms
from edge.station.boardmap import Boards
from edge.station.claims import Claims
from edge.station.cleaning import Cleaning
from edge.station.database import Database
from edge.station.figures import Device, Figures
from edge.station.history import History
from edge.station.known import KnownJoints
from edge.station.outbox import Outbox
from edge.station.pace import Pace
from edge.station.people import People
from edge.station.pictures import Pictures
from edge.station.records import Records
from edge.station.store import JointStore
from edge.station.web.app import Parts, Rooms, application
from edge.station.web.live import Changes

PASSWORD = "correct horse battery"  # noqa: S105 - of a test
NOW = datetime(2026, 11, 29, 9, tzinfo=UTC).timestamp()
WALL = datetime.fromtimestamp(NOW, UTC).astimezone().replace(tzinfo=None)
CLASSES = ("insufficient", "missing", "voided")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _rooms(folder: Path) -> Rooms:
    database, pictures = Database(folder / "station.db"), Pictures(folder / "spool", JobDefaults())
    return Rooms(
        store=JointStore(database, "review1"),
        outbox=Outbox(database),
        people=People(database),
        alarms=Alarms(database),
        history=History(database, lambda: WALL),
        records=Records(database),
        known=KnownJoints(database, 0.2, lambda joints: joints, lambda: True, lambda: 0.5),
        pictures=pictures,
        boards=Boards(database, pictures),
        cleaning=Cleaning(database, 90, lambda: WALL),
    )


class Station:
    """``woken``: how often there was something to send."""

    def __init__(
        self,
        folder: Path,
        *,
        undo_s: float = 20.0,
        shortest_s: float = 0.0,
        figures: bool = True,
        claims: type[Claims] = Claims,
    ) -> None:
        self.rooms = _rooms(folder)
        self.store, self.outbox, self.people = self.rooms.store, self.rooms.outbox, self.rooms.people
        self.clock, self.woken = Clock(), 0
        self.claims = claims(300, self.clock)
        self.device = Device(lambda: NOW)
        self.accounts, self.troubles = Accounts(self.people), list[str]()
        waiting = Figures(self.store, self.outbox, self.device, lambda: len(self.troubles), lambda: NOW)
        self.app = application(
            Parts(
                station="review1",
                classes=CLASSES,
                undo_s=undo_s,
                pace=Pace(shortest_s, self.clock),
                session_s=3600,
                rooms=self.rooms,
                device=self.device,
                accounts=self.accounts,
                attempts=Attempts(self.clock),
                claims=self.claims,
                changes=Changes(),
                figures=waiting if figures else None,
                troubles=lambda: self.troubles,
                wake=self._wake,
            ),
            "a secret of this test",
            secure=False,
        )

    def _wake(self) -> None:
        self.woken += 1

    def visitor(self, address: str = "10.0.0.1") -> Visitor:
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False, client=(address, 50000))
        return Visitor(client)

    def logged_in(self, name: str, role: str = "specialist") -> Visitor:
        if self.people.user(name) is None:
            self.accounts.add(name, role, PASSWORD)
        visitor = self.visitor()
        assert visitor.log_in(name).status_code == 303
        return visitor


class Visitor:
    """A browser with its cookies."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def token(self, page: str = "/login") -> str:
        found = re.search(r'name="token" (?:content|value)="([^"]+)"', self.client.get(page).text)
        return found[1] if found else ""

    def log_in(self, name: str, password: str = PASSWORD) -> Any:
        return self.client.post("/login", data={"name": name, "password": password, "token": self.token()})

    def ask(self, address: str, said: object = None, *, token: str | None = None, page: str = "") -> Any:
        sent = {"x-token": self.token("/") if token is None else token, "x-page": page}
        return self.client.post(address, json={} if said is None else said, headers=sent)

    def claimed(self, query: str = "", have: tuple[str, ...] = (), page: str = "") -> list[dict[str, Any]]:
        return list(self.ask(f"/api/claim?{query}", {"have": list(have)}, page=page).json()["joints"])

    def decide(self, event_id: str, decision: str = "false_call", defect_class: str | None = None) -> Any:
        said = {"event_id": event_id, "decision": decision, "defect_class": defect_class, "seconds": 2.0}
        return self.ask("/api/decide", said)
