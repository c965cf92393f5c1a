"""What every request passes before it is answered: host, origin, size, token, role.

Nothing is open by default: to read takes a viewer, all else an operator; a route may ask for more.
"""

import json
import logging
import math
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.api.auth import Failures, Tokens, allows, host_in, is_loopback, is_own_page
from monitor.api.schema import API_VERSION, VERSION_HEADER, Role
from monitor.api.view import EngineView

OPEN_TO_ALL = "/healthz"
MOST_BYTES = 65_536  # of a body: the longest note is a page
READING = {"GET", "HEAD"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


class Gate:
    """ASGI middleware; it puts the role into the request's state."""

    def __init__(self, app: ASGIApp, *, tokens: Tokens, failures: Failures, host: str) -> None:
        """`host` is what the server listens on."""
        self._app = app
        self._tokens = tokens
        self._failures = failures
        self._local = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is refused here, hand on the rest; what fails there is 500 in one line."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # routes see the path as it was sent, so that a camera's name may hold a slash
        scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        marked = _Marked(send)
        found = self._look(scope)
        if isinstance(found, Refusal):
            await error_response(found)(scope, receive, marked)
            return
        scope["state"] = {**scope.get("state", {}), "role": found}
        try:
            await self._app(scope, receive, marked)
        except Exception as error:  # the engine goes on, whatever a route came upon
            log.exception("%s %s failed", scope["method"], scope["path"])
            if marked.begun:
                raise
            failure = Refusal(500, f"the engine failed to answer ({type(error).__name__})")
            await error_response(failure)(scope, receive, marked)

    def _look(self, scope: Scope) -> Role | Refusal:
        """The role of whoever asks, or why there is no answer."""
        headers = Headers(scope=scope)
        refusal = self._wrong_page(headers) or _wrong_body(headers)
        if refusal:
            return refusal
        if scope["path"] == OPEN_TO_ALL:
            return "viewer"
        role = self._role(headers, (scope.get("client") or ("",))[0])
        needed: Role = "viewer" if scope["method"] in READING else "operator"
        return role if isinstance(role, Refusal) else too_low(role, needed) or role

    def _wrong_page(self, headers: Headers) -> Refusal | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._local and not is_loopback(host_in(host)):
            return Refusal(403, "this engine answers to 127.0.0.1 and localhost only, as its host")
        if origin is not None and not is_own_page(origin, host):
            return Refusal(403, "this engine does not answer pages of other sites")
        return None

    def _role(self, headers: Headers, client: str) -> Role | Refusal:
        if not self._tokens:
            return "admin"  # on loopback only: see auth.check_bind
        # Before the token is looked at, so that the right one waits too: were it let in, each
        # guess of a client that is locked out would still be answered with whether it was right.
        wait_s = self._failures.wait_s(client)
        if wait_s:
            after = (("Retry-After", str(math.ceil(wait_s))),)
            return Refusal(429, f"too many wrong tokens: wait {math.ceil(wait_s)} s", after)
        kind, _, token = headers.get("authorization", "").partition(" ")
        wanted = (("WWW-Authenticate", "Bearer"),)
        if kind.lower() != "bearer" or not token.strip():
            return Refusal(401, "a token is needed: Authorization: Bearer TOKEN", wanted)
        role = self._tokens.role_of(token.strip())
        if role is None:
            self._failures.note(client)
            return Refusal(401, "this token is not known", wanted)
        return role


def needs(request: Request, role: Role) -> None:
    """Ask for more than the gate did.

    Raises:
        HTTPException: 403, if whoever asks may not.
    """
    refusal = too_low(request.state.role, role)
    if refusal:
        raise HTTPException(refusal.status, refusal.reason)


class Once:
    """Refuses parameters that are given again: all but one of them would not count, unseen."""

    def __init__(self, *but: str) -> None:
        """`but` are those of which several mean something."""
        self._but = but

    def __call__(self, request: Request) -> None:
        """Look at a request's query.

        Raises:
            HTTPException: 422, if one is given twice.
        """
        counts = Counter(name for name, _ in request.query_params.multi_items())
        for name, count in counts.items():
            if count > 1 and name not in self._but:
                raise HTTPException(422, f"{name[:200]}: expected once, was given {count} times")


def view_of(request: Request) -> EngineView:
    """The engine that a request is for."""
    view: EngineView = request.app.state.view
    return view


View = Annotated[EngineView, Depends(view_of)]


def too_low(role: Role, needed: Role) -> Refusal | None:
    """Why a role does not suffice, if it does not."""
    if allows(role, needed):
        return None
    return Refusal(403, f"this needs the role {needed}, the token is of a {role}")


def error_response(refusal: Refusal, **more: str) -> Response:
    """One line for whoever asked, as JSON."""
    content = json.dumps({"error": " ".join(refusal.reason.split())} | more, ensure_ascii=False)
    return Response(content, refusal.status, dict(refusal.headers), "application/json")


def _wrong_body(headers: Headers) -> Refusal | None:
    if "transfer-encoding" in headers:
        return Refusal(411, "the body's length is not given: expected Content-Length")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MOST_BYTES:
        return Refusal(413, f"the body is too large: expected at most {MOST_BYTES} bytes")
    return None


class _Marked:
    """Every answer says whose it is, is not kept by caches, and is what its type says."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            headers[VERSION_HEADER] = str(API_VERSION)
            headers["cache-control"] = "no-store"
            headers["x-content-type-options"] = "nosniff"
        await self._send(message)
