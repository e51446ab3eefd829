"""What the review page fetches: joints to look at, their pictures, and what was decided of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge.core.review import Said
from edge.core.wire import timestamp
from edge.station.claims import Claims
from edge.station.joints import Joint
from edge.station.pictures import Pictures
from edge.station.store import Decided, JointStore
from edge.station.web.pages import wanted_by

AHEAD = 3
"""Joints that a page holds: the one that is looked at, and the next."""
_REFERENCES, _LONGEST_PAGE = 3, 32
_Event = Annotated[str, Meta(max_length=64)]


class _Held(Struct):
    """The joints that a page has, which stay its own, and those that it is saving a decision of."""

    have: Annotated[list[_Event], Meta(max_length=20)] = []
    saving: Annotated[list[_Event], Meta(max_length=20)] = []


class _Decision(Struct):
    """What a key said; ``hasty``: how often one did before that, too soon to have looked."""

    event_id: _Event
    decision: Said
    defect_class: Annotated[str, Meta(max_length=64)] | None = None
    seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    hasty: Annotated[int, Meta(ge=0, le=1000)] = 0


async def claim(request: Request) -> Response:
    """More joints for a page, until it has as many as it shows ahead; what it has is held on to."""
    held = await _sent(request, _Held)
    found = await run_in_threadpool(_claimed, request, held.have, held.saving)
    waiting, since = request.app.state.store.counts(request.state.user)
    return JSONResponse({"joints": found, "waiting": waiting, "since": since})


def holder_of(request: Request) -> str:
    """Who holds joints: one page of one session."""
    return f"{request.session['id']} {request.headers.get('x-page', '')[:_LONGEST_PAGE]}"


def _claimed(request: Request, have: Sequence[str], saving: Sequence[str]) -> list[dict[str, Any]]:
    store: JointStore = request.app.state.store
    claims: Claims = request.app.state.claims
    session = holder_of(request)
    claims.take(session, have)
    found = list[Joint]()
    while missing := max(AHEAD - len(have) - len(found), 0):
        without = [*claims.held_by_others(session), *have, *saving, *(joint.event_id for joint in found)]
        offered = store.waiting(wanted_by(request), request.state.user, without, missing)
        got = set(claims.take(session, [joint.event_id for joint in offered]))  # another page may have been first
        found += [joint for joint in offered if joint.event_id in got]
        if not offered:
            break
    return [_before(request, joint) for joint in found]


def _before(request: Request, joint: Joint) -> dict[str, Any]:
    """What may be known of a joint before the decision, and where its pictures are."""
    pictures: Pictures = request.app.state.pictures
    store: JointStore = request.app.state.store
    return {
        **joint.before,
        **seen(pictures, joint),
        "second_look": bool(store.said_of(joint.event_id)),
        "good": [
            {"event_id": one.event_id, "serial": one.serial, **seen(pictures, one)}
            for one in store.good_ones(joint, _REFERENCES)
        ],
    }


def seen(pictures: Pictures, joint: Joint) -> dict[str, Any]:
    """The box, and where the slices are; or why nothing is to be seen."""
    shown = pictures.shown(joint)
    addresses = [f"/slice/{joint.event_id}/{index}" for index in shown.slices]
    return {"roi": list(shown.roi) if shown.roi else None, "slices": addresses, "problem": shown.problem}


async def decide(request: Request) -> Response:
    """Durable once this answers. What the network said of a joint is told once the decision on it can no longer be
    taken back: who knows it could else decide anew.
    """
    said = await _sent(request, _Decision)
    if said.decision is Said.DEFECT and said.defect_class not in request.app.state.classes:
        raise HTTPException(400, f"defect_class: one of {', '.join(request.app.state.classes)}.")
    claims: Claims = request.app.state.claims
    if claims.holder(said.event_id) not in {"", holder_of(request)}:
        raise HTTPException(409, "Somebody else has this joint open.")
    joint = request.app.state.store.joint(said.event_id)
    if joint is None:
        raise HTTPException(404, "No such joint.")
    quick = not request.app.state.pace.takes(request.session["id"])
    if quick or said.hasty:
        await run_in_threadpool(request.app.state.records.was_hasty, request.state.user, said.hasty + quick)
    if quick:
        raise HTTPException(429, "That was too quick to have looked.")
    decided = Decided(
        said.event_id,
        said.decision,
        said.defect_class if said.decision is Said.DEFECT else None,
        request.state.user,
        timestamp(datetime.now(UTC)),
        said.seconds,
    )
    standing = await run_in_threadpool(request.app.state.store.decide, decided, time.time(), request.app.state.undo_s)
    if standing is None:
        raise HTTPException(409, "You have said something of this joint already, or it does not wait for anybody.")
    claims.release(holder_of(request), [said.event_id])
    request.app.state.wake()
    told = [_told(request, one) for one in standing.joints]
    return JSONResponse({"review_id": standing.review_id, "standing": told})


def _told(request: Request, joint: Joint) -> dict[str, Any]:
    """What the network said, and what others did."""
    said = request.app.state.store.said_of(joint.event_id)
    others = [[name, word] for name, word in said if name != request.state.user]
    return {"joint": joint.joint, "serial": joint.serial, **joint.after, "others": others}


async def undo(request: Request) -> Response:
    """Take back what was decided last, and hold the joint again."""
    store: JointStore = request.app.state.store
    claims: Claims = request.app.state.claims
    event = store.undoable(request.state.user, time.time())
    if event and not claims.take(holder_of(request), [event]):
        raise HTTPException(409, "Somebody else looks at that joint already; it cannot be taken back.")
    undone = await run_in_threadpool(store.undo, request.state.user, time.time()) if event else None
    joint = store.joint(undone) if undone and undone == event else None
    if joint is None:
        raise HTTPException(409, "The last decision has been sent; it cannot be taken back.")
    return JSONResponse({"joint": await run_in_threadpool(_before, request, joint)})


async def release(request: Request) -> Response:
    """The page is left: its joints are anybody's."""
    request.app.state.claims.release(holder_of(request))
    return Response(status_code=204)


async def slice_picture(request: Request) -> Response:
    """A slice of a joint's view, for as long as its job is in the spool."""
    joint = request.app.state.store.joint(request.path_params["event_id"])
    index = request.path_params["index"]
    content = await run_in_threadpool(request.app.state.pictures.slice, joint, index) if joint else None
    if content is None:
        raise HTTPException(404, "No such picture.")
    return Response(content, media_type="image/png", headers={"cache-control": "private, max-age=3600, immutable"})


async def _sent(request: Request, kind: type[Any]) -> Any:
    """The request's JSON. Raises HTTPException naming what is wrong with it."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise HTTPException(400, f"{error}.") from error
