"""Single pictures in the event database, and databases that were made before there were any."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import SeenPicture, Store
from monitor.store_export import to_plain

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
ALERT = Alert("01HAAA", "line 1", "end", 1, 0.0, 0.0, 0.0, 3.5, 0.01)
SEEN = SeenPicture("/drop/a.png", 10, 20, "defective", 3.5, 0.01, NOON, "m.pt", "01HAAA")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def test_a_judged_picture_and_its_alert_come_back(store: Store) -> None:
    store.record_picture(SEEN, ALERT, snapshot="/evidence/a.jpg")
    assert store.seen_picture("/drop/a.png") == SEEN
    found = store.get("01HAAA")
    assert found.alert == ALERT
    assert (found.picture, found.snapshot, found.model) == (
        "/drop/a.png",
        "/evidence/a.jpg",
        "m.pt",
    )
    assert found.started_at == found.ended_at == NOON
    assert to_plain(found)["picture"] == "/drop/a.png"
    assert store.seen_picture("/drop/b.png") is None


def test_a_new_picture_at_the_same_path_replaces_the_memory_and_not_the_alert(store: Store) -> None:
    store.record_picture(SEEN, ALERT)
    newer = replace(SEEN, mtime_ns=21, verdict="unjudged", score=None, p_value=None, alert_id="")
    store.record_picture(newer)
    assert store.seen_picture("/drop/a.png") == newer
    assert store.count() == 1


def test_an_alert_that_is_refused_leaves_the_picture_unseen(store: Store) -> None:
    store.record_picture(SEEN, ALERT)
    with pytest.raises(StoreError, match="UNIQUE"):
        store.record_picture(replace(SEEN, path="/drop/b.png"), ALERT)
    assert store.seen_picture("/drop/b.png") is None


def test_where_a_picture_was_moved_to_is_noted(store: Store) -> None:
    store.record_picture(SEEN, ALERT, snapshot="a.jpg")
    store.picture_moved(SEEN, "/drop/defective/a.png")
    found = store.get(ALERT.id)
    assert (found.picture, found.snapshot) == ("/drop/defective/a.png", "a.jpg")
    assert store.seen_picture(SEEN.path) is None


NEW_IN_3 = ("strength", "peak_level", "threshold", "model_digest", "region", "pinned")


def older_database(path: Path) -> None:
    """As version 1 left it, with one alert in it."""
    with Store(path) as store:
        store.record(ALERT, origin=NOON)
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE pictures")
        for (index,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall():
            connection.execute(f"DROP INDEX {index}")
        for column in ("picture", *NEW_IN_3):
            connection.execute(f"ALTER TABLE alerts DROP COLUMN {column}")
        for table in ("health", "outbox", "mutes", "garbage"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE schema_version SET version = 1")


@pytest.mark.parametrize("broken_off", [False, True])
def test_a_database_of_version_1_learns_of_pictures(tmp_path: Path, broken_off: bool) -> None:  # noqa: FBT001
    path = tmp_path / "old.db"
    older_database(path)
    if broken_off:  # an upgrade that a crash ended after this statement
        with sqlite3.connect(path) as connection:
            connection.execute("ALTER TABLE alerts ADD COLUMN picture VARCHAR NOT NULL DEFAULT ''")
    for _ in range(2):
        with Store(path) as store:
            assert store.get("01HAAA").alert == ALERT
            assert store.get("01HAAA").picture == ""
    with Store(path) as store:
        store.record_picture(replace(SEEN, alert_id=""))
        assert store.seen_picture(SEEN.path) is not None
