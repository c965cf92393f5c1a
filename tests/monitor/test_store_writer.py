"""The writing thread: order, coalescing, and a database that cannot be written for a while."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor import store_schema, store_writer
from monitor.records import Alert
from monitor.store import HealthEvent, Outgoing, Store
from monitor.store_writer import Attached, FellIll, Recorded, Recovered, StoreWriter

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(store_schema, "BUSY_MS", 20)
    monkeypatch.setattr(store_writer, "GATHER_S", 0.01)
    with Store(tmp_path / "events.db") as opened:
        yield opened


def phase(number: int, revision: int, what: str = "update") -> Recorded:
    alert = replace(NEW, id=f"01H{number:04}", phase=what, revision=revision)  # type: ignore[arg-type]
    told = Outgoing("hook", "alert", alert.id, revision, "door", {"revision": revision}, NOON)
    return Recorded(alert, NOON, notices=(told,))


def wait_for(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(3000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come to that in 30 s")


def test_everything_is_written_in_order_in_few_transactions(store: Store) -> None:
    written: list[int] = []
    writer = StoreWriter(store, on_written=lambda: written.append(1))
    writer.put(phase(1, 1, "new"))
    writer.put(Attached("01H0001", clip="a.mp4"))
    writer.put(FellIll(HealthEvent("01A", "door", "dark", "warning", "dark", NOON)))
    writer.put(Recovered("01A", NOON))
    writer.put(phase(1, 2, "end"))
    writer.start()
    assert writer.flush(60)
    assert (writer.waiting, writer.failing, writer.lost, len(written)) == (0, "", 0, 1)
    assert (store.get("01H").alert.phase, store.get("01H").clip) == ("end", "a.mp4")
    assert store.health.find()[0].ended_at == NOON
    assert writer.close(60)


def test_updates_that_wait_become_one_and_none_of_their_notices_is_lost(store: Store) -> None:
    writer = StoreWriter(store)
    writer.put(phase(1, 1, "new"))
    for revision in range(2, 100):
        writer.put(phase(1, revision))
    assert writer.waiting == 2
    writer.start()
    assert writer.flush(60)
    assert store.get("01H").alert.revision == 99
    assert store.outbox.waiting() == 99
    writer.close(60)


def test_a_locked_database_loses_nothing(store: Store, tmp_path: Path) -> None:
    writer = StoreWriter(store, again_s=0.02)
    with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.start()
        for number in range(50):
            assert writer.put(phase(number, 1, "new"))
            assert writer.put(phase(number, 2))
            assert writer.put(phase(number, 3, "end"))
        wait_for(lambda: "is in use by another program" in writer.failing)
        assert not writer.flush(0.05)
        assert writer.waiting == 150
        other.rollback()
    assert writer.flush(60)
    assert (store.count(), writer.failing, writer.lost) == (50, "", 0)
    assert store.outbox.waiting() == 150
    assert {found.alert.phase for found in store.find(limit=None)} == {"end"}
    assert writer.close(60)


def test_a_full_disk_loses_nothing(store: Store) -> None:
    full = True
    with store.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(connection: sa.Connection) -> None:
        most = pages if full else 1_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count = {most}")

    sa.event.listen(store.database.engine, "begin", limit)
    writer = StoreWriter(store, again_s=0.02)
    writer.start()
    job = phase(1, 1, "new")
    writer.put(replace(job, alert=replace(job.alert, reason="x" * 100_000)))
    wait_for(lambda: "the disk is full" in writer.failing)
    full = False
    assert writer.close(60)
    assert (store.count(), writer.failing) == (1, "")


def test_what_comes_beyond_the_bound_is_counted_and_said(store: Store) -> None:
    writer = StoreWriter(store, most=3)
    assert [writer.put(phase(number, 1, "new")) for number in range(5)] == [True] * 3 + [False] * 2
    assert writer.lost == 2
    assert writer.failing == "3 events wait to be written, 2 were lost"
    writer.start()
    assert writer.close(60)
    assert store.count() == 3


def test_one_job_that_cannot_be_kept_holds_up_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    writer = StoreWriter(store)
    writer.put(phase(1, 1, "new"))
    writer.put(Attached("nobody", clip="a.mp4"))
    writer.put(phase(2, 1, "new"))
    writer.start()
    assert writer.close(60)
    assert store.count() == 2
    assert store.outbox.waiting() == 2
    assert [record.getMessage()[:26] for record in caplog.records] == ["not kept: no alert 'nobody"]


def test_an_idle_writer_folds_in_the_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "IDLE_S", 0.05)
    writer = StoreWriter(store)
    writer.start()
    writer.put(phase(1, 1, "new"))
    assert writer.flush(60)
    wait_for(lambda: store.database.log_bytes() == 0)
    writer.close(60)


def test_closing_says_when_something_is_left(store: Store, tmp_path: Path) -> None:
    writer = StoreWriter(store, again_s=0.02)
    with closing(sqlite3.connect(tmp_path / "events.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer.start()
        writer.put(phase(1, 1, "new"))
        assert not writer.close(0.2)
        assert writer.waiting == 1
