"""Asks the API of a scripted engine without a network."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx

from monitor.api.app import make_app
from monitor.api.auth import Failures, Tokens
from monitor.api.client import Client
from monitor.config.settings import ApiSettings
from tests.monitor.api.scripted import ScriptedEngine

HERE = "http://127.0.0.1:8737"
VIEWER, OPERATOR, ADMIN = "viewer-0123456789", "operator-0123456789", "admin-0123456789"
TOKENS = Tokens([VIEWER], [OPERATOR], [ADMIN])


def transport_to(
    engine: ScriptedEngine,
    tokens: Tokens | None = None,
    *,
    host: str = "127.0.0.1",
    failures: Failures | None = None,
) -> httpx.ASGITransport:
    settings = ApiSettings(host=host)
    app = make_app(engine, settings, tokens or Tokens(), engine.folder, failures=failures)
    return httpx.ASGITransport(app, client=("192.0.2.9", 4711))


def ask_all(
    transport: httpx.ASGITransport, asked: Iterable[tuple[str, str]], **more: Any
) -> list[httpx.Response]:
    async def run() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as http:
            return [await http.request(method, path, **more) for method, path in asked]

    return asyncio.run(run())


def ask(engine: ScriptedEngine, method: str, path: str, **more: Any) -> httpx.Response:
    return ask_all(transport_to(engine), [(method, path)], **more)[0]


def client_of(engine: ScriptedEngine) -> Client:
    return Client(HERE, transport=transport_to(engine))


def error_of(response: httpx.Response) -> str:
    found: str = response.json()["error"]
    assert "\n" not in found
    return found
