"""The dashboard in a browser, behind a token: textual-serve, with a door.

Each page that is opened has a dashboard of its own, a process that ends with it. Who has the token
comes in by the address `/?token=...`, which leaves a cookie; pages of other sites do not get in by
it. Traffic is not encrypted: from elsewhere, come through ssh -L or a proxy that speaks TLS.
"""

import asyncio
import hashlib
import hmac
import logging
import secrets
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

COOKIE = "oddwatch"
NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebDashboard(Server):
    """Serves the dashboard that `command` starts to whoever has the token."""

    def __init__(self, command: str, host: str, port: int, token: str = "") -> None:
        """Without a `token` one is made up, for as long as this runs."""
        super().__init__(command, host=host, port=port, title="oddwatch")
        self.token = token or secrets.token_urlsafe(24)
        self._pass = hashlib.sha256(f"oddwatch web {self.token}".encode()).hexdigest()
        self._tell: Callable[[str], None] = print

    def run(self, tell: Callable[[str], None]) -> None:
        """Serve until Ctrl-C; `tell` gets the address to open, with the token in it.

        Raises:
            OSError: The address is not this machine's, or taken.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        socket.create_server((self.host, self.port), family=family).close()  # before `tell`
        self._tell = tell
        asyncio.set_event_loop(asyncio.new_event_loop())
        self.serve()

    def initialize_logging(self) -> None:
        """As everywhere in oddwatch: its own handlers stay."""
        logging.getLogger("aiohttp.access").setLevel(logging.WARNING)  # addresses hold the token

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002
        """Say where."""
        self._tell(f"{self.public_url}/?token={self.token}")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self.guard)
        return app

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Only who has the token, and no page of another site in their name."""
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="asked by a page of another site")
        given = request.query.get("token")
        if given is not None and _same(given, self.token):
            home = web.HTTPSeeOther("/", headers=NO_STORE)
            home.set_cookie(COOKIE, self._pass, httponly=True, samesite="Strict")
            raise home
        if not _same(request.cookies.get(COOKIE, ""), self._pass):
            raise web.HTTPUnauthorized(
                text="no token, or a wrong one: open the address that oddwatch tui --web printed"
            )
        return await handler(request)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
