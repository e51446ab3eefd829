"""The pages: log in, the queue, a joint after the other."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from edge.station.accounts import Accounts, Attempts
from edge.station.store import JointStore, Wanted
from edge.station.web.guard import begin_session, require_token, text_in, then_of, token_of

_MOST_BOARDS = 200
"""In the queue's table; those behind them come when these are done."""
HERE = files("edge.station.web")
_templates = Environment(
    loader=FileSystemLoader(str(HERE / "templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(request: Request, template: str, status: int = 200, **what: Any) -> HTMLResponse:
    """A template, with who is logged in."""
    shown = {
        "user": getattr(request.state, "user", ""),
        "role": getattr(request.state, "role", None),
        "token": token_of(request) if "session" in request.scope else "",
        "station": request.app.state.station,
    }
    return HTMLResponse(_templates.get_template(template).render(**shown, **what), status)


def refusal(request: Request, status: int, text: str) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"problem": text}, status)
    return page(request, "refused.html", status, text=text)


async def login_page(request: Request) -> Response:
    return page(request, "login.html", problem="", name="", then=then_of(request.query_params.get("then", "")))


async def log_in(request: Request) -> Response:
    """Wrong names and wrong passwords look alike, and after some of them one must wait."""
    await require_token(request)
    accounts: Accounts = request.app.state.accounts
    attempts: Attempts = request.app.state.attempts
    form = await request.form()
    name, password = text_in(form, "name").strip(), text_in(form, "password")
    then = then_of(text_in(form, "then"))
    address = request.client.host if request.client else ""
    keys = f"{name[:64]} from {address}", f"from {address}"  # a name alone would let anybody lock somebody out
    wait = math.ceil(attempts.must_wait(*keys))
    if wait > 0:
        problem = f"Too many attempts: wait {_counted(wait, 'second')}."
        said = page(request, "login.html", 429, problem=problem, name=name, then=then)
        said.headers["retry-after"] = str(wait)
        return said
    if not accounts.is_right(name, password):
        attempts.failed(*keys)
        return page(request, "login.html", 401, problem="Name or password is wrong.", name=name, then=then)
    attempts.succeeded(*keys)
    now = time.time()
    session = begin_session(request.session)
    request.app.state.people.begin_session(session, name, now, now + request.app.state.session_s)
    return RedirectResponse(then, 303)


async def log_out(request: Request) -> Response:
    request.app.state.claims.release_all(request.session["id"])
    request.app.state.people.end_session(request.session["id"])
    request.session.clear()
    return RedirectResponse("/login", 303)


async def queue(request: Request) -> Response:
    """What waits, by board, in the order in which boards came."""
    store: JointStore = request.app.state.store
    wanted = wanted_by(request)
    types, calls = store.choices()
    boards = store.boards(wanted, request.state.user)
    now = datetime.now(UTC)
    return page(
        request,
        "queue.html",
        boards=[(board, age(board.since, now)) for board in boards[:_MOST_BOARDS]],
        more=max(0, len(boards) - _MOST_BOARDS),
        joints=sum(board.joints for board in boards),
        types=types,
        calls=calls,
        wanted=wanted,
        query=request.url.query,
        doubted={None: "", True: "yes", False: "no"}[wanted.doubted],
        troubles=request.app.state.troubles(),
    )


async def review(request: Request) -> Response:
    state = request.app.state
    return page(
        request, "review.html", classes=state.classes, query=request.url.query, shortest_ms=1000 * state.pace.shortest_s
    )


def wanted_by(request: Request) -> Wanted:
    """What the address asks for. Raises HTTPException for what it cannot mean."""
    asked = request.query_params
    doubted = {"": None, "yes": True, "no": False}
    if asked.get("doubted", "") not in doubted:
        raise HTTPException(400, "doubted: yes, no, or nothing.")
    return Wanted(
        board_type=asked.get("board_type", "")[:256],
        machine_call=asked.get("machine_call", "")[:256],
        doubted=doubted[asked.get("doubted", "")],
        serial=asked.get("serial", "")[:256],
        event_id=asked.get("event_id", "")[:64].lower(),
    )


def age(since: str, now: datetime) -> str:
    """In words; empty where nobody knows."""
    try:
        seconds = (now - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return ""
    for most, unit, each in ((90, "second", 1), (5400, "minute", 60), (129_600, "hour", 3600)):
        if seconds < most:
            return _counted(max(0, round(seconds / each)), unit)
    return _counted(round(seconds / 86_400), "day")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
