"""One joint by its verdict's id: its pictures, and what became of it once nobody is to decide on it any more."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.station.people import Role
from edge.station.pictures import Pictures
from edge.station.store import JointStore
from edge.station.web.pages import page
from edge.station.web.reviewing import seen


async def joint_page(request: Request) -> Response:
    """Whatever a verdict was said of. What the network says is not on it while a specialist may be asked."""
    found = await run_in_threadpool(_joint, request)
    if found is None:
        raise HTTPException(404, "No verdict of this event_id was heard here.")
    return page(request, "joint.html", **found)


def _joint(request: Request) -> dict[str, Any] | None:
    store: JointStore = request.app.state.store
    pictures: Pictures = request.app.state.pictures
    joint = store.joint(request.path_params["event_id"].lower())
    if joint is None:
        return None
    state = store.state_of(joint.event_id)
    if state.held and request.state.role < Role.ENGINEER:
        return None  # it is to come before reviewers as any other
    place = joint.place
    shown = seen(pictures, joint)
    return {
        "joint": joint,
        "state": state,
        "said": [] if state.waits else store.said_of(joint.event_id),
        "place": {name: value for name in ("view", "roi", "files") if (value := getattr(place, name)) is not UNSET},
        "problem": shown["problem"],
        "pictures": msgspec.json.encode({"roi": shown["roi"], "slices": shown["slices"]}).decode(),
        "may_review": state.waits and request.state.role >= Role.SPECIALIST,
    }
