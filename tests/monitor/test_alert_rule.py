"""The rule's arithmetic, against loops and hand-worked values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert_rule import AlertRule, LevelMeter, judge_step, smooth
from monitor.errors import UsageError


def test_a_step_is_followed_to_63_percent_after_one_time_constant() -> None:
    times = np.arange(0, 2, 0.1)
    smoothed = smooth((times > 0.45).astype(float), times, ema_s=0.5)
    assert smoothed[9] == pytest.approx(1 - math.exp(-1))  # step at 0.4, reading of 0.9


def test_no_time_constant_leaves_the_scores() -> None:
    assert smooth([3, 1, 2], [0, 1, 2], ema_s=0).tolist() == [3, 1, 2]


@given(st.lists(st.floats(0.01, 2), min_size=1, max_size=20))
def test_a_constant_stays_a_constant_at_any_rate(steps: list[float]) -> None:
    times = np.cumsum(steps)
    assert smooth(np.full(len(times), 7.0), times, ema_s=0.5) == pytest.approx(7.0)


def levels(scores: list[float], rule: AlertRule, rate_hz: float) -> list[float]:
    meter = LevelMeter(rule)
    return [meter.feed(score, i / rate_hz).level for i, score in enumerate(scores)]


def test_the_level_is_what_was_held_for_half_of_the_last_second() -> None:
    rule = AlertRule(ema_s=0, min_s=0.5, window_s=1.0)
    found = levels([0, 9, 1, 8, 2, 7, 3], rule, rate_hz=4)  # quarters of a second: second highest
    assert found == [-math.inf, -math.inf, 1, 8, 8, 7, 7]


@given(st.lists(st.floats(0, 1), min_size=4, max_size=40), st.integers(1, 5))
def test_the_level_is_the_nth_highest_of_m_at_an_even_rate(scores: list[float], n: int) -> None:
    rule = AlertRule(ema_s=0, min_s=n / 5, window_s=1.0)
    found = levels(scores, rule, rate_hz=5)
    for i in range(5, len(scores)):
        assert found[i] == sorted(scores[i - 4 : i + 1])[-n]


def test_one_reading_every_two_seconds_is_judged_alone() -> None:
    found = levels([0, 5, 1, 6], AlertRule(ema_s=0), rate_hz=0.5)
    assert found == [-math.inf, 5, 1, 6]


def test_steps_of_the_clock() -> None:
    assert judge_step(10, 10, 5) == "next"
    assert judge_step(10, 15, 5) == "next"
    assert judge_step(10, 15.1, 5) == "gap"
    assert judge_step(10, 9.5, 5) == "late"
    assert judge_step(10, 3, 5) == "clock"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ema_s": -1}, "ema_s is -1, expected 0 or more"),
        ({"min_s": 0}, "min_s is 0, expected over 0"),
        ({"min_s": math.nan}, "min_s is nan, expected over 0"),
        ({"min_s": 2.0}, r"min_s is 2, expected at most window_s \(1\)"),
        ({"enter": 1.0, "exit": 2.0}, r"exit is 2, expected at most enter \(1\)"),
        ({"merge_s": 1.0}, r"cutoff_s is 3, expected at most merge_s \(1\)"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        AlertRule(**wrong)
