"""What is kept of scores: by the second, for as long as is said."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from monitor.config.settings import RetentionSettings
from monitor.retention import Retention
from monitor.store import Store
from monitor.store_curves import HIGHEST, Minute, minutes_of
from monitor.store_writer import Measured, StoreWriter

NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def readings(*scores: tuple[float, float]) -> list[tuple[datetime, float]]:
    return [(NOON + timedelta(seconds=at), score) for at, score in scores]


def known(minute: Minute) -> dict[int, float]:
    places = np.flatnonzero(~np.isnan(minute.levels))
    return {int(place): float(minute.levels[place]) for place in places}


def test_a_minute_has_the_highest_score_of_each_second() -> None:
    taken = readings((0.2, 0.5), (0.9, 0.25), (3.0, 2.0), (59.9, 1.0), (60.0, 4.0))
    first, second = minutes_of("door", taken)
    assert (first.at, second.at) == (NOON, NOON + timedelta(minutes=1))
    assert known(first) == {0: 0.5, 3: 2.0, 59: 1.0}
    assert known(second) == {0: 4.0}


def test_what_is_no_number_is_no_reading_and_the_infinite_is_high() -> None:
    (minute,) = minutes_of("door", readings((0, float("nan")), (1, float("inf")), (2, 1e9)))
    assert known(minute) == {1: HIGHEST, 2: HIGHEST}
    assert minutes_of("door", readings((0, float("nan")))) == []


def test_a_minute_that_comes_in_parts_or_twice_is_one(store: Store) -> None:
    parts = [*minutes_of("door", readings((1, 0.5))), *minutes_of("door", readings((1, 2), (2, 1)))]
    for part in (*parts, *parts):
        store.curves.keep([part])
    (found,) = store.curves.find(NOON, NOON)
    assert known(found) == {1: 2.0, 2: 1.0}


def test_a_span_of_one_camera_is_found_in_order(store: Store) -> None:
    for minute in (2, 0, 1, 3):
        store.curves.keep(minutes_of("door", readings((60 * minute, minute))))
        store.curves.keep(minutes_of("yard", readings((60 * minute, 9))))
    found = store.curves.find(NOON + timedelta(seconds=90), NOON + timedelta(seconds=120), "door")
    assert [known(minute)[0] for minute in found] == [1.0, 2.0]
    assert len(store.curves.find(NOON, NOON + timedelta(hours=1), most=3)) == 3


def test_the_newest_is_the_last_second_of_any_camera_and_not_its_minute(store: Store) -> None:
    assert store.curves.newest() is None
    store.curves.keep(minutes_of("door", readings((3, 0.5), (68, 0.5))))
    store.curves.keep(minutes_of("yard", readings((59, 0.5), (62, 0.5))))
    assert store.curves.newest() == NOON + timedelta(seconds=69)


def test_curves_go_with_the_days_that_evidence_is_kept(store: Store, tmp_path: Path) -> None:
    for day in (0, 3, 10, 40):
        at = NOON - timedelta(days=day)
        store.curves.keep(minutes_of("door", [(at, float(day))]))
    none = {"most_bytes": 0, "least_free_bytes": 0}
    left = []
    for days in (0.0, 365.0, 7.0, 1.0):  # 0: evidence for ever, curves for a month
        Retention(store, tmp_path, RetentionSettings(days=days, **none)).step(NOON)
        span = store.curves.find(NOON - timedelta(days=365), NOON)
        left.append([known(minute)[0] for minute in span])
    assert left == [[10.0, 3.0, 0.0], [10.0, 3.0, 0.0], [3.0, 0.0], [0.0]]


def test_the_writer_keeps_them(store: Store) -> None:
    writer = StoreWriter(store)
    writer.start()
    writer.put(Measured(tuple(minutes_of("door", readings((5, 1.5))))))
    assert writer.close()
    assert known(store.curves.find(NOON, NOON)[0]) == {5: 1.5}
