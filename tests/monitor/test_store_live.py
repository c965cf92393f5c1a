"""What a live engine keeps beside the alerts, and how the database is opened for one."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from monitor.errors import StoreError
from monitor.records import Alert
from monitor.store import AlertQuery, Facts, HealthEvent, Outgoing, Store, StoreUnavailableError
from monitor.store_place import engine_of, refuse_network
from monitor.store_query import conditions, order
from monitor.store_tables import alerts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
END = replace(NEW, phase="end", revision=3, end_s=20.0)


def notice(alert: Alert, sink: str = "hook", **values: object) -> Outgoing:
    plain = Outgoing(sink, "alert", alert.id, alert.revision, alert.source, {"id": alert.id}, NOON)
    return replace(plain, **values)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def ids(store: Store, query: AlertQuery) -> list[str]:
    return [found.alert.id for found in store.find(query)]


# alerts


def test_facts_are_kept_and_later_phases_without_them_change_nothing(store: Store) -> None:
    facts = Facts(strength=2.5, peak_level=0.8, threshold=0.32, model_digest="abc", region="left")
    store.record(NEW, origin=NOON, facts=facts)
    store.record(END, origin=NOON)
    found = store.get(NEW.id)
    assert (found.strength, found.peak_level, found.threshold) == (2.5, 0.8, 0.32)
    assert (found.model_digest, found.region, found.pinned) == ("abc", "left", False)


def test_what_is_said_can_be_taken_back(store: Store) -> None:
    store.record(NEW, origin=NOON)
    store.say(NEW.id, acknowledged=True, label="true", note="a van", pinned=True)
    found = store.say(NEW.id)
    assert found.acknowledged_at is not None
    assert (found.label, found.note, found.pinned) == ("true", "a van", True)
    found = store.say(NEW.id, acknowledged=False, label="none", pinned=False)
    assert (found.acknowledged_at, found.label, found.note) == (None, None, "a van")
    assert not found.pinned
    assert store.acknowledge(NEW.id, undo=True).acknowledged_at is None


def test_labels_come_with_what_recalibration_needs(store: Store) -> None:
    for i, digest in enumerate(("a", "b", "a")):
        alert = replace(END, id=f"01H{i}", start_s=float(i))
        store.record(alert, origin=NOON, facts=Facts(None, float(i), 0.5, digest))
        store.label(alert.id, "normal_here")
    store.label("01H2", None)
    (found,) = store.labelled("door", "a")
    assert (found.alert_id, found.label, found.peak_level, found.threshold) == (
        "01H0",
        "normal_here",
        0.0,
        0.5,
    )
    assert [item.alert_id for item in store.labelled()] == ["01H0", "01H1"]


def test_text_sources_pins_and_orders(store: Store) -> None:
    for i, source in enumerate(("door", "yard", "gate 100%")):
        alert = replace(END, id=f"01H{i}", source=source, start_s=60.0 * i, end_s=60.0 * i + 1)
        store.record(alert, origin=NOON, facts=Facts(strength=3.0 - abs(i - 1)))
    store.label("01H0", "true", "The red VAN")
    store.pin("01H2")
    assert ids(store, AlertQuery(text="red van")) == ["01H0"]
    assert ids(store, AlertQuery(text="100%")) == ["01H2"]
    assert ids(store, AlertQuery(text="motion yard")) == ["01H1"]
    assert ids(store, AlertQuery(sources=("door", "yard"))) == ["01H1", "01H0"]
    assert ids(store, AlertQuery(pinned=True)) == ["01H2"]
    assert ids(store, AlertQuery(labelled=False)) == ["01H2", "01H1"]
    assert ids(store, AlertQuery(sort="oldest")) == ["01H0", "01H1", "01H2"]
    assert ids(store, AlertQuery(sort="strongest"))[0] == "01H1"
    assert ids(store, AlertQuery(sort="changed")) == ["01H2", "01H0", "01H1"]
    assert ids(store, AlertQuery(changed_since=datetime.now(UTC) + timedelta(1))) == []


YEAR = [
    AlertQuery(),
    AlertQuery(source="cam3"),
    AlertQuery(source="cam3", until=NOON),
    AlertQuery(is_open=True),
    AlertQuery(acknowledged=False),
    AlertQuery(label="true"),
    AlertQuery(pinned=True),
    AlertQuery(since=NOON + timedelta(days=360)),
    AlertQuery(changed_since=NOON + timedelta(days=360), sort="changed"),
    AlertQuery(sort="oldest"),
    AlertQuery(sort="strongest"),
]


COLUMNS = [column.name for column in alerts.columns]
MOMENT = "strftime('%Y-%m-%d %H:%M:%f', '2026-03-01 12:00', {}) || '000'"  # as SQLAlchemy has it
OWN = {
    "id": "printf('01J%06d', i)",
    "source": "'cam' || (i % 60)",
    "strength": "(i % 97) / 10.0",
    "started_at": MOMENT.format("(5 * i) || ' minutes'"),
    "ended_at": MOMENT.format("(5 * i + 1) || ' minutes'"),
}
MANY = f"""
INSERT INTO alerts ({", ".join(COLUMNS)})
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < 99999)
SELECT {", ".join(OWN.get(name, name) for name in COLUMNS)} FROM numbers, alerts
"""


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("years") / "events.db") as store:
        store.record(END, origin=NOON)
        with store.database.write() as connection:
            connection.exec_driver_sql(MANY)
        yield store


@pytest.mark.parametrize("query", YEAR)
def test_pages_of_years_of_events_come_by_an_index(years: Store, query: AlertQuery) -> None:
    page = sa.select(alerts).where(*conditions(query)).order_by(*order(query.sort)).limit(50)
    seen: list[tuple[str, tuple[object, ...]]] = []

    def note(*values: Any) -> None:
        seen.append((values[2], values[3]))

    sa.event.listen(years.database.engine, "before_cursor_execute", note)
    try:
        with years.database.read() as connection:
            connection.execute(page).all()
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {seen[0][0]}", seen[0][1]).all()
    finally:
        sa.event.remove(years.database.engine, "before_cursor_execute", note)
    steps = [str(row[-1]) for row in plan]
    assert any("INDEX alerts_" in step for step in steps), steps
    assert not any(step == "SCAN alerts" for step in steps), steps


def test_a_later_page_is_right_too(years: Store) -> None:
    found = years.find(AlertQuery(source="cam3"), limit=3, offset=1000)
    assert [item.alert.id for item in found] == ["01J039963", "01J039903", "01J039843"]
    assert years.count(AlertQuery(source="cam3")) == 1667


# health


def test_one_health_event_of_a_kind_is_open_per_camera(store: Store) -> None:
    first = HealthEvent("01A", "door", "dark", "warning", "it is dark", NOON)
    assert store.health.open(first, [notice(NEW, kind="health")]) == first
    again = replace(first, id="01B", text="still dark")
    assert store.health.open(again, [notice(END, kind="health")]).id == "01A"
    store.health.open(replace(first, id="01C", camera=None, started_at=NOON + timedelta(1)))
    assert [event.text for event in store.health.find()] == ["it is dark", "still dark"]
    assert store.outbox.waiting() == 1
    assert store.health.close("01A", NOON)
    assert not store.health.close("01A", NOON)
    assert [event.id for event in store.health.find(open_only=True)] == ["01C"]
    assert store.health.close_orphans(NOON) == 1
    assert store.health.prune(NOON + timedelta(1)) == 2
    assert store.health.find() == []


# outbox


def test_a_notice_is_written_with_its_phase_or_not_at_all(store: Store) -> None:
    assert store.record(NEW, origin=NOON, notices=[notice(NEW)])
    assert not store.record(NEW, origin=NOON, notices=[notice(NEW, "other")])
    (row,) = store.outbox.due("hook", NOON)
    assert (row.event_id, row.payload, row.state) == ("01HAAA", {"id": "01HAAA"}, "waiting")
    broken = [notice(END), notice(END, "other", payload={"x": object()})]
    with pytest.raises(StoreError, match="not JSON serializable") as caught:
        store.record(END, origin=NOON, notices=broken)
    assert not isinstance(caught.value, StoreUnavailableError)
    assert store.get(NEW.id).alert.phase == "new"
    assert store.outbox.waiting() == 1


def test_a_camera_s_notices_wait_behind_its_first_one(store: Store) -> None:
    yard = replace(NEW, id="01HBBB", source="yard")
    store.outbox.put([notice(NEW), notice(END), notice(yard), notice(NEW)])
    rows = store.outbox.due("hook", NOON)
    assert [row.event_id for row in rows] == ["01HAAA", "01HBBB"]
    store.outbox.failed(rows[0].id, "refused", NOON + timedelta(minutes=1))
    assert [row.event_id for row in store.outbox.due("hook", NOON)] == ["01HBBB"]
    later = store.outbox.due("hook", NOON + timedelta(minutes=1))
    assert [(row.revision, row.attempts) for row in later] == [(1, 1), (1, 0)]
    store.outbox.done(rows[0].id, NOON)
    assert store.outbox.due("hook", NOON)[0].revision == 3
    store.outbox.failed(rows[1].id, "404", None)
    assert [row.state for row in store.outbox.find(state="given_up")] == ["given_up"]
    assert store.outbox.waiting("hook") == 1


def test_summaries_gather_until_their_time(store: Store) -> None:
    due = datetime.now(UTC) + timedelta(minutes=1)
    one = notice(NEW, kind="summary", payload={"alerts": ["B"]}, due_at=due)
    store.outbox.put([one, replace(one, payload={"alerts": ["C"]}), one])
    (row,) = store.outbox.due("hook", due)
    assert row.payload["alerts"] == ["B", "C"]
    store.outbox.done(row.id, due)
    store.outbox.put([replace(one, payload={"alerts": ["D"]})])
    (row,) = store.outbox.due("hook", due)
    assert (row.payload["alerts"], row.revision) == (["D"], 2)


def test_the_last_told_survives_pruning(store: Store) -> None:
    later = notice(replace(NEW, id="01HBBB"), at=NOON + timedelta(hours=1))
    store.outbox.put([notice(NEW), later])
    for row in store.outbox.find():
        store.outbox.done(row.id, NOON)
    assert store.outbox.prune(NOON + timedelta(days=1)) == 1
    told = store.outbox.last_told()["hook", "door"]
    assert (told.alert_id, told.at) == ("01HBBB", NOON + timedelta(hours=1))


def test_mutes_last_over_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path / "events.db") as store:
        store.outbox.mute("door", NOON)
        store.outbox.mute("yard", NOON)
        store.outbox.mute("yard", None)
    with Store(tmp_path / "events.db") as store:
        assert store.outbox.mutes() == {"door": NOON}


def test_an_orphan_s_end_is_told(store: Store) -> None:
    store.record(NEW, origin=NOON)
    assert store.close_orphans(lambda found: [notice(found.alert)]) == 1
    (row,) = store.outbox.due("hook", NOON)
    assert (row.event_id, row.revision) == (NEW.id, 2)


# opening


def test_a_second_engine_is_told_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with Store(path) as first, Store(path) as second:
        assert engine_of(path) is None
        first.database.claim()
        first.database.claim()
        assert engine_of(path) == os.getpid()
        with pytest.raises(StoreError, match=rf"another engine \(process {os.getpid()}\)"):
            second.database.claim()
        second.record(NEW, origin=NOON)
    assert engine_of(path) is None
    with Store(path) as third:
        third.database.claim()


def test_the_claim_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    code = f"""
import sys; from monitor.store import Store
store = Store({str(path)!r}); store.database.claim(); print("up", flush=True); sys.stdin.read()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == b"up\n"
        with Store(path) as store:
            with pytest.raises(StoreError, match=f"process {other.pid}"):
                store.database.claim()
            other.kill()
            other.wait()
            store.database.claim()


def test_readers_create_and_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(path, read_only=True)
    assert not path.exists()
    with Store(path) as store, Store(path, read_only=True) as reader:
        store.record(NEW, origin=NOON)
        assert reader.count() == 1
        with pytest.raises(StoreError, match="opened for reading only"):
            reader.acknowledge(NEW.id)


def test_a_database_on_a_network_is_refused(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\n"
        "nas:/x /mnt/my\\040nas nfs4 rw 0 0\n"
        "tmp /mnt/my\\040nas/local tmpfs rw 0 0\n"
        "s /srv/ssh fuse.sshfs rw 0 0\n"
    )
    refuse_network(Path("/home/me/events.db"), mounts)
    refuse_network(Path("/mnt/my nas/local/events.db"), mounts)
    with pytest.raises(StoreError, match=r"network file system \(nfs4\), where SQLite loses data"):
        refuse_network(Path("/mnt/my nas/events.db"), mounts)
    with pytest.raises(StoreError, match="sshfs"):
        refuse_network(Path("/srv/ssh/a/events.db"), mounts)
    refuse_network(Path("/mnt/my nas/events.db"), tmp_path / "no-such-file")


def second_schema(path: Path) -> None:
    """As version 2 left it, with one alert in it."""
    with Store(path) as store:
        store.record(NEW, origin=NOON)
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        )
        for (index,) in found.fetchall():
            connection.execute(f"DROP INDEX {index}")
        for column in ["strength", "peak_level", "threshold", "model_digest", "region", "pinned"]:
            connection.execute(f"ALTER TABLE alerts DROP COLUMN {column}")
        for table in ("health", "outbox", "mutes", "garbage", "curves"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("CREATE INDEX ix_alerts_source ON alerts (source)")
        connection.execute("UPDATE schema_version SET version = 2")
    connection.close()


@pytest.mark.parametrize("read_only", [False, True])
def test_version_2_is_brought_up_to_date_and_kept_beside(tmp_path: Path, read_only: bool) -> None:  # noqa: FBT001
    path = tmp_path / "events.db"
    second_schema(path)
    with Store(path, read_only=read_only) as store:
        found = store.get(NEW.id)
        assert (found.alert, found.strength, found.pinned) == (NEW, None, False)
        assert store.health.find() == []
        assert store.outbox.waiting() == 0
        assert store.curves.newest() is None
        names = {index["name"] for index in sa.inspect(store.database.engine).get_indexes("alerts")}
        assert names == {index.name for index in alerts.indexes}
    with sqlite3.connect(tmp_path / "events.db.schema-2.backup") as copy:
        assert copy.execute("SELECT version FROM schema_version").fetchone() == (2,)
        assert copy.execute("SELECT id FROM alerts").fetchone() == (NEW.id,)
    copy.close()


def test_the_log_is_folded_in(store: Store) -> None:
    store.record(NEW, origin=NOON)
    assert store.database.log_bytes() > 0
    assert store.database.checkpoint()
    assert store.database.log_bytes() == 0
    assert store.database.fault() == ""


def test_a_batch_is_all_or_nothing(store: Store) -> None:
    with pytest.raises(StoreError, match="no alert"), store.database.batch():  # noqa: PT012
        store.record(NEW, origin=NOON)
        store.attach("nobody", clip="a.mp4")
    assert store.count() == 0
    with store.database.batch():
        store.record(NEW, origin=NOON)
        store.attach(NEW.id, clip="a.mp4")
    assert store.get(NEW.id).clip == "a.mp4"


# garbage


def test_evidence_is_disowned_before_it_goes(store: Store, tmp_path: Path) -> None:
    clip = tmp_path / "01HAAA.mp4"
    clip.write_bytes(b"clip")
    store.record(NEW, origin=NOON)
    store.attach(NEW.id, clip=str(clip))
    assert store.garbage.removable() == []  # it goes on
    store.record(END, origin=NOON)
    (held,) = store.garbage.removable(before=NOON + timedelta(hours=1))
    store.pin(NEW.id)
    assert not store.garbage.disown(held, [clip])
    assert store.garbage.removable() == []
    store.pin(NEW.id, pinned=False)
    assert store.garbage.disown(held, [clip])
    assert store.get(NEW.id).clip == ""
    assert store.garbage.paths() == [clip]
    assert clip.exists()
    assert store.garbage.empty() == 1
    assert (clip.exists(), store.garbage.paths(), store.garbage.empty()) == (False, [], 0)
