"""Promises, held against long simulated footage; p-values, against counting."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from monitor.alert_rule import AlertRule
from monitor.calibration import Calibration, Recording, calibrate
from monitor.errors import CalibrationError
from monitor.promise import Watched, cautious_level, watch_levels

RATE_HZ = 2
HOUR = 3600 * RATE_HZ
Series = NDArray[np.float64]


def correlated(size: int, seed: int, *, heavy: bool = False) -> Series:
    """AR(1) with a memory of a second, driven by Gauss or by Student's t with 4 degrees."""
    generator = np.random.default_rng(seed)
    kicks = generator.standard_t(4, size) if heavy else generator.standard_normal(size)
    keep = np.exp(-1 / RATE_HZ)
    series: Series = lfilter([1 - keep], [1, -keep], kicks)
    return series


def recording(scores: ArrayLike, rate_hz: float = RATE_HZ) -> Recording:
    scores = np.asarray(scores, float)
    return Recording(scores, np.arange(len(scores)) / rate_hz)


def promise(scores: Series, per_day: float) -> Calibration:
    return calibrate([recording(scores)], AlertRule(), false_alarms_per_day=per_day)


@pytest.mark.parametrize("heavy", [False, True])
def test_the_measured_rate_is_within_a_factor_of_two_of_the_promised(heavy: bool) -> None:  # noqa: FBT001
    calibration = promise(correlated(4 * HOUR, 1, heavy=heavy), 48)
    unseen = correlated(24 * HOUR, 2, heavy=heavy)
    watched = watch_levels([(unseen, np.arange(len(unseen)) / RATE_HZ)], AlertRule())
    measured = watched.alerts(calibration.rule.enter, 10.0) / watched.seconds * 86_400
    assert calibration.promise_kept_by_data
    assert 24 <= measured <= 96


def test_short_footage_errs_towards_silence_and_says_so() -> None:
    unseen = correlated(20 * HOUR, 3)
    watched = watch_levels([(unseen, np.arange(len(unseen)) / RATE_HZ)], AlertRule())
    for seed in range(5):
        calibration = promise(correlated(HOUR // 6, seed), 24)
        assert not calibration.promise_kept_by_data
        assert calibration.rule.enter == calibration.enter_high
        assert watched.alerts(calibration.rule.enter, 10.0) <= 20


def test_a_promise_is_kept_for_two_readings_a_second_too() -> None:
    def spiky(seconds: int, seed: int) -> tuple[Series, Series]:
        generator = np.random.default_rng(seed)
        scores = generator.gamma(2.0, 1.0, 10 * seconds)  # of each frame by itself
        return scores, np.arange(len(scores)) / 10

    def per_day(rule: AlertRule) -> float:
        scores, times_s = spiky(8 * 3600, 2)
        watched = watch_levels([(scores[::5], times_s[::5])], rule)
        return watched.alerts(rule.enter, rule.merge_s) / watched.seconds * 86_400

    calibration = calibrate([Recording(*spiky(3600, 1))], AlertRule(), false_alarms_per_day=200)
    sparse = calibration.for_sparse_readings()
    assert calibration.sparse > 1.2
    assert per_day(calibration.rule) > 1000
    assert 100 <= per_day(sparse.rule) <= 400
    assert Calibration.from_dict(calibration.to_dict()).sparse == calibration.sparse


def test_another_rate_is_promised_and_kept_without_the_footage() -> None:
    asked = promise(correlated(24 * HOUR, 1), 6).at_rate(48)
    unseen = correlated(24 * HOUR, 2)
    watched = watch_levels([(unseen, np.arange(len(unseen)) / RATE_HZ)], AlertRule())
    measured = watched.alerts(asked.rule.enter, 10.0) / watched.seconds * 86_400
    assert (asked.promised_per_day, asked.promise_kept_by_data) == (48, True)
    assert 24 <= measured <= 96
    assert asked.display(asked.rule.enter) == 1
    assert asked.rule.exit < asked.rule.enter


def test_a_rate_read_off_is_that_of_calibrating_for_it() -> None:
    scores = correlated(6 * HOUR, 3)
    base = promise(scores, 24)
    enters = [base.at_rate(rate).rule.enter for rate in (0.1, 1, 5, 24, 60, 300)]
    assert enters == sorted(enters, reverse=True)
    assert base.at_rate(24) is base
    assert base.at_rate(10).rule.enter == pytest.approx(promise(scores, 10).rule.enter)
    assert base.at_rate(1).hours_more == pytest.approx(promise(scores, 1).hours_more)
    assert {type(value) for pair in base.to_dict()["rates"] for value in pair} == {float}
    again = Calibration.from_dict(base.to_dict())
    assert again.at_rate(5).rule == base.at_rate(5).rule


def test_more_alerts_than_the_rule_can_raise_are_no_rate() -> None:
    with pytest.raises(CalibrationError, match="are one, so ask for fewer than 8640"):
        promise(correlated(HOUR, 3), 10_000)


def test_beyond_what_was_calibrated_the_nearest_is_taken_and_said() -> None:
    base = promise(correlated(HOUR, 3), 24)
    most, least = base.at_rate(1e6), base.at_rate(1e-6)
    assert most.promised_per_day == base.rates[-1][0]
    assert least.promised_per_day == 0.1
    assert least.rule.enter > base.rule.enter > most.rule.enter
    assert "set for 24 alerts per day, asked for 0.1" in least.notes[0]


def test_a_calibration_of_before_knows_its_own_rate_only() -> None:
    plain = promise(correlated(HOUR, 3), 24).to_dict()
    del plain["rates"]
    old = Calibration.from_dict(plain)
    assert old.at_rate(1) is old


def test_readings_that_come_seldom_anyway_need_no_other_threshold() -> None:
    assert promise(correlated(HOUR, 1), 48).sparse == 1.0


def test_footage_quieter_after_its_warm_up_than_in_it_is_judged_by_its_highest_score() -> None:
    rule = AlertRule()
    times = np.arange(0, rule.warmup_s + 0.3, 0.05)
    scores = np.where(times < 1.3, 2.0, 1.0) + 0.01 * np.sin(times)
    calibration = calibrate([Recording(scores, times)], rule, false_alarms_per_day=24)
    assert calibration.rule.enter == calibration.enter_high == scores.max()
    assert calibration.display(scores.max()) == 1
    assert not calibration.promise_kept_by_data
    assert "highest score seen" in calibration.notes[0]


def test_a_minute_of_footage_asks_for_three_days_to_state_one_alarm_a_day() -> None:
    calibration = promise(correlated(62 * RATE_HZ, 4), 1)
    assert calibration.footage_s == pytest.approx(60, abs=1)
    assert calibration.hours_more == pytest.approx(72 - 1 / 60, abs=0.01)
    assert calibration.vouched_per_day == pytest.approx(3 * 86_400 / 60, rel=0.02)  # rule of three
    assert any("60 s of normal footage cannot show 1 false" in note for note in calibration.notes)
    assert np.isfinite(calibration.rule.enter)


def test_a_rarer_alarm_needs_a_higher_threshold() -> None:
    scores = correlated(2 * HOUR, 5)
    enters = [promise(scores, per_day).rule.enter for per_day in (96, 24, 6, 1)]
    assert enters == sorted(enters)
    assert len(set(enters)) == 4


def test_the_interval_holds_the_threshold_and_the_exit_lies_under_it() -> None:
    calibration = promise(correlated(HOUR, 6), 100)
    assert calibration.enter_low < calibration.rule.enter < calibration.enter_high
    assert calibration.median < calibration.rule.exit < calibration.rule.enter


def test_more_footage_narrows_the_interval() -> None:
    wide, narrow = (promise(correlated(hours * HOUR, 7), 96) for hours in (1, 8))
    assert narrow.enter_high - narrow.enter_low < wide.enter_high - wide.enter_low


def test_many_short_recordings_are_as_good_as_a_long_one() -> None:
    scores = correlated(2 * HOUR, 8)
    whole = promise(scores, 48)
    parts = [recording(part) for part in np.split(scores, 20)]
    cut = calibrate(parts, AlertRule(), false_alarms_per_day=48)
    assert cut.rule.enter == pytest.approx(whole.rule.enter, rel=0.1)
    assert cut.footage_s == pytest.approx(whole.footage_s - 19 * 2.5, abs=1)  # each its warm-up


def test_the_warm_up_does_not_count() -> None:
    scores = correlated(HOUR, 9)
    loud = scores.copy()
    loud[:2] = scores.max() + 1  # gone from the smoothed score two seconds later
    assert promise(loud, 48).rule.enter == pytest.approx(promise(scores, 48).rule.enter, rel=0.05)


def test_the_p_value_is_one_plus_the_scores_as_high_over_one_plus_all() -> None:
    calibration = promise(np.tile([1.0, 2.0, 3.0, 4.0], 50), 100)
    assert calibration.p_value([0.0, 2.0, 3.5]) == pytest.approx([1.0, 151 / 201, 51 / 201])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-5, 20), min_size=2, max_size=30))
def test_p_values_never_rise_and_stay_over_zero(scores: list[float]) -> None:
    p = CALIBRATED.p_value(np.sort(scores))
    assert (np.diff(p) <= 0).all()
    assert ((p > 0) & (p <= 1)).all()


def test_scores_far_beyond_all_seen_are_still_told_apart() -> None:
    p = CALIBRATED.p_value([1.0, 2.0, 4.0])
    assert p[0] > p[1] > p[2] > 0


def test_the_tail_joins_without_a_step_and_goes_below_one_in_n() -> None:
    start = CALIBRATED.tail.start
    before, after = CALIBRATED.p_value([start, np.nextafter(start, np.inf)])
    assert after == pytest.approx(before)
    assert CALIBRATED.p_value(10 * start) < 1 / CALIBRATED.readings


def test_p_values_of_unseen_normal_scores_are_uniform() -> None:
    p = CALIBRATED.p_value(correlated(8 * HOUR, 11))
    for level in (0.5, 0.1, 0.01, 0.001):
        assert level / 2.5 <= (p <= level).mean() <= 1.35 * level  # the tail errs upwards


def test_kept_quantiles_never_make_a_p_value_smaller() -> None:
    scores = correlated(2 * HOUR, 12)
    calibration = promise(scores, 48)
    assert len(calibration.scores) == 4096
    assert calibration.scores[-1] == scores.max()
    asked = np.quantile(scores, np.linspace(0, 0.94, 50))
    exact = np.array([(1 + (scores >= s).sum()) / (len(scores) + 1) for s in asked])
    found = calibration.p_value(asked)
    assert (found >= exact - 1e-12).all()
    assert (found <= exact + 1 / 4096 + 1e-9).all()


def test_the_display_has_the_median_at_zero_and_the_threshold_at_one() -> None:
    shown = CALIBRATED.display([CALIBRATED.median, CALIBRATED.rule.enter])
    assert shown == pytest.approx([0, 1])
    far = CALIBRATED.regularity([-99, CALIBRATED.median, CALIBRATED.rule.enter, 99])
    assert far == pytest.approx([1, 1, 0.5, 0])


def test_plain_values_survive_json() -> None:
    again = Calibration.from_dict(json.loads(json.dumps(CALIBRATED.to_dict())))
    asked = np.linspace(-1, 3, 50)
    assert (again.p_value(asked) == CALIBRATED.p_value(asked)).all()
    assert again.rule == CALIBRATED.rule
    assert again.to_dict() == CALIBRATED.to_dict()


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([], "no normal footage to calibrate on"),
        ([1.0, np.nan, 2.0], "1 of 3 scores or times are not finite"),
        ([1.0, np.inf], "1 of 2 scores or times are not finite"),
        (np.full(100, 2.5), "all 100 scores are 2.5"),
        ([1.0, 2.0, 3.0], "recordings must be longer than 2 s"),
    ],
)
def test_scores_that_teach_nothing_are_refused(scores: ArrayLike, said: str) -> None:
    with pytest.raises(CalibrationError, match=said):
        calibrate([recording(scores)], AlertRule(), false_alarms_per_day=1)


def test_no_recording_at_all_is_refused() -> None:
    with pytest.raises(CalibrationError, match="no normal footage"):
        calibrate([], AlertRule(), false_alarms_per_day=1)


@pytest.mark.parametrize("per_day", [0, -1, np.inf, np.nan])
def test_a_rate_that_is_none_is_refused(per_day: float) -> None:
    with pytest.raises(CalibrationError, match="expected over 0"):
        promise(correlated(HOUR, 1), per_day)


def test_scores_without_their_times_are_refused() -> None:
    with pytest.raises(CalibrationError, match="one time per score"):
        calibrate([Recording([1.0, 2.0], [0.0])], AlertRule(), false_alarms_per_day=1)


CALIBRATED = promise(correlated(2 * HOUR, 10), 48)


def test_an_extrapolated_threshold_is_raised_over_other_normal_footage() -> None:
    calibration = promise(correlated(2 * 60 * RATE_HZ, 1), 24)
    assert not calibration.promise_kept_by_data
    busy = correlated(20 * 60 * RATE_HZ, 2)
    busy[600:640] = 10 * calibration.rule.enter
    raised = calibration.raised_over([recording(busy)])
    assert raised.rule.enter > 9.9 * calibration.rule.enter
    assert calibration.median < raised.rule.exit < raised.rule.enter
    assert "raised" in raised.notes[-1]


def test_quieter_footage_and_a_vouched_threshold_change_nothing() -> None:
    short = promise(correlated(2 * 60 * RATE_HZ, 1), 24)
    assert short.raised_over([recording(0.1 * correlated(600, 2))]) is short
    vouched = promise(correlated(4 * HOUR, 1), 48)
    assert vouched.raised_over([recording(100 + correlated(600, 2))]) is vouched


def test_seconds_of_footage_extrapolate_an_exponential_through_median_and_top() -> None:
    levels, rule = np.array([0.0, 1.0, 1.0, 3.0]), AlertRule()  # a memory of two seconds
    watched = Watched(np.arange(4.0), levels, np.zeros(4, np.intp), seconds=6.0)
    found = cautious_level(watched, rule, rate_per_s=24 / 86_400)
    draws = np.random.default_rng(0).exponential(size=(200_000, 3)).max(axis=1)
    scale = (3 - 1) / np.quantile(draws, 0.05)
    assert found == pytest.approx(1 + scale * np.log(3 / (6 * 24 / 86_400)), rel=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_ten_seconds_that_are_calibrated_on_do_not_raise_an_alert_in_the_next_hour(
    seed: int,
) -> None:
    series = correlated(HOUR, seed)
    short = recording(series[: 10 * RATE_HZ])
    calibration = calibrate([short], AlertRule(), false_alarms_per_day=24).raised_over([short])
    watched = watch_levels([(series, np.arange(len(series)) / RATE_HZ)], AlertRule())
    assert watched.alerts(calibration.rule.enter, 10.0) <= 2


TAIL, RULE = CALIBRATED.to_dict()["tail"], CALIBRATED.to_dict()["rule"]


@pytest.mark.parametrize(
    "change",
    [
        {"median": ...},
        {"tail": {"start": 1}},
        {"extra": 1},
        {"tail": TAIL | {"scale": -1}},
        {"tail": TAIL | {"shape": "x"}},
        {"rule": RULE | {"enter": np.nan}},
        {"rule": RULE | {"enter": -9.0, "exit": -9.0}},
        {"rule": RULE | {"min_s": -4}},
        {"scores": []},
        {"scores": [np.nan]},
        {"scores": [2.0, 1.0]},
        {"scores": 10**400},
        {"median": np.nan},
        {"median": "x"},
        {"footage_s": -1},
        {"rates": [[1.0, 0.0]]},
        {"notes": "abc"},
    ],
)
def test_a_damaged_dictionary_is_refused(change: dict[str, object]) -> None:
    plain = CALIBRATED.to_dict() | change
    if change == {"median": ...}:
        del plain["median"]
    with pytest.raises(CalibrationError, match=r"calibration is damaged .* Calibrate again"):
        Calibration.from_dict(plain)
