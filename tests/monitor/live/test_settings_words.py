"""Schedules and polygons as people write them: read exactly or refused in one line."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import UsageError
from monitor.live.calendar import Calendar
from monitor.live.masks import Points, check_polygons, weight_of

MONDAY = datetime(2026, 6, 1)  # noqa: DTZ001 - the clock on the wall


def at(day: int, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("texts", "opened", "closed"),
    [
        (["mon-fri 08:00-18:00"], [(0, "8:00"), (4, "17:59")], [(0, "7:59"), (5, "9:00")]),
        (["sat,sun 00:00-24:00"], [(5, "0:00"), (6, "23:59")], [(4, "23:59"), (7, "0:00")]),
        (["22:00-06:00"], [(0, "23:00"), (0, "5:59"), (6, "22:00")], [(0, "6:00"), (3, "21:59")]),
        (["sun 22:00-06:00"], [(6, "22:00"), (7, "5:59")], [(7, "6:00"), (6, "21:59")]),
        (["fri-mon"], [(4, "0:00"), (0, "23:59")], [(1, "12:00"), (3, "12:00")]),
        (["Monday 8:00 - 9:00", "tue 10:00-11:00"], [(0, "8:30"), (1, "10:30")], [(0, "10:30")]),
        ([], [(0, "0:00"), (6, "23:59")], []),
    ],
)  # fmt: skip
def test_a_schedule_is_open_when_it_says(
    texts: list[str], opened: list[tuple[int, str]], closed: list[tuple[int, str]]
) -> None:
    calendar = Calendar.parse(texts)
    assert all(calendar.open_at(at(*moment)) for moment in opened)
    assert not any(calendar.open_at(at(*moment)) for moment in closed)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected something like"),
        ("mon-fri 8-18", "no day"),
        ("weekdays 08:00-18:00", "'weekdays' is no day"),
        ("mon 08:00-25:00", "from 00:00 to 24:00"),
        ("mon 08:60-09:00", "from 00:00 to 24:00"),
        ("mon 08:00-08:00", "begins and ends at once"),
        ("mon 08:00-09:00 10:00-11:00", "expected something like"),
        ("mon,,tue", "'' is no day"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_refused_in_one_line(text: str, part: str) -> None:
    with pytest.raises(UsageError, match=part) as refused:
        Calendar.parse([text])
    assert "\n" not in str(refused.value)


@given(st.integers(0, 7 * 24 * 60 - 1), st.sampled_from(["mon-fri 08:00-18:00", "22:00-06:00"]))
def test_the_next_change_is_the_first_minute_that_differs(minute: int, text: str) -> None:
    calendar, now = Calendar.parse([text]), MONDAY + timedelta(minutes=minute)
    change = calendar.next_change(now)
    assert change is not None
    assert calendar.open_at(change) != calendar.open_at(now)
    assert calendar.open_at(change - timedelta(minutes=1)) == calendar.open_at(now)


def test_what_is_always_open_never_changes() -> None:
    assert Calendar.parse([]).next_change(MONDAY) is None


LEFT: Points = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
WHOLE: Points = [(0, 0), (1, 0), (1, 1), (0, 1)]


def test_without_polygons_everything_counts() -> None:
    assert weight_of((4, 6)).all()


def test_polygons_cover_their_share_and_exclude_wins() -> None:
    included = weight_of((100, 200), include=[LEFT])
    assert included.mean() == pytest.approx(0.5, abs=0.01)
    assert included[:, :99].all()
    assert not included[:, 102:].any()
    excluded = weight_of((100, 200), exclude=[LEFT])
    assert not (included & excluded).any()
    assert weight_of((9, 16), include=[WHOLE]).all()
    assert not weight_of((9, 16), include=[WHOLE], privacy=[WHOLE]).any()
    both = weight_of((100, 200), include=[WHOLE], exclude=[LEFT], privacy=[LEFT])
    assert np.array_equal(both, excluded)


@pytest.mark.parametrize("kind", ["include", "exclude", "privacy"])
@pytest.mark.parametrize(
    "points",
    [[(0, 0), (0.5, 0.5), (1, 1)], [(0.1, 0.1)] * 3, [(0, 0), (1, 1), (1, 0), (0, 1)]],
)
def test_a_polygon_without_area_is_refused_by_name(kind: str, points: Points) -> None:
    polygons: dict[str, list[Points]] = {kind: [points]}
    with pytest.raises(UsageError, match=rf"camera 'door': {kind} polygon 1 has no area"):
        check_polygons("door", **polygons)


def test_polygons_that_leave_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="leave nothing of the picture"):
        check_polygons("door", include=[LEFT], exclude=[WHOLE])
    check_polygons("door", include=[LEFT, WHOLE], privacy=[LEFT])
