"""Alerts of today, the last one, and how many were false: over restarts, and by what people say."""

import asyncio
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from monitor.api.hub import Hub
from monitor.errors import StoreError
from monitor.live.began import Began, midnight
from monitor.live.clock import Clock
from monitor.live.counters import Counters
from monitor.live.known import KnownAlerts
from monitor.live.view import LiveView
from monitor.records import Alert
from monitor.store import Store
from tests.monitor.live.scripted import World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDED = Alert("01HAAA", "gate", "end", 3, 0.0, 5.0, 2.0, 0.9, 0.001, "motion")
HOUR = timedelta(hours=1)


@pytest.fixture
def zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("zone")
def test_a_day_begins_at_midnight_of_the_local_clock_also_where_clocks_are_set() -> None:
    assert midnight(datetime(2026, 3, 1, 22, 59, 7, 5, UTC)) == datetime(
        2026, 2, 28, 23, tzinfo=UTC
    )
    assert midnight(datetime(2026, 3, 1, 23, tzinfo=UTC)) == datetime(2026, 3, 1, 23, tzinfo=UTC)
    for noon in (datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)):
        assert midnight(noon).astimezone().hour == 0
        assert midnight(noon - 6 * HOUR) == midnight(noon)


def test_today_counts_earlier_runs_and_tomorrow_does_not() -> None:
    began, day = Began(), midnight(NOON)
    began.before(day, {"gate": 2})
    began.earlier({"gate": NOON - HOUR, "yard": NOON - 2 * HOUR})
    assert (began.today("gate", day), began.last("gate")) == (2, NOON - HOUR)
    began.add("gate", NOON)
    began.earlier({"gate": NOON - HOUR})
    assert (began.today("gate", day), began.last("gate")) == (3, NOON)
    assert (began.today("yard", day), began.last("yard")) == (0, NOON - 2 * HOUR)
    began.add("gate", NOON + 13 * HOUR)
    assert began.today("gate", midnight(NOON + 24 * HOUR)) == 1
    assert began.last("roof") is None


def test_what_is_labelled_true_was_no_false_alarm() -> None:
    began = Began()
    for hours in range(3):
        began.add("gate", NOON + hours * HOUR)
    assert began.false("gate", NOON) == 3
    began.labelled_true([("gate", NOON - HOUR), ("gate", NOON + HOUR), ("yard", NOON)])
    assert [began.false("gate", NOON + since * HOUR) for since in (0, 1, 2)] == [2, 1, 1]
    began.labelled_true([])
    assert began.false("gate", NOON) == 3


def view_of(store: Store, clock: Clock, cameras: tuple[str, ...]) -> LiveView:
    """Of an engine that has what is looked up, and no more."""
    engine: dict[str, Any] = {
        "store": store,
        "clock": clock,
        "lines": None,
        "retention": SimpleNamespace(space=lambda: None),
        "settings": SimpleNamespace(camera=[SimpleNamespace(name=name) for name in cameras]),
        "desk": SimpleNamespace(began=Began(), known=KnownAlerts(store, Hub())),
        "telling": SimpleNamespace(muted_until=lambda _: None),
    }
    return LiveView(cast("Any", SimpleNamespace(**engine)))


def test_an_engine_that_starts_again_knows_of_today(tmp_path: Path) -> None:
    now = midnight(NOON) + 12 * HOUR
    with Store(tmp_path / "events.db") as store:
        for number, at in enumerate((now - 30 * HOUR, now - 2 * HOUR, now - HOUR)):
            store.record(replace(ENDED, id=f"{number}"), origin=at)
        store.record(replace(ENDED, id="y", source="yard"), origin=now - 72 * HOUR)
        world = World()
        view = view_of(store, Clock(lambda: world.time.now_s, lambda: now), world.names)
        asyncio.run(view.begun())
        gate, yard = (view._camera(world.crew.stations[name]) for name in world.names)
        assert (gate.alerts_today, gate.last_alert_at) == (2, now - HOUR)
        assert (yard.alerts_today, yard.last_alert_at) == (0, now - 72 * HOUR)
        assert len(view._engine.desk.known.newest()) == 4


def test_a_camera_without_alerts_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []
    last_of = Store.last_of

    def note(store: Store, sources: Iterable[str]) -> dict[str, datetime]:
        asked.append(set(sources))
        if len(asked) == 1:
            raise StoreError("it does not answer")
        return last_of(store, asked[-1])

    monkeypatch.setattr(Store, "last_of", note)
    with Store(tmp_path / "events.db") as store:
        store.record(replace(ENDED, source="roof"), origin=NOON)
        view = view_of(store, Clock(), ("gate", "yard"))
        with pytest.raises(StoreError):
            asyncio.run(view.refresh())
        for _ in range(3):
            asyncio.run(view.refresh())
        view._engine.settings.camera.append(cast("Any", SimpleNamespace(name="roof")))  # a reload
        for _ in range(3):
            asyncio.run(view.refresh())
        assert asked == [{"gate", "yard"}, {"gate", "yard"}, {"roof"}]
        assert view._engine.desk.began.last("roof") == NOON


def test_false_alarms_are_those_of_the_time_that_was_watched_and_not_labelled_true(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "events.db") as store:
        world = World()
        began_s = world.time.now_s
        view = view_of(
            store,
            Clock(
                lambda: world.time.now_s,
                lambda: NOON + timedelta(seconds=world.time.now_s - began_s),
            ),
            world.names,
        )
        store.record(replace(ENDED, id="before"), origin=NOON - HOUR)
        asyncio.run(view.begun())
        station = world.crew.stations["gate"]
        world.run(20)
        assert station.calibration is not None
        station.calibration = replace(station.calibration, promised_per_day=86_400.0)
        for second in (10, 12):
            at = NOON + timedelta(seconds=second)
            store.record(replace(ENDED, id=f"{second}"), origin=at)
            view._engine.desk.began.add("gate", at)
        watched_s = station.counters.watched_s
        assert watched_s > 10
        asyncio.run(view.refresh())
        assert view._measured(station) == pytest.approx(2 * 86_400 / watched_s, abs=0.01)
        store.label("10", "true")
        store.label("before", "true")
        asyncio.run(view.refresh())
        assert view._measured(station) == pytest.approx(86_400 / watched_s, abs=0.01)
        store.label("12", "true")
        asyncio.run(view.refresh())
        assert view._measured(station) == 0


def test_false_alarms_of_a_day_are_held_against_what_was_watched_of_it(tmp_path: Path) -> None:
    with Store(tmp_path / "events.db") as store:
        world = World()
        station = world.crew.stations["gate"]
        world.run(5)
        assert station.calibration is not None
        station.calibration = replace(station.calibration, promised_per_day=1.0)
        station.counters = Counters()
        now_s = 0.0
        clock = Clock(lambda: now_s, lambda: NOON + timedelta(seconds=now_s))
        view = view_of(store, clock, world.names)
        for day in range(4):  # open for 8 hours of each, with two false alarms
            for now_s in np.arange(day * 86_400.0, day * 86_400.0 + 8 * 3600 + 1, 60.0):
                station.counters.watched(now_s, 60.0)
            for hours in (2, 6):
                at = NOON + day * 24 * HOUR + hours * HOUR
                view._engine.desk.began.add("gate", at)
        assert view._measured(station) == pytest.approx(2 * 24 / 8, rel=0.15)
        now_s += 20 * 3600  # what is left of the day is too little to say
        assert view._measured(station) is None
