"""The line's pages: what it did and how it is, a board as a map, and what reviewers' words are worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.core.licence import Terms, needed
from edge.core.payloads import LicencePayload
from edge.core.reviewers import MOST_MISSES
from edge.station.alarms import Alarms
from edge.station.history import History, Span, Spread, Step
from edge.station.people import Role
from edge.station.records import LOOKED_AT, Records
from edge.station.web.pages import age, page

_MOST_ALARMS, _MOST_DISPUTES = 30, 50
_SPANS = {Span.TODAY: "Today", Span.WEEK: "7 days", Span.WEEKS: "8 weeks"}


async def line_page(request: Request) -> Response:
    """Today, or the last weeks."""
    try:
        span = Span(request.query_params.get("span", Span.TODAY))
    except ValueError as error:
        raise HTTPException(400, f"span: one of {', '.join(Span)}.") from error
    board_type = request.query_params.get("board_type", "")[:256]
    return page(request, "line.html", **await run_in_threadpool(_line, request, span, board_type))


def _line(request: Request, span: Span, board_type: str) -> dict[str, Any]:
    state = request.app.state
    history: History = state.history
    alarms: Alarms = state.alarms
    waiting, since = state.store.counts(board_type=board_type)
    now = datetime.now(UTC)
    # What the network thinks of joints that wait is not for who is to review them, not even in the mean.
    telling = request.state.role is not Role.SPECIALIST
    licences = [said for _, said in sorted(state.device.licences.items()) if board_type in {"", said.board_type}]
    return {
        "span": span,
        "spans": _SPANS,
        "board_type": board_type,
        "types": history.board_types(),
        "sums": history.sums(span, board_type),
        "charts": msgspec.json.encode(charts(span, history.steps(span, board_type), telling=telling)).decode(),
        "at": datetime.now(UTC).astimezone().strftime("%H:%M"),
        "waiting": waiting,
        "oldest": age(since, now) if since else "",
        "licences": [_licence(said) for said in licences],
        "raised": alarms.raised(),
        "alarms": [(one, age(one.time, now)) for one in alarms.latest(_MOST_ALARMS)],
        "device": state.device,
        "quiet": _quiet(state.device.quiet_s),
        "troubles": state.troubles(),
    }


def _quiet(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.0f} seconds"


def charts(span: Span, steps: Sequence[Step], *, telling: bool) -> dict[str, Any]:
    """What is drawn, column by column; None where there is nothing to draw. ``telling``: what the network says, too."""
    form = "%H:%M" if span is Span.TODAY else "%d %b"
    return {
        "labels": [step.start.strftime(form) for step in steps],
        "joints": {"released": [step.released for step in steps], "sent": [step.sent for step in steps]},
        "scores": _spreads([step.scores for step in steps if telling]),
        "quality": _spreads([step.quality for step in steps if telling]),
        "latency": _spreads([step.latency for step in steps]),
    }


def _spreads(spreads: Sequence[Spread | None]) -> dict[str, list[float | None]] | None:
    if not any(spreads):
        return None
    return {name: [getattr(one, name) if one else None for one in spreads] for name in Spread._fields}


def _licence(said: LicencePayload) -> dict[str, Any]:
    """How far it is. ``wanted``: how many reviewed defects prove it at least; None where nobody can say."""
    measured = said.reviewers_miss <= MOST_MISSES
    terms = Terms(said.target_escape, said.confidence)
    wanted = needed(terms, said.reviewers_miss, said.escapes) if measured else None
    return {"said": said, "measured": measured, "wanted": wanted}


async def board_page(request: Request) -> Response:
    """Where the joints of a board lie, and what became of them."""
    serial = request.query_params.get("serial", "")[:256].strip()
    look = partial(request.app.state.boards.map_of, serial, all_of_it=request.state.role >= Role.ENGINEER)
    found = await run_in_threadpool(look) if serial else None
    if found is None:
        raise HTTPException(404, f"No verdict on a board {serial} was heard." if serial else "serial: which board?")
    return page(request, "board.html", board=found)


async def reviewers_page(request: Request) -> Response:
    """For the engineer alone: who knows of known joints would look for them."""
    return page(request, "reviewers.html", **await run_in_threadpool(_reviewers, request))


def _reviewers(request: Request) -> dict[str, Any]:
    records: Records = request.app.state.records
    now = datetime.now(UTC)
    defects, good = request.app.state.known.counts()
    return {
        "people": records.everybody(),
        "disputes": [(one, age(one.time, now)) for one in records.disputes(_MOST_DISPUTES)],
        "known_defects": defects,
        "known_good": good,
        "looked_at": LOOKED_AT,
    }
