"""An engine whose store takes its time says so to whoever asks."""

import asyncio
import socket
import sqlite3
from pathlib import Path

import pytest

from monitor.api.client import Client, EngineGone, Refused, find_engine
from monitor.config.settings import ApiSettings
from monitor.errors import StoreError
from monitor.live.opening import Door, open_store
from monitor.store import Store
from monitor.store_place import claim_file
from monitor.store_schema import chores
from tests.monitor.test_store_live import second_schema

API = ApiSettings(port=0)


def test_a_store_brought_up_to_date_is_told_where_the_api_will_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("monitor.live.opening.tell_systemd", told.append)
    path = tmp_path / "events.db"
    second_schema(path)
    with sqlite3.connect(path, isolation_level=None) as hindrance:
        hindrance.execute("BEGIN IMMEDIATE")  # the migration waits for its end
        said, url, port = asyncio.run(_asked_meanwhile(path, hindrance))
    hindrance.close()
    assert said == (
        "the engine is not ready yet: events.db is copied and brought from schema 2 to 4"
    )
    assert url.endswith(f":{port}")
    assert told == ["EXTEND_TIMEOUT_USEC=3600000000"]  # in place of the unit's three minutes
    with Store(path) as store:
        assert store.count() == 1
    with pytest.raises(EngineGone):
        find_engine(tmp_path)


async def _asked_meanwhile(path: Path, hindrance: sqlite3.Connection) -> tuple[str, str, int]:
    door = Door(API, path.parent)
    opening = asyncio.create_task(open_store(str(path), door))
    while not (path.parent / "api.json").is_file():
        await asyncio.sleep(0.01)
    url = find_engine(path.parent).url
    async with Client(url) as client:
        with pytest.raises(Refused) as caught:
            await client.cameras()
    hindrance.execute("ROLLBACK")
    (await opening).close()
    socket.create_connection(("127.0.0.1", door.port)).close()  # who asks now waits for the API
    door.close()
    return str(caught.value), url, door.port


def test_a_store_that_is_ready_opens_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    assert chores(str(path)) == ""
    Store(path).close()
    assert chores(str(path)) == ""
    asyncio.run(open_store(str(path), None)).close()


def test_what_is_migrated_under_no_engine_but_its_own(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    second_schema(path)
    claim = claim_file(path)
    with pytest.raises(StoreError, match=r"schema 2 and an engine of an older version \(process"):
        Store(path)
    claim.release()
    Store(path).close()
