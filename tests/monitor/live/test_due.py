"""The order of scoring: everyone his rate, or equal shares; no bursts, no favourites."""

import itertools
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.live.due import DueTimes, Pick


def simulate(
    fps: dict[str, float], seconds: float, cost_s: float, limit: int = 1
) -> dict[str, list[float]]:
    """A scorer that takes `cost_s` a frame, cameras that always have a new one."""
    due, now_s = DueTimes(), 0.0
    for name, rate in fps.items():
        due.put(name, rate, "model", 0.0)
    served: dict[str, list[float]] = {name: [] for name in fps}
    while now_s < seconds:
        pick = due.due(now_s, dict.fromkeys(fps, now_s), limit)
        for name in pick.cameras:
            served[name].append(now_s)
        now_s += cost_s * len(pick.cameras) or max(1e-3, due.next_s(now_s))
    return served


def fair_rates(fps: dict[str, float], capacity: float) -> dict[str, float]:
    """Max-min fair shares by pouring: who wants least is served first."""
    shares, left, names = {}, capacity, sorted(fps, key=fps.__getitem__)
    for i, name in enumerate(names):
        shares[name] = min(fps[name], left / (len(names) - i))
        left -= shares[name]
    return shares


RATES = st.dictionaries(
    st.sampled_from("abcdefgh"), st.sampled_from([0.2, 0.5, 1.0, 2.0, 3.0, 7.0]), min_size=1
)


@given(RATES, st.integers(1, 4), st.floats(0.1, 0.9))
@settings(max_examples=20, deadline=None)
def test_where_time_suffices_everyone_has_its_rate_within_a_frame(
    fps: dict[str, float], limit: int, load: float
) -> None:
    served = simulate(fps, 20.0, load / (sum(fps.values()) + max(fps.values()) * limit), limit)
    for name, moments in served.items():
        assert abs(len(moments) - 20.0 * fps[name]) <= 1


@given(RATES, st.floats(1.05, 5))
@settings(max_examples=20, deadline=None)
def test_where_it_does_not_all_get_equal_shares(fps: dict[str, float], load: float) -> None:
    capacity = sum(fps.values()) / load
    served = simulate(fps, 40.0, 1 / capacity)
    for name, share in fair_rates(fps, capacity).items():
        assert len(served[name]) == pytest.approx(40 * share, abs=3 + 0.1 * 40 * share)


@given(
    RATES,
    st.lists(st.tuples(st.floats(0.001, 3), st.sets(st.sampled_from("abcdefgh"))), max_size=60),
)
@settings(max_examples=20, deadline=None)
def test_however_late_and_patchy_no_camera_is_ever_served_in_a_burst(
    fps: dict[str, float], calls: list[tuple[float, set[str]]]
) -> None:
    due, now_s = DueTimes(), 0.0
    served: dict[str, list[float]] = {name: [] for name in fps}
    for name, rate in fps.items():
        due.put(name, rate, "model", 0.0)
    for step_s, running in calls:
        now_s += step_s
        for name in due.due(now_s, dict.fromkeys(running, now_s), 8).cameras:
            served[name].append(now_s)
    for name, moments in served.items():
        spans = itertools.pairwise(moments)
        assert all(b - a >= 0.25 / fps[name] - 1e-9 for a, b in spans)
        for moment in moments:
            within = sum(moment <= other < moment + 5 / fps[name] for other in moments)
            assert within <= 7


def test_batches_hold_one_bucket_and_no_camera_comes_first_always() -> None:
    due = DueTimes()
    for name, bucket in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")):
        due.put(name, 1.0, bucket, 0.0)
    frames = dict.fromkeys("abcd", 0.0)
    assert due.due(0.0, frames, 2) == Pick("x", ("a", "c"))
    assert due.due(0.0, frames, 2) == Pick("y", ("b",))
    assert due.due(0.0, frames, 2) == Pick("x", ("d",))
    assert due.due(0.0, frames, 2) == Pick(None)
    firsts = set()
    for second in range(1, 20):
        frames = dict.fromkeys("abcd", float(second))
        firsts.add(due.due(second, frames, 4).cameras[0])
        due.due(second, frames, 4)
    assert len(firsts) > 1


def test_a_stale_frame_is_handed_back_and_its_camera_is_still_due() -> None:
    due = DueTimes(stale_s=0.5)
    due.put("a", 1.0, "x", 0.0)
    assert due.due(1.0, {"a": 0.4}, 1) == Pick(None, (), ("a",))
    assert due.due(1.0, {"a": 0.6}, 1) == Pick("x", ("a",))


def test_who_does_not_run_is_not_waited_for() -> None:
    due = DueTimes()
    due.put("away", 10.0, "x", 0.0)
    due.put("here", 1.0, "x", 0.0)
    assert due.due(5.0, {"here": 5.0}, 8).cameras == ("here",)
    assert due.next_s(5.0, {"here": 5.0}) == pytest.approx(0.25)
    due.remove("away")
    due.remove("away")
    assert due.next_s(5.0, {"away": 5.0}) == inf


def test_a_new_rate_holds_from_the_last_turn_on() -> None:
    due = DueTimes()
    due.put("a", 1.0, "x", 0.0)
    due.due(0.0, {"a": 0.0}, 1)
    due.put("a", 4.0, "x", 0.0)
    assert due.next_s(0.0) == pytest.approx(0.25)
