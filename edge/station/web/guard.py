"""Who asks, may they, and did their own page ask: sessions, roles, tokens, and the headers that every answer has."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.station.people import Role

LARGEST_BODY = 64 * 1024
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_UNCHANGING = frozenset({"GET", "HEAD"})
_OURS = re.compile(r"/([A-Za-z0-9_?][A-Za-z0-9_./?=&%+:-]{0,1000})?")
"""No second slash or backslash at the beginning, which would name another place."""
Endpoint = Callable[[Request], Awaitable[Response]]


class Hardened:
    """Sets the headers, and ends requests whose bodies are larger than any of our forms."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise HTTPException(413, "The form is too large.")
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, limited, with_headers)


def needs(role: Role, endpoint: Endpoint) -> Endpoint:
    """Only for who has that role; a page asks to log in, and what changes something must come from a page of ours."""

    async def guarded(request: Request) -> Response:
        known = request.app.state.accounts.logged_in(str(request.session.get("id", "")), time.time())
        if known is None:
            request.session.clear()
            if request.url.path.startswith("/api/") or request.method not in _UNCHANGING:
                raise HTTPException(401, "Log in first.")
            return RedirectResponse(f"/login{_then(request)}", 303)
        request.state.user, request.state.role = known
        if request.state.role < role:
            raise HTTPException(403, f"This needs the role {role.name.lower()}.")
        if request.method not in _UNCHANGING:
            await require_token(request)
        return await endpoint(request)

    return guarded


def _then(request: Request) -> str:
    """Where to go on after that: to the page that was asked for, not to a picture."""
    path, query = request.url.path, request.url.query
    if path == "/" or path.startswith("/slice/"):
        return ""
    return f"?then={quote(f'{path}?{query}' if query else path, safe='')}"


def then_of(asked: str) -> str:
    """Where a page of ours goes on once somebody has logged in: to one of ours, never to anybody else's."""
    return asked if _OURS.fullmatch(asked) else "/"


def begin_session(session: dict[str, Any]) -> str:
    """A new one, of which nothing was known before; its id."""
    session.clear()
    session.update(id=secrets.token_urlsafe(24), token=secrets.token_urlsafe(24))
    return str(session["id"])


def token_of(request: Request) -> str:
    """The token that forms and scripts of this session send back; made where there is none."""
    return str(request.session.setdefault("token", secrets.token_urlsafe(24)))


async def require_token(request: Request) -> None:
    """Raises HTTPException unless a page of this session sent the request."""
    sent = request.headers.get("x-token", "")
    if not sent and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        sent = text_in(await request.form(), "token")
    known = str(request.session.get("token", ""))
    if not known or not hmac.compare_digest(sent.encode(), known.encode()):
        raise HTTPException(403, "This did not come from a page of the station; load the page again.")


def text_in(form: Mapping[str, Any], name: str) -> str:
    """A form's field as text; empty where it is missing or a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def refusals(app: Starlette, page: Callable[[Request, int, str], Response]) -> None:
    """Every refusal is plain: a page for people, JSON for scripts, and never a traceback."""

    async def refused(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = str(error.detail) if isinstance(error, HTTPException) else "Something went wrong; the log says what."
        return page(request, status, text)

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Exception, refused)
