"""What a client says where there is no engine, or another one."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from monitor.api.client import (
    Client,
    Denied,
    EngineGone,
    NotAnEngine,
    OtherVersion,
    Refused,
    Unanswered,
    find_engine,
    read_token,
)
from monitor.api.schema import EngineStatus, Said
from monitor.errors import UsageError
from tests.monitor.api.asking import ADMIN, HERE, TOKENS, client_of, transport_to
from tests.monitor.api.scripted import JPEG, ScriptedEngine

NOW = datetime(2026, 3, 1, tzinfo=UTC)
STATUS = EngineStatus(version="9", state="running", started_at=NOW, now=NOW, cameras=0)


def status_from(answer: Callable[[httpx.Request], httpx.Response]) -> EngineStatus:
    async def run() -> EngineStatus:
        async with Client(HERE, transport=httpx.MockTransport(answer)) as client:
            return await client.status()

    return asyncio.run(run())


def engine_says(content: str, api: str = "1", status: int = 200) -> httpx.Response:
    return httpx.Response(status, text=content, headers={"oddwatch-api": api})


def test_a_newer_engine_of_the_same_api_may_say_more() -> None:
    more = json.dumps(STATUS.model_dump(mode="json") | {"mood": "cheerful"})
    assert status_from(lambda _: engine_says(more)) == STATUS


def test_another_api_is_named() -> None:
    with pytest.raises(OtherVersion, match="speaks API 2, this program 1") as error:
        status_from(lambda _: engine_says("{}", api="2"))
    assert error.value.api == "2"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<h1>router</h1>"),
        httpx.Response(404, text="nothing"),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
        engine_says("<h1>"),
        engine_says('{"version": 3}'),
    ],
)
def test_something_else_that_answers_is_no_engine(answer: httpx.Response) -> None:
    with pytest.raises(NotAnEngine, match=f"^{HERE} answers, but is no oddwatch engine") as error:
        status_from(lambda _: answer)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (httpx.ConnectError("refused"), "refused"),
        (httpx.ReadTimeout(""), "it does not answer in time"),
        (httpx.ReadError(""), "ReadError"),
    ],
)
def test_an_engine_that_is_gone(failure: Exception, why: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(EngineGone, match=f"^no engine at {HERE}: {why}$"):
        status_from(fail)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ReadTimeout(""), Unanswered),
        (httpx.RemoteProtocolError("disconnected"), Unanswered),
        (httpx.ConnectError("refused"), EngineGone),
        (httpx.ConnectTimeout(""), EngineGone),
    ],
)
def test_what_was_sent_and_not_answered_may_be_done(
    failure: Exception, kind: type[Exception]
) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise failure

    async def run() -> None:
        async with Client(HERE, transport=httpx.MockTransport(fail)) as client:
            await client.say("01HAAA", Said(pinned=True))

    with pytest.raises(EngineGone) as error:
        asyncio.run(run())
    assert type(error.value) is kind
    assert ("it may be done all the same" in str(error.value)) == (kind is Unanswered)


def test_a_closed_port_is_an_engine_gone() -> None:
    async def run() -> None:
        async with Client("127.0.0.1:1") as client:
            await client.cameras()

    with pytest.raises(EngineGone, match=r"no engine at http://127\.0\.0\.1:1: "):
        asyncio.run(run())


def test_denied_without_and_with_too_small_a_token(engine: ScriptedEngine) -> None:
    async def run(token: str) -> None:
        async with Client(HERE, token, transport=transport_to(engine, TOKENS)) as client:
            assert token not in str(vars(client)) or not token
            await client.act("door", "relearn")

    with pytest.raises(Denied, match="a token is needed"):
        asyncio.run(run(""))
    with pytest.raises(Denied, match="needs the role admin"):
        asyncio.run(run("operator-0123456789"))
    asyncio.run(run(ADMIN))


def test_a_refusal_is_the_engines_own_line(engine: ScriptedEngine) -> None:
    async def run() -> None:
        async with client_of(engine) as client:
            await client.alert("01ARZ3NDEKTSV4RRFFQ69G5FAV")

    with pytest.raises(Refused, match=r"^no alert '01ARZ3NDEKTSV4RRFFQ69G5FAV'") as error:
        asyncio.run(run())
    assert error.value.status == 404


def test_what_is_not_there_yet_is_none(engine: ScriptedEngine, tmp_path: Path) -> None:
    alert = engine.raise_alert("door")
    engine.picture_bytes = None

    async def run() -> None:
        async with client_of(engine) as client:
            assert await client.picture("door") is None
            assert await client.snapshot(alert.id) is None
            with pytest.raises(Refused, match="no camera"):
                await client.picture("cellar")
            with pytest.raises(Refused, match="no clip"):
                await client.save_clip(alert.id, tmp_path / "clip.mp4")
            engine.give_evidence(alert.id)
            assert await client.snapshot(alert.id) == JPEG
            assert await client.save_clip(alert.id, tmp_path / "clip.mp4") == 10

    asyncio.run(run())
    assert (tmp_path / "clip.mp4").read_bytes() == b"0123456789"


def test_all_that_is_asked_comes_back_as_values(engine: ScriptedEngine) -> None:
    alert = engine.raise_alert("door")
    engine.add_score("door", 0.4)
    engine.add_line("hello")
    engine.add_health(None, "disk", "full")

    async def run() -> None:
        async with client_of(engine) as client:
            assert (await client.alerts()).alerts == [alert]
            assert await client.alert(alert.id) == alert
            said = await client.say(alert.id, Said(label="unsure", note="ä"))
            assert (said.label, said.note) == ("unsure", "ä")
            assert await client.scores("door", engine.now) == engine.readings["door"]
            assert await client.log() == engine.lines
            assert await client.health(open_only=True) == engine.events
            assert "19:00 UTC" in await client.mute("door", engine.now.replace(hour=19))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("127.0.0.1:8737", "http://127.0.0.1:8737"),
        ("http://Server/", "http://server"),
        ("https://user:pass@server:1/under", "https://server:1/under"),
        ("http://[::1]:9", "http://[::1]:9"),
    ],
)
def test_addresses(given: str, url: str) -> None:
    assert Client(given).url == url


@pytest.mark.parametrize("given", ["", "rtsp://camera", "http://", "http://x:99999", "http://[::1"])
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(UsageError, match="expected an engine's address"):
        Client(given)


def test_no_engine_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineGone, match="no engine runs in"):
        find_engine(tmp_path)
    (tmp_path / "api.json").write_text("{")
    with pytest.raises(EngineGone, match="cannot be read"):
        find_engine(tmp_path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "api.json").write_text(json.dumps({"url": HERE, "pid": ended.pid}))
    with pytest.raises(EngineGone, match=f"process {ended.pid} has ended"):
        find_engine(tmp_path)
    (tmp_path / "api.json").write_text(json.dumps({"url": HERE, "pid": os.getpid()}))
    assert find_engine(tmp_path).url == HERE


def test_a_token_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODDWATCH_TOKEN", "from-the-environment")
    path = tmp_path / "token"
    path.write_text("from-the-file\n")
    assert read_token() == "from-the-environment"
    assert read_token(path) == "from-the-file"
    path.write_text("\n")
    with pytest.raises(UsageError, match="the file is empty"):
        read_token(path)
    with pytest.raises(UsageError, match="No such file"):
        read_token(tmp_path / "none")


def test_the_client_is_light() -> None:
    heavy = "{'torch', 'sqlalchemy', 'fastapi', 'uvicorn', 'av', 'cv2', 'numpy', 'models'}"
    program = f"import sys, monitor.api.client; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.strip() == b"[]"
