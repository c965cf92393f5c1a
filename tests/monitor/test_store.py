"""Alerts in and out of a real SQLite file, and the ways in which that can fail."""

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor import store_schema
from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import AlertQuery, Store, StoredAlert
from monitor.store_export import FIELDS, export

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
END = replace(NEW, phase="end", revision=3, end_s=20.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def fill(store: Store, count: int) -> None:
    for i in range(count):
        source = "door" if i % 2 == 0 else "yard"
        alert = replace(END, id=f"01HA{i:02}", source=source, start_s=60.0 * i, end_s=60.0 * i + 5)
        store.record(alert, origin=NOON)


def test_an_alert_comes_back_as_it_was_with_wall_clock_times(store: Store) -> None:
    assert store.record(NEW, origin=NOON, model="m.pt")
    found = store.get("01HAAA")
    assert found.alert == NEW
    assert found.started_at == NOON + timedelta(seconds=10)
    assert found.ended_at.tzinfo == UTC
    assert (found.model, found.snapshot, found.label, found.acknowledged_at) == (
        "m.pt",
        "",
        None,
        None,
    )


def test_a_time_of_another_zone_is_kept_as_the_same_moment(store: Store) -> None:
    store.record(NEW, origin=NOON.astimezone(timezone(timedelta(hours=5))))
    assert store.get("01HAAA").started_at == NOON + timedelta(seconds=10)


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        store.record(NEW, origin=datetime(2024, 3, 1))  # noqa: DTZ001


def test_later_revisions_replace_and_earlier_or_equal_ones_do_nothing(store: Store) -> None:
    assert store.record(END, origin=NOON)
    assert not store.record(END, origin=NOON)
    assert not store.record(NEW, origin=NOON)
    assert store.get("01HAAA").alert == END
    assert store.count() == 1


def test_a_revision_keeps_what_people_said(store: Store) -> None:
    store.record(NEW, origin=NOON)
    store.label("01HAAA", "normal_here", "the cat")
    store.acknowledge("01HAAA")
    store.attach("01HAAA", snapshot="a.jpg")
    store.attach("01HAAA", clip="a.mp4")
    store.record(END, origin=NOON)
    found = store.get("01HAAA")
    assert (found.label, found.note, found.snapshot, found.clip) == (
        "normal_here",
        "the cat",
        "a.jpg",
        "a.mp4",
    )
    assert found.acknowledged_at is not None
    assert found.alert == END


def test_acknowledging_twice_keeps_the_first_moment(store: Store) -> None:
    store.record(NEW, origin=NOON)
    assert store.acknowledge("01h").acknowledged_at == store.acknowledge("01H").acknowledged_at


def test_a_prefix_finds_its_alert_in_either_case(store: Store) -> None:
    fill(store, 12)
    assert store.get("01ha11").alert.id == "01HA11"
    with pytest.raises(StoreError, match="several alerts begin with '01HA1'"):
        store.get("01HA1")
    with pytest.raises(StoreError, match="no alert begins with 'X'"):
        store.get("X")
    with pytest.raises(StoreError, match="no alert begins with '%'"):
        store.get("%")
    with pytest.raises(StoreError, match="no alert begins with ''"):
        store.get("")


def test_an_id_that_begins_others_is_itself(store: Store) -> None:
    for name in ("AB", "ABC", "ABCD"):
        store.record(replace(END, id=name), origin=NOON)
    assert store.get("AB").alert.id == "AB"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (AlertQuery(source="yard"), ["01HA05", "01HA03", "01HA01"]),
        (AlertQuery(since=NOON + timedelta(minutes=4)), ["01HA05", "01HA04"]),
        (AlertQuery(until=NOON + timedelta(minutes=1)), ["01HA00"]),
        (AlertQuery(acknowledged=True), ["01HA02"]),
        (AlertQuery(label="true"), ["01HA03"]),
        (AlertQuery(is_open=True), []),
        (AlertQuery(source="door", acknowledged=False), ["01HA04", "01HA00"]),
    ],
)
def test_queries_narrow(store: Store, query: AlertQuery, ids: list[str]) -> None:
    fill(store, 6)
    store.acknowledge("01HA02")
    store.label("01HA03", "true")
    assert [found.alert.id for found in store.find(query)] == ids
    assert store.count(query) == len(ids)


def test_pages_are_newest_first_and_do_not_overlap(store: Store) -> None:
    fill(store, 5)
    pages = [store.find(limit=2, offset=offset) for offset in (0, 2, 4)]
    ids = [found.alert.id for page in pages for found in page]
    assert ids == ["01HA04", "01HA03", "01HA02", "01HA01", "01HA00"]


def test_what_a_dead_run_left_open_is_closed_once(store: Store) -> None:
    store.record(NEW, origin=NOON)
    store.record(replace(END, id="01HBBB"), origin=NOON)
    assert store.close_orphans() == 1
    orphan = store.get("01HAAA").alert
    assert (orphan.phase, orphan.ended_by, orphan.revision) == ("end", "engine_restart", 2)
    assert store.get("01HBBB").alert.ended_by == ""
    assert store.close_orphans() == 0


def test_it_is_there_when_opened_again(tmp_path: Path) -> None:
    with Store(tmp_path / "events.db") as first:
        first.record(NEW, origin=NOON)
    with Store(f"sqlite:///{tmp_path / 'events.db'}") as second:
        assert second.get("01HAAA").alert == NEW


def test_readers_and_the_writer_do_not_wait_for_each_other(tmp_path: Path, store: Store) -> None:
    with Store(tmp_path / "events.db") as reader:
        for i in range(5):
            store.record(replace(END, id=f"01HB{i}"), origin=NOON)
            assert reader.count() == i + 1


def test_an_unknown_label_is_refused(store: Store) -> None:
    store.record(NEW, origin=NOON)
    with pytest.raises(StoreError, match="expected one of true, normal_here, unsure"):
        store.label("01HAAA", "false")  # type: ignore[arg-type]


def test_evidence_of_no_alert_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no alert 'nobody'"):
        store.attach("nobody", clip="a.mp4")


# what can go wrong with a file


def test_a_newer_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "events.db"
    monkeypatch.setattr(store_schema, "SCHEMA_VERSION", 7)
    Store(path).close()
    monkeypatch.undo()
    with pytest.raises(StoreError, match="has schema 7, this version knows 4: update oddwatch"):
        Store(path)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"holiday pictures " * 100)
    with pytest.raises(StoreError, match="is not an event database, or damaged") as caught:
        Store(path)
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with Store(path) as store:
        fill(store, 200)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"), Store(path) as store:
        store.find()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no-such-folder/events\.db cannot be opened"):
        Store(tmp_path / "no-such-folder" / "events.db")


def test_a_lock_held_by_another_program_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_schema, "BUSY_MS", 50)
    with Store(tmp_path / "events.db") as store:
        other = sqlite3.connect(tmp_path / "events.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is in use by another program"):
            store.record(NEW, origin=NOON)
        other.rollback()
        other.close()
        assert store.record(NEW, origin=NOON)


def test_a_full_disk_is_said_and_later_writing_goes_on(store: Store) -> None:
    store.record(NEW, origin=NOON)
    with store.database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    sa.event.listen(store.database.engine, "begin", lambda c: _limit(c, pages))
    with pytest.raises(StoreError, match="the disk is full"):
        store.record(replace(NEW, id="01HBIG", reason="x" * 100_000), origin=NOON)
    assert store.count() == 1
    assert store.record(END, origin=NOON)


def _limit(connection: sa.Connection, pages: int) -> None:
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_read_only_database_is_said(store: Store) -> None:
    store.record(NEW, origin=NOON)
    sa.event.listen(
        store.database.engine,
        "begin",
        lambda c: c.exec_driver_sql("PRAGMA query_only = ON") and None,
    )
    with pytest.raises(StoreError, match="may only be read"):
        store.record(END, origin=NOON)


def test_a_password_in_the_url_is_not_told() -> None:
    with pytest.raises(StoreError) as caught, store_schema.one_line("postgresql://me:secret@db/x"):
        raise sqlite3.OperationalError("database is locked")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://joe:hunt er@22@[::1/x",
        "postgresql://joe:hunter@h:70000/x",
        "mysql://joe:hunter@h/x",
        "://hunter",
    ],
)
def test_a_url_that_is_no_store_s_is_refused_before_anything_is_tried(url: str) -> None:
    with pytest.raises(StoreError, match="expected a path, or a URL such as ") as caught:
        Store(url)
    assert "hunt" not in str(caught.value)


# export


def exported(store: Store, kind: str) -> str:
    out = io.StringIO(newline="")
    export(store.find(), out, kind)  # type: ignore[arg-type]
    return out.getvalue()


def test_json_has_every_field_in_plain_values(store: Store) -> None:
    fill(store, 2)
    rows = json.loads(exported(store, "json"))
    assert [row["id"] for row in rows] == ["01HA01", "01HA00"]
    assert tuple(rows[0]) == FIELDS
    assert rows[1]["started_at"] == "2024-03-01T12:00:00+00:00"
    assert rows[0]["label"] is None


def test_csv_can_be_read_back_and_holds_no_formula(store: Store) -> None:
    fill(store, 2)
    store.label("01HA00", "unsure", '=HYPERLINK("x"),\n"quoted"')
    rows = list(csv.DictReader(io.StringIO(exported(store, "csv"), newline="")))
    assert rows[1]["note"] == '\'=HYPERLINK("x"),\n"quoted"'
    assert rows[0]["peak_score"] == "0.9"
    assert rows[0]["label"] == ""


def test_nothing_exports_as_a_header_or_an_empty_list(store: Store) -> None:
    assert exported(store, "csv").strip() == ",".join(FIELDS)
    assert json.loads(exported(store, "json")) == []
    assert StoredAlert.__dataclass_fields__.keys() - {"alert"} <= set(FIELDS)


def test_a_server_s_missing_package_is_named_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"needs psycopg, .*: pip install 'oddwatch\[postgres\]'"):
        Store("postgresql://somebody@localhost:1/none")
