import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import UsageError
from monitor.records import Frame
from monitor.sources import resample

PIXEL = np.zeros((1, 1, 3), np.uint8)


def kept(times: list[float], rate_hz: float) -> list[int]:
    frames = [Frame(PIXEL, index, time) for index, time in enumerate(times)]
    return [frame.index for frame in resample(frames, rate_hz)]


def test_thirty_to_ten_keeps_every_third() -> None:
    assert kept([i / 30 for i in range(12)], 10) == [0, 3, 6, 9]


def test_millisecond_stamps_lose_nothing() -> None:
    assert kept([round(i / 30, 3) for i in range(12)], 10) == [0, 3, 6, 9]


def test_an_uneven_ratio_does_not_drift() -> None:
    assert len(kept([i / 29.97 for i in range(2997)], 10)) == 1000


def test_a_slower_source_passes_whole() -> None:
    assert kept([0.0, 0.5, 1.0, 7.0], 10) == [0, 1, 2, 3]


def test_a_gap_yields_nothing_and_repeats_nothing() -> None:
    assert kept([0.0, 0.1, 5.02, 5.05, 5.1], 10) == [0, 1, 2, 4]


def test_the_frame_after_the_due_time_is_taken() -> None:
    assert kept([0.0, 0.09, 0.13, 0.19, 0.2], 10) == [0, 2, 4]


def test_a_clock_that_jumps_back_starts_anew() -> None:
    assert kept([0.0, 0.05, 0.1, 0.02, 0.07, 0.12], 10) == [0, 2, 3, 5]


def test_a_new_epoch_starts_anew() -> None:
    frames = [Frame(PIXEL, 0, 0.0), Frame(PIXEL, 1, 0.01, epoch=1)]
    assert len(list(resample(frames, 10))) == 2


def test_a_rate_of_zero_is_wrong() -> None:
    with pytest.raises(UsageError, match="expected a rate above 0"):
        list(resample([], 0))


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.floats(0.1, 60))
def test_never_more_than_the_rate(times: list[float], rate_hz: float) -> None:
    got = kept(times, rate_hz)
    assert got == sorted(set(got))
    if times:
        assert len(got) <= (times[-1] - times[0]) * rate_hz * 1.0 + 2
