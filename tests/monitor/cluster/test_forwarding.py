"""At least once over, exactly once there; a database that is gone is told and waited for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from monitor.cluster.forwarding import Forwarder
from monitor.cluster.shared import SharedStore, events
from monitor.records import Alert
from monitor.store import HealthEvent, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
END = replace(NEW, phase="end", revision=2, end_s=20.0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def revisions(url: str) -> list[tuple[str, str, int, str]]:
    with Store(url) as store, store.database.read() as connection:
        chosen = sa.select(events.c.kind, events.c.event_id, events.c.revision, events.c.node)
        return sorted(tuple(row) for row in connection.execute(chosen).all())


def test_each_revision_arrives_once(url: str, node: Path) -> None:
    forwarder = Forwarder(node, url, "north")
    assert forwarder.step(0.0) == 0  # no engine was here yet
    with Store(node) as own:
        own.record(NEW, origin=NOON)
        assert forwarder.step(2.0) == 1
        assert forwarder.step(4.0) == 0
        own.record(END, origin=NOON)
        own.attach(NEW.id, snapshot="a.jpg")
        assert forwarder.step(6.0) == 1
    again = Forwarder(node, url, "north")  # a keeper that starts anew remembers nothing
    assert again.step(0.0) == 0
    assert revisions(url) == [("alert", "01HAAA", 1, "north"), ("alert", "01HAAA", 2, "north")]
    with Store(url) as shared:
        found = shared.get("01HAAA")
    assert (found.alert, found.snapshot) == (END, "a.jpg")


def test_what_was_written_long_before_its_commit_is_found_by_the_sweep(
    url: str, node: Path
) -> None:
    forwarder = Forwarder(node, url, "north")
    with Store(node) as own:
        own.record(NEW, origin=NOON)
        forwarder.step(0.0)
        late = replace(NEW, id="01HBBB")
        own.record(late, origin=NOON)
        with own.database.write() as connection:  # a clock that was an hour behind
            behind = datetime.now(UTC) - timedelta(hours=1)
            connection.execute(
                sa.text("UPDATE alerts SET updated_at = :t WHERE id = '01HBBB'"),
                {"t": behind.replace(tzinfo=None).isoformat(" ")},
            )
        assert forwarder.step(2.0) == 0
        assert forwarder.step(700.0) == 1


def test_a_late_revision_does_not_undo_a_later_one_nor_what_people_said(
    url: str, node: Path, tmp_path: Path
) -> None:
    with Store(node) as own:
        own.record(NEW, origin=NOON)
        Forwarder(node, url, "north").step(0.0)
        with Store(url) as shared:
            shared.label(NEW.id, "normal_here", "the postman")
            shared.acknowledge(NEW.id)
        own.record(END, origin=NOON)
    Forwarder(node, url, "north").step(0.0)
    older = tmp_path / "older.db"
    with Store(older) as own:
        own.record(NEW, origin=NOON)
    Forwarder(older, url, "south").step(0.0)
    with Store(url) as shared:
        found = shared.get(NEW.id)
    assert found.alert.phase == "end"
    assert (found.label, found.note) == ("normal_here", "the postman")
    assert found.acknowledged_at is not None


def test_health_events_open_and_end(url: str, node: Path) -> None:
    forwarder = Forwarder(node, url, "north")
    event = HealthEvent("01HHHH", "door", "stalled", "warning", "no frames", NOON)
    with Store(node) as own:
        own.health.open(event)
        assert forwarder.step(0.0) == 1
        assert forwarder.step(2.0) == 0
        own.health.close(event.id, NOON + timedelta(seconds=9))
        assert forwarder.step(4.0) == 1
    assert [row[2] for row in revisions(url)] == [1, 2]


def test_a_database_that_is_away_is_told_and_caught_up_with(tmp_path: Path, node: Path) -> None:
    away = tmp_path / "away"
    url = f"sqlite:///{away / 'shared.db'}"
    forwarder = Forwarder(node, url, "north")
    with Store(node) as own:
        for number in range(450):  # more than two pages
            own.record(replace(NEW, id=f"01H{number:03}"), origin=NOON)
        assert forwarder.step(0.0) == 0
        assert forwarder.text.startswith("events wait to be forwarded: ")
        assert forwarder.unsent == 450
        away.mkdir()
        assert forwarder.step(2.0) == 450
    assert (forwarder.text, forwarder.unsent) == ("", 0)
    assert len(revisions(url)) == 450


def test_the_shared_database_knows_who_has_the_picture(url: str, node: Path) -> None:
    with Store(node) as own:
        own.record(NEW, origin=NOON)
    Forwarder(node, url, "north", ("site:a",)).step(0.0, "http://north:8737")
    with SharedStore(url) as shared:
        assert shared.node_of(NEW.id) == ("north", "http://north:8737")
        assert shared.node_of("nobody") is None
        assert shared.counts() == {"north": 1}
