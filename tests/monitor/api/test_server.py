"""A real server: its port, its stream, its end."""

import asyncio
import json
import socket
import stat
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from monitor.api import about_engine
from monitor.api.auth import Tokens
from monitor.api.client import Client, EngineGone, find_engine
from monitor.api.hub import Hub
from monitor.api.listening import ServerError, listen
from monitor.api.schema import Message
from monitor.api.server import serving
from monitor.config.settings import ApiSettings
from monitor.errors import UsageError
from tests.monitor.api.scripted import ScriptedEngine, serving_script


def in_loop(run: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(run, 60))


async def until(what: Any) -> None:
    while not what():
        await asyncio.sleep(0.01)


def test_the_engine_is_found_by_its_folder_while_it_runs(engine: ScriptedEngine) -> None:
    async def run() -> None:
        async with serving_script(engine) as url:
            assert not url.endswith(":0")
            path = engine.folder / "api.json"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert find_engine(engine.folder).url == url
            async with Client(url) as client:
                assert (await client.status()).cameras == 2
        assert not path.exists()

    in_loop(run())


def test_another_engines_address_is_not_removed(engine: ScriptedEngine) -> None:
    async def run() -> None:
        async with serving_script(engine):
            (engine.folder / "api.json").write_text("another's")
        assert (engine.folder / "api.json").read_text() == "another's"

    in_loop(run())


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"^port {port} of 127.0.0.1 is in use: ") as error:
            listen("127.0.0.1", port)
    assert "\n" not in str(error.value)


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(ServerError, match=r"cannot listen on 192\.0\.2\.7, port 8737"):
        listen("192.0.2.7", 8737)


def test_beyond_loopback_without_a_token_nothing_starts(engine: ScriptedEngine) -> None:
    async def run() -> None:
        settings = ApiSettings(host="0.0.0.0", port=0)
        async with serving(engine, settings, Tokens(), engine.folder):
            pass

    with pytest.raises(UsageError, match="for everyone"):
        in_loop(run())
    assert not (engine.folder / "api.json").exists()


def test_a_stream_begins_with_the_whole_state_and_goes_on(engine: ScriptedEngine) -> None:
    engine.add_health("yard", "dark", "the picture is black")

    async def run() -> None:
        async with serving_script(engine) as url, Client(url) as client:
            messages = client.stream()
            first = await anext(messages)
            assert first.engine is not None
            assert [camera.name for camera in first.cameras] == ["door", "yard"]
            assert [event.kind for event in first.health] == ["dark"]
            raised = engine.raise_alert("door", reason="motion\n\ndata: x")
            told: list[str] = []
            while raised.id not in told:
                told += [alert.id for alert in (await anext(messages)).alerts]
            await messages.aclose()
            await until(lambda: engine.hub.readers == 0)

    in_loop(run())


def test_a_change_by_one_client_is_told_to_another(engine: ScriptedEngine) -> None:
    async def run() -> None:
        from monitor.api.schema import Said

        raised = engine.raise_alert("door")
        async with serving_script(engine) as url, Client(url) as one, Client(url) as other:
            messages = one.stream()
            await anext(messages)
            await other.say(raised.id, Said(acknowledged=True))
            told = await anext(messages)
            assert told.alerts[0].acknowledged_at is not None
            await messages.aclose()

    in_loop(run())


def test_the_end_of_the_engine_ends_a_stream_with_a_reason(engine: ScriptedEngine) -> None:
    async def run() -> None:
        async with serving_script(engine) as url:
            client = Client(url)
            messages = client.stream()
            await anext(messages)
            began = time.monotonic()
        with pytest.raises(EngineGone, match="the engine stops"):
            await anext(messages)
        assert time.monotonic() - began < 10  # two seconds of grace, on a slow machine
        await client.close()

    in_loop(run())


def test_a_silent_stream_beats(engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about_engine, "HEARTBEAT_S", 0.01)

    async def run() -> None:
        async with serving_script(engine) as url:
            reader, writer = await _open_stream(url)
            for _ in range(3):
                await reader.readuntil(b": alive\n\n")
            writer.close()
            await until(lambda: engine.hub.readers == 0)

    in_loop(run())


def test_a_reader_that_stops_reading_is_cut_off_and_harms_nobody(engine: ScriptedEngine) -> None:
    engine.hub = Hub(pace_s=0.0, most_kept=50)

    async def run() -> None:
        async with serving_script(engine) as url, Client(url) as client:
            messages = client.stream()
            await anext(messages)
            stuck, writer = await _open_stream(url)
            await until(lambda: engine.hub.readers == 2)
            alert = engine.raise_alert("door", reason="x" * 100_000)
            for _ in range(400):  # 40 MB: more than sockets take
                engine.push(Message(alerts=[alert]))
                assert (await anext(messages)).alerts
            got = b""
            while b"\n\n" not in got.partition(b"event: end")[2]:
                part = await stuck.read(1 << 20)
                assert part, "the stream ended without a word"
                got = got[-500:] + part
            assert b"over 50 events waited for this reader" in got
            writer.close()
            await messages.aclose()

    in_loop(run())


async def _open_stream(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 16)
    writer.write(b"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"content-type: text/event-stream" in head.lower()
    return reader, writer


def test_a_name_with_a_slash_reaches_a_real_server(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path, ["a", "a/picture ü?#"])

    async def run() -> None:
        async with serving_script(engine) as url, Client(url) as client:
            assert (await client.camera("a/picture ü?#")).name == "a/picture ü?#"
            assert json.loads((engine.folder / "api.json").read_text())["url"] == url

    in_loop(run())
