"""Thresholds raised by labels: known answers, laws, and long simulated watching."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from monitor.alert_rule import AlertRule, Series
from monitor.calibration import DAY_S, Calibration, Recording, calibrate
from monitor.errors import CalibrationError
from monitor.promise import events_of, raise_threshold, rate_bound, watch_levels
from monitor.recalibration import lost, raise_by_labels, sort_labels
from monitor.store import Label, Labelled

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RATE_HZ = 2
HOUR = 3600 * RATE_HZ


def label(
    level: float | None, said: Label = "normal_here", *, digest: str = "d", camera: str = "door"
) -> Labelled:
    return Labelled(f"01H{level}", camera, said, 9.0, level, 2.0, digest, NOON)


def labels(levels: NDArray[np.float64]) -> list[Labelled]:
    return [label(float(level)) for level in levels]


def series(
    size: int, seed: int, scale: float = 1.0
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    kicks = np.random.default_rng(seed).standard_normal(size) * scale
    keep = np.exp(-1 / RATE_HZ)
    found: Series = lfilter([1 - keep], [1, -keep], kicks)
    return found


def calibrated(per_day: float = 24, hours: float = 0.5) -> Calibration:
    scores = series(round(hours * HOUR), 1)
    recording = Recording(scores, np.arange(len(scores)) / RATE_HZ)
    return calibrate([recording], AlertRule(), false_alarms_per_day=per_day)


def test_an_exponential_tail_is_read_off() -> None:
    heights = 2 + np.random.default_rng(0).exponential(1.0, 2000)
    found = raise_threshold(2.0, heights, earlier=0, seconds=1e6, rate_per_s=200e-6)
    assert found.founded  # 200 expected
    assert found.level == pytest.approx(2 + np.log(10), abs=0.15)
    assert found.low <= found.level <= found.high
    assert (heights > found.level).mean() == pytest.approx(0.1, abs=0.02)


def test_earlier_peaks_count_as_others_do() -> None:
    heights = 2 + np.random.default_rng(0).exponential(1.0, 1000)
    alone = raise_threshold(2.0, heights, earlier=0, seconds=1e6, rate_per_s=200e-6).level
    more = raise_threshold(2.0, heights, earlier=1000, seconds=1e6, rate_per_s=200e-6).level
    assert more - alone == pytest.approx(np.log(2), abs=0.1)


def test_of_fewer_than_five_the_highest_is_taken() -> None:
    found = raise_threshold(
        2.0, np.array([2.5, 3.5, 2.2]), earlier=0, seconds=DAY_S, rate_per_s=1 / DAY_S
    )
    assert found.level == 3.5
    assert not found.founded


@pytest.mark.parametrize("events", [0, 1, 7, 120])
def test_a_bound_tells_how_many_there_were(events: int) -> None:
    assert events_of(rate_bound(events, 5000.0), 5000.0) == events


def test_a_promise_that_holds_moves_nothing_but_what_vouches_for_it() -> None:
    before = calibrated()
    after = raise_by_labels(before, [label(before.rule.enter + 1)], 3 * DAY_S)
    assert after.rule == before.rule
    assert after.footage_s == before.footage_s + 3 * DAY_S
    assert after.vouched_per_day < before.vouched_per_day
    assert "the threshold stays" in after.notes[0]


def test_a_scene_busier_than_its_footage_keeps_its_promise_afterwards() -> None:
    before = calibrated(per_day=96, hours=1)
    rule, day = before.rule, 6 * HOUR
    times = np.arange(day) / RATE_HZ
    watched = watch_levels([(series(day, 2, 1.25), times)], rule)
    over = watched.levels > rule.enter
    starts = np.flatnonzero(over)[np.r_[True, np.diff(watched.times_s[over]) >= rule.merge_s]]
    peaks = np.array(
        [watched.levels[s : s + 60][watched.levels[s : s + 60] > rule.enter].max() for s in starts]
    )
    assert len(peaks) > 24 * 3  # three times what was promised in six hours
    after = raise_by_labels(before, labels(peaks), DAY_S / 4)
    unseen = watch_levels([(series(day, 3, 1.25), times)], rule)
    measured = unseen.alerts(after.rule.enter, rule.merge_s) / unseen.seconds * DAY_S
    assert 48 <= measured <= 192
    assert after.promise_kept_by_data
    assert rule.exit <= after.rule.exit <= after.rule.enter
    again = Calibration.from_dict(after.to_dict())
    assert again.rule == after.rule
    assert float(after.display(after.rule.enter)) == 1


def test_more_and_higher_labels_never_lower_it() -> None:
    before = calibrated(per_day=1)
    enter = before.rule.enter
    levels = [enter + height for height in (0.1, 0.3, 0.2, 0.4, 0.1, 0.6)]
    reached = [
        raise_by_labels(before, [label(v) for v in levels[:n]], 2 * DAY_S).rule.enter
        for n in (1, 4, 6)
    ]
    assert enter <= reached[0] <= reached[1] <= reached[2]
    assert reached[1] == max(levels[:4])


def test_labels_are_taken_or_left_out_with_a_reason() -> None:
    found = sort_labels(
        [
            label(3.0),
            label(None),
            label(3.0, digest="other"),
            label(3.0, camera="yard"),
            label(3.0, "unsure"),
            label(2.1, "true"),
            label(9.0, "true"),
        ],
        "d",
        "door",
    )
    assert [one.peak_level for one in found.normal] == [3.0]
    assert sum(found.left_out.values()) == 4
    assert len(found.left_out) == 4
    assert [one.peak_level for one in lost(found, 2.5)] == [2.1]
    assert len(sort_labels([label(3.0, camera="yard")], "d").normal) == 1


def test_true_alerts_never_move_it() -> None:
    before = calibrated(per_day=1)
    levels = before.rule.enter + np.linspace(0.1, 1, 20)
    said = [*labels(levels), *(label(before.rule.enter + 50, "true") for _ in range(30))]
    with_true = raise_by_labels(before, sort_labels(said, "d").normal, DAY_S)
    assert with_true.rule == raise_by_labels(before, labels(levels), DAY_S).rule


def test_nothing_to_learn_from_is_one_line() -> None:
    with pytest.raises(CalibrationError, match="normal_here"):
        raise_by_labels(calibrated(), [], DAY_S)
    with pytest.raises(CalibrationError, match="expected over 0"):
        raise_by_labels(calibrated(), [label(9.0)], 0.0)


def test_twice_is_as_honest_as_once() -> None:
    """What the first time raised is the ground that the second stands on."""
    before = calibrated(per_day=1)
    heights = np.random.default_rng(5).exponential(0.2, 40) + before.rule.enter
    first = raise_by_labels(before, labels(heights), 2 * DAY_S)
    second = raise_by_labels(first, labels(first.rule.enter + heights[:3] - heights.min()), DAY_S)
    assert second.rule.enter >= first.rule.enter
    assert second.footage_s == pytest.approx(before.footage_s + 3 * DAY_S)
