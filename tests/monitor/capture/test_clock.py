"""Times rise without leaps, whatever a camera's clock does."""

from collections.abc import Sequence

import numpy as np
import pytest

from monitor.capture.clock import EARLY, StreamClock, Thinner


def times(pairs: Sequence[tuple[float | None, float]], *, live: bool = True) -> list[float]:
    clock = StreamClock(live=live)
    return [round(clock.time_s(presented_s, received_s), 3) for presented_s, received_s in pairs]


def test_presentation_times_are_believed_over_arrival() -> None:
    assert times([(50.0, 0.0), (50.1, 0.13), (50.2, 0.18), (50.3, 0.31)]) == [0, 0.1, 0.2, 0.3]


def test_frames_that_pile_up_in_a_stall_keep_their_times() -> None:
    stalled = [(0.0, 0.0), (0.1, 0.1), (0.2, 30.0), (0.3, 30.001), (0.4, 30.002)]
    assert times(stalled) == [0, 0.1, 0.2, 0.3, 0.4]
    skipped = [(0.0, 0.0), (0.1, 0.1), (0.2, 30.0), (30.0, 30.05)]
    assert times(skipped) == [0, 0.1, 0.2, 30.0]


@pytest.mark.parametrize("leap_s", [-3600.0, -5.0, 3600.0, 86400.0])
def test_a_clock_that_leaps_is_set_by_arrival_and_then_followed(leap_s: float) -> None:
    pairs = [(9.0, 0.0), (9.1, 0.1), (9.2 + leap_s, 0.25), (9.3 + leap_s, 0.3)]
    assert times(pairs) == [0, 0.1, 0.25, 0.35]


def test_without_a_clock_arrival_counts() -> None:
    assert times([(None, 5.0), (None, 5.5), (None, 65.5)]) == [0, 0.5, 60.5]
    assert times([(None, 5.0), (7.0, 5.5), (7.1, 5.7)]) == [0, 0.5, 0.6]


def test_a_clock_that_stands_still_still_rises() -> None:
    seen = times([(1.0, 0.0), (1.0, 0.0), (1.0, 0.0)])
    assert seen[0] < seen[1] < seen[2]


def test_a_file_read_fast_keeps_its_gaps() -> None:
    assert times([(0.0, 0.0), (0.1, 0.01), (60.0, 0.02)], live=False) == [0, 0.1, 60.0]


def test_thinning_keeps_the_first_frame_at_or_after_each_due_time() -> None:
    thinner = Thinner(10)
    kept = [index for index in range(50) if thinner.keeps(index / 25)]
    assert kept == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28, 30, 33, 35, 38, 40, 43, 45, 48]
    thousand = Thinner(10)
    assert sum(thousand.keeps(index / 1000) for index in range(5000)) == 50
    slow = Thinner(10)
    assert all(slow.keeps(index * 60.0) for index in range(5))
    early = Thinner(10, early=0.25)
    assert [early.keeps(s) for s in (0.0, 0.08, 0.12, 0.2, 0.28)] == [True, True, False, True, True]
    everything = Thinner(0)
    assert all(everything.keeps(index / 1000) for index in range(10))


def test_a_live_stream_of_the_rate_that_is_wanted_loses_nothing_to_jitter() -> None:
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, 1000)
    arrivals = np.arange(1000) / 10 + jitter
    exact, tolerant = Thinner(10), Thinner(10, early=EARLY)
    assert sum(exact.keeps(s) for s in arrivals) < 800
    assert sum(tolerant.keeps(s) for s in arrivals) >= 990
