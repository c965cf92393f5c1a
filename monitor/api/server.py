"""Serves the API inside the engine's own event loop, and says where, for those who look for it."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from monitor.api.app import make_app
from monitor.api.auth import Tokens
from monitor.api.finding import WHEREABOUTS
from monitor.api.gate import Refusal, error_response
from monitor.api.listening import ServerError, listen
from monitor.api.schema import API_VERSION, VERSION_HEADER
from monitor.api.view import EngineView, Evidence
from monitor.config.settings import ApiSettings
from monitor.files import write_atomically

GRACE_S = 2.0  # for answers under way when the engine stops


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the engine."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(
    view: EngineView,
    settings: ApiSettings,
    tokens: Tokens,
    folder: Path,
    evidence: Evidence | None = None,
    *,
    listener: socket.socket | None = None,
) -> AsyncIterator[str]:
    """The API while the body runs; gives its URL, with the port that was chosen.

    Args:
        view: The engine; its methods are called in this loop.
        settings: Where to listen.
        tokens: Who may ask.
        folder: The engine's, which gets `api.json` with the URL and the process.
        evidence: Where pictures and clips come from, if not out of the folder.
        listener: Listens already; closed in the end.

    Raises:
        UsageError: If it would listen beyond loopback without tokens.
        ServerError: If it cannot listen, in one line.
    """
    app = make_app(view, settings, tokens, folder, evidence=evidence)
    listener = listener or listen(settings.host, settings.port)
    async with _answering(app, listener, settings, folder) as url:
        try:
            yield url
        finally:
            app.state.closing.set()


@asynccontextmanager
async def excusing(
    why: str, settings: ApiSettings, folder: Path, listener: socket.socket
) -> AsyncIterator[str]:
    """In the API's place while the engine cannot answer: 503 and the reason to every question.

    Tells nothing else, so that it asks for no token. The listener is closed in the end.
    """
    headers = (("Retry-After", "5"), (VERSION_HEADER, str(API_VERSION)))
    excuse = error_response(Refusal(503, why, headers))
    async with _answering(excuse, listener, settings, folder) as url:
        yield url


@asynccontextmanager
async def _answering(
    app: ASGIApp, listener: socket.socket, settings: ApiSettings, folder: Path
) -> AsyncIterator[str]:
    url = _url(settings.host, listener.getsockname()[1])
    server = _Uvicorn(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            proxy_headers=False,  # nobody may say in a header who they are
            server_header=False,
            timeout_graceful_shutdown=int(GRACE_S),
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, task)
        with _findable(folder, url):
            yield url
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=GRACE_S + 1)
        task.cancel()
        listener.close()


async def _started(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    while not server.started:
        if task.done():
            raise ServerError(f"the API did not start: {task.exception()}")
        await asyncio.sleep(0.01)


@contextlib.contextmanager
def _findable(folder: Path, url: str) -> Iterator[None]:
    """`api.json` in the folder, for its owner only, until the end; another's is left alone."""
    path = folder / WHEREABOUTS
    content = json.dumps({"url": url, "pid": os.getpid()})
    write_atomically(path, content)
    path.chmod(0o600)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == content:
                path.unlink()


def _url(host: str, port: int) -> str:
    """For clients on this machine: what listens everywhere is reached on loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
