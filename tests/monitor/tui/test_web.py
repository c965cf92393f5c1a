"""The door before the dashboard in a browser; what is behind it is textual-serve's."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient, TestServer

from monitor.cli.tui import Images, serve
from monitor.errors import UsageError
from monitor.tui.web import COOKIE, WebDashboard

TOKEN = "a-token-of-the-engine"
Body = Callable[[TestClient], Awaitable[None]]  # type: ignore[type-arg]


def visit(body: Body, command: str = "false") -> None:
    async def run() -> None:
        dashboard = WebDashboard(command, "127.0.0.1", 8738, TOKEN)
        dashboard._tell = lambda _: None
        app = await dashboard._make_app()
        async with TestClient(TestServer(app)) as client:
            await body(client)

    asyncio.run(run())


@pytest.mark.parametrize(("asked", "drawn"), [("off", "off"), ("auto", "half"), ("half", "half")])
def test_pictures_in_a_browser_are_as_they_were_asked_for(monkeypatch, asked, drawn):
    commands = []

    class Served:
        def __init__(self, command, *_):
            commands.append(command)

        def run(self, _tell):
            pass

    monkeypatch.setattr("monitor.tui.web.WebDashboard", Served)
    serve(["http://127.0.0.1:8737"], "127.0.0.1:8738", images=Images(asked))
    assert commands[0].endswith(f"--images {drawn}")


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/ws", "/static/js/textual.js", "/?token="])
def test_nothing_is_to_be_had_without_the_token(path: str) -> None:
    async def body(client: TestClient) -> None:  # type: ignore[type-arg]
        answer = await client.get(path, cookies={COOKIE: "guessed"})
        assert answer.status == 401
        assert "open the address that" in await answer.text()

    visit(body)


def test_the_token_opens_once_and_a_cookie_from_then_on() -> None:
    async def body(client: TestClient) -> None:  # type: ignore[type-arg]
        first = await client.get("/", params={"token": TOKEN}, allow_redirects=False)
        assert (first.status, first.headers["Location"]) == (303, "/")
        cookie = first.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        page = await client.get("/")
        assert page.status == 200
        assert "textual.js" in await page.text()

    visit(body)


def test_a_page_of_another_site_is_refused_though_the_browser_has_the_cookie() -> None:
    async def body(client: TestClient) -> None:  # type: ignore[type-arg]
        await client.get("/", params={"token": TOKEN})
        for path in ("/", "/ws"):
            answer = await client.get(path, headers={"Origin": "http://elsewhere.test"})
            assert answer.status == 403

    visit(body)


def test_behind_the_door_a_dashboard_runs_for_each_page() -> None:
    async def body(client: TestClient) -> None:  # type: ignore[type-arg]
        await client.get("/", params={"token": TOKEN})
        async with client.ws_connect("/ws?width=80&height=24") as page:
            await page.send_json(["ping", "7"])
            assert await page.receive_json() == ["pong", "7"]
        await asyncio.sleep(1)  # its process ends while there is a loop to see to it

    visit(body, "sleep 0.3")


def test_each_dashboard_without_tokens_has_one_of_its_own() -> None:
    one, two = (WebDashboard("true", "127.0.0.1", 1).token for _ in range(2))
    assert one != two
    assert len(one) >= 32


@pytest.mark.parametrize("address", ["8738", "here:", ":1", "127.0.0.1:99999", "a:b"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    with pytest.raises(UsageError, match=r"expected HOST:PORT, such as 127\.0\.0\.1:8738"):
        serve(["http://127.0.0.1:8737"], address)


def test_an_address_that_is_taken_is_said_and_not_told_as_open(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match="in use"):
            serve(["http://127.0.0.1:8737"], address)
    assert capsys.readouterr().out == ""
