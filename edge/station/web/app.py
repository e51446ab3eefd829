"""The application: which address is answered by what, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from edge.station.accounts import Accounts, Attempts
from edge.station.alarms import Alarms
from edge.station.boardmap import Boards
from edge.station.claims import Claims
from edge.station.cleaning import Cleaning
from edge.station.figures import Device, Figures
from edge.station.history import History
from edge.station.known import KnownJoints
from edge.station.outbox import Outbox
from edge.station.pace import Pace
from edge.station.people import People, Role
from edge.station.pictures import Pictures
from edge.station.records import Records
from edge.station.store import JointStore
from edge.station.web import line, live, pages, reviewing, seeing
from edge.station.web.guard import Hardened, needs, refusals


class Rooms(NamedTuple):
    """What the station keeps, and the pictures that it shows of it."""

    store: JointStore
    outbox: Outbox
    people: People
    alarms: Alarms
    history: History
    records: Records
    known: KnownJoints
    pictures: Pictures
    boards: Boards
    cleaning: Cleaning


class Parts(NamedTuple):
    """What the pages work on.

    ``station``: its name; ``classes`` of defects, by the keys 1 to 9; ``undo_s``: for how long a decision can be taken
    back; ``pace``: how quickly one may decide; ``session_s``: until one must log in anew; ``figures``: for Prometheus,
    None: for nobody; ``troubles``: what keeps the station from the broker, in words; ``wake``: there is something to
    send.
    """

    station: str
    classes: Sequence[str]
    undo_s: float
    pace: Pace
    session_s: int
    rooms: Rooms
    device: Device
    accounts: Accounts
    attempts: Attempts
    claims: Claims
    changes: live.Changes
    figures: Figures | None
    troubles: Callable[[], Sequence[str]]
    wake: Callable[[], None]


def application(parts: Parts, secret: str, *, secure: bool) -> ASGIApp:
    """``secret`` signs cookies; ``secure``: those go over TLS only."""
    looks, reviews, sees_people = Role.VIEWER, Role.SPECIALIST, Role.ENGINEER
    routes = [
        Route("/", needs(looks, pages.queue)),
        Route("/login", pages.login_page),
        Route("/login", pages.log_in, methods=["POST"]),
        Route("/logout", needs(looks, pages.log_out), methods=["POST"]),
        Route("/review", needs(reviews, pages.review)),
        Route("/line", needs(looks, line.line_page)),
        Route("/board", needs(looks, line.board_page)),
        Route("/joint/{event_id}", needs(looks, seeing.joint_page)),
        Route("/reviewers", needs(sees_people, line.reviewers_page)),
        Route("/slice/{event_id}/{index:int}", needs(looks, reviewing.slice_picture)),
        Route("/api/events", needs(looks, live.events)),
        Route("/api/claim", needs(reviews, reviewing.claim), methods=["POST"]),
        Route("/api/decide", needs(reviews, reviewing.decide), methods=["POST"]),
        Route("/api/undo", needs(reviews, reviewing.undo), methods=["POST"]),
        Route("/api/release", needs(reviews, reviewing.release), methods=["POST"]),
        Route("/metrics", live.metrics),
        Mount("/static", StaticFiles(directory=str(pages.HERE / "static"))),
    ]
    cookies = Middleware(
        SessionMiddleware,
        secret_key=secret,
        session_cookie="axi-station",
        max_age=parts.session_s,
        same_site="lax",  # so that a link on a dashboard opens a joint; what changes anything needs a token as well
        https_only=secure,
    )
    app = Starlette(routes=routes, middleware=[cookies])
    for name, part in (parts._asdict() | parts.rooms._asdict()).items():
        setattr(app.state, name, part)
    refusals(app, pages.refusal)
    return Hardened(app)
