"""What clients are told of alerts: never less than the store keeps."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.api.hub import Hub
from monitor.api.metrics import Metrics
from monitor.api.schema import AlertView, Message
from monitor.live.clock import Clock
from monitor.live.desk import Desk, view_of
from monitor.live.known import NEWEST, KnownAlerts
from monitor.live.news import AlertNews
from monitor.records import Alert
from monitor.store import Store
from monitor.store_writer import StoreWriter
from monitor.telling import Telling
from tests.monitor.live.scripted import World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "gate", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")
SAID = {"acknowledged": True, "label": "true", "note": "a van", "pinned": True}


class Told(Hub):
    """Keeps what is published."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[AlertView] = []

    def publish(self, message: Message) -> None:
        self.alerts += message.alerts


Body = Callable[[Store, KnownAlerts, Told], Coroutine[Any, Any, None]]


def run(folder: Path, body: Body) -> None:
    with Store(folder / "events.db") as store:
        hub = Told()
        asyncio.run(body(store, KnownAlerts(store, hub), hub))


def phase(number: int, kind: str = "update", **changes: object) -> Alert:
    return replace(NEW, phase=kind, revision=number, **changes)  # type: ignore[arg-type]


def seen(alert: Alert, at: datetime = NOON) -> AlertView:
    return view_of(alert, 1.5, at, "door.pt")


def brief(view: AlertView) -> tuple[int, str | None, str, bool, bool, bool]:
    files = view.has_snapshot, view.has_clip
    return view.revision, view.label, view.note, view.pinned, *files


def test_a_phase_leaves_what_people_said_and_the_files(tmp_path: Path) -> None:
    async def body(store: Store, known: KnownAlerts, hub: Told) -> None:
        store.record(NEW, origin=NOON)
        known.take(seen(NEW))
        store.say(NEW.id, **SAID)  # type: ignore[arg-type]
        store.attach(NEW.id, snapshot="a.jpg", clip="a.mp4")
        await known.look(NEW.id)
        known.take(seen(phase(2)))
        known.take(seen(phase(3, "end")))
        assert [brief(view) for view in hub.alerts] == [
            (1, None, "", False, False, False),
            *((number, "true", "a van", True, True, True) for number in (1, 2, 3)),
        ]
        assert hub.alerts[-1].acknowledged_at is not None
        assert hub.alerts[-1].clip_path == "a.mp4"

    run(tmp_path, body)


def test_what_was_said_is_told_of_the_phase_that_is_not_written_yet(tmp_path: Path) -> None:
    async def body(store: Store, known: KnownAlerts, hub: Told) -> None:
        store.record(NEW, origin=NOON)
        known.take(seen(phase(2, end_s=20.0)))
        store.say(NEW.id, note="a van")
        await known.look(NEW.id)
        told = hub.alerts[-1]
        assert (told.revision, told.note) == (2, "a van")
        assert told.ended_at == NOON + timedelta(seconds=20)
        await known.look(NEW.id)
        assert len(hub.alerts) == 2  # nothing is new

    run(tmp_path, body)


def test_a_new_client_is_told_of_the_newest_and_all_that_are_open_as_they_are(
    tmp_path: Path,
) -> None:
    async def body(store: Store, known: KnownAlerts, hub: Told) -> None:
        known.take(seen(NEW, NOON - timedelta(days=1)))  # open, and older than all
        for number in range(NEWEST + 5):
            ended = replace(phase(2, "end"), id=f"{number:03}")
            store.record(ended, origin=NOON + timedelta(minutes=number))
        await known.refresh()
        ids = [view.id for view in known.newest()]
        assert (ids[0], ids[-1], len(ids)) == (NEW.id, f"{NEWEST + 4:03}", NEWEST + 1)
        store.say(ids[-1], label="unsure")
        store.say("000", note="long ago")
        await known.look(ids[-1])
        await known.look("000")
        assert [view.label for view in known.newest()][-1] == "unsure"
        assert hub.alerts[-1].note == "long ago"
        assert len(known.newest()) == NEWEST + 1

    run(tmp_path, body)


def test_what_did_not_change_is_told_once_however_old_the_open_ones_are(tmp_path: Path) -> None:
    async def body(store: Store, known: KnownAlerts, hub: Told) -> None:
        for number in range(3):
            still_open = replace(NEW, id=f"open {number}")
            store.record(still_open, origin=NOON - timedelta(days=1))
            known.take(seen(still_open, NOON - timedelta(days=1)))
        for number in range(NEWEST):
            ended = replace(phase(2, "end"), id=f"{number:03}")
            store.record(ended, origin=NOON + timedelta(minutes=number))
        await known.refresh()
        told = len(hub.alerts)
        await known.refresh()
        assert (told, len(hub.alerts), len(known.newest())) == (NEWEST + 3,) * 3

    run(tmp_path, body)


def test_what_another_program_says_or_removes_is_seen(tmp_path: Path) -> None:
    async def body(store: Store, known: KnownAlerts, hub: Told) -> None:
        ended = phase(3, "end")
        store.record(ended, origin=NOON)
        known.take(seen(ended))
        known.take(seen(replace(ended, id="gone")))
        store.say(NEW.id, label="normal_here")
        await known.refresh()
        assert [(view.id, view.label) for view in known.newest()] == [(NEW.id, "normal_here")]
        assert hub.alerts[-1].label == "normal_here"

    run(tmp_path, body)


def test_a_desk_tells_the_end_with_all_that_was_said(tmp_path: Path) -> None:
    async def body(store: Store, _: KnownAlerts, hub: Told) -> None:
        writer = StoreWriter(store)
        writer.start()
        telling = Telling(store, ())
        desk = Desk(store, writer, telling, hub, Metrics(), tmp_path, Clock())
        station = World().crew.stations["gate"]
        desk.take_alert(station, AlertNews(NEW, 1.5, None))
        writer.flush(5)
        store.say(NEW.id, **SAID)  # type: ignore[arg-type]
        desk.alert_changed(NEW.id)
        await desk.close()
        for number, kind in ((2, "update"), (3, "end")):
            desk.take_alert(station, AlertNews(phase(number, kind), 1.5, None))
            writer.flush(5)
        store.attach(NEW.id, clip="a.mp4")  # while nobody looked
        await desk.close()
        writer.close()
        assert {view.label for view in hub.alerts if view.revision > 1} == {"true"}
        assert brief(hub.alerts[-1]) == (3, "true", "a van", True, False, True)
        assert desk.known.newest() == [hub.alerts[-1]]

    run(tmp_path, body)
