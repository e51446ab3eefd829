"""What is live: pages hear of changes as they come, over server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_SILENT_S = 20.0
"""After so long without news a line says that the station is still there."""


class Changes:
    """Told by any thread that something has changed; wakes the pages that listen."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listening = set[asyncio.Event]()
        self._ended = False

    def begin(self) -> None:
        """From the thread of the loop that serves."""
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """No page is kept waiting for news any more."""
        self._ended = True
        self.changed()

    def _wake(self) -> None:
        for event in self._listening:
            event.set()

    async def each(self) -> AsyncIterator[bool]:
        """True at once and whenever something has changed, False when nothing has for a while."""
        event = asyncio.Event()
        self._listening.add(event)
        try:
            yield True
            while not self._ended:
                try:
                    await asyncio.wait_for(event.wait(), _SILENT_S)
                except TimeoutError:
                    yield False
                    continue
                event.clear()
                yield True
        finally:
            self._listening.discard(event)


async def metrics(request: Request) -> Response:
    """Figures for Prometheus: numbers and names of board types, for whoever can reach the station."""
    figures = request.app.state.figures
    if figures is None:
        raise HTTPException(404, "[station] metrics is off.")
    return Response(await run_in_threadpool(lambda: figures.text), media_type="text/plain; version=0.0.4")


async def events(request: Request) -> Response:
    """How many joints wait, and since when: now, and at every change."""
    store, changes = request.app.state.store, request.app.state.changes

    async def lines() -> AsyncIterator[bytes]:
        last = b""
        async for changed in changes.each():
            if request.app.state.accounts.logged_in(request.session["id"], time.time()) is None:
                return
            waiting, since = store.counts(request.state.user)
            said = msgspec.json.encode({"waiting": waiting, "since": since})
            if changed and said != last:
                last = said
                yield b"data: " + said + b"\n\n"
            elif not changed:
                yield b": here\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")
