"""The life of an alert, by hand-drawn signals and by laws over drawn ones."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alert_rule import levels_of
from monitor.alerts import AlertRule, AlertStage, most_surprised, raise_alerts
from monitor.records import Alert, Frame, Reading

RULE = AlertRule(enter=0.5, exit=0.4)
PIXEL = np.zeros((1, 1, 3), np.uint8)


def reading(time_s: float, score: float, epoch: int = 0) -> Reading:
    return Reading(Frame(PIXEL, round(time_s * 30), time_s, epoch), score, p_value=1 / (1 + score))


def signal(score: Callable[[float], float], length_s: float, rate_hz: float = 10) -> list[Reading]:
    return [reading(i / rate_hz, score(i / rate_hz)) for i in range(int(length_s * rate_hz))]


def bursts(*spans: tuple[float, float], high: float = 1.0) -> Callable[[float], float]:
    """High inside the spans, 0 outside."""
    return lambda t: high if any(start <= t < stop for start, stop in spans) else 0.0


def numbered() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"A{next(numbers)}"


def alerts(readings: list[Reading], rule: AlertRule = RULE) -> list[Alert]:
    return list(raise_alerts(iter(readings), rule, source="door", id_factory=numbered()))


def last_of_each(told: list[Alert]) -> list[Alert]:
    return [alert for alert in told if alert.phase == "end"]


def test_a_burst_is_one_alert_from_its_rise_to_its_fall() -> None:
    told = alerts(signal(bursts((10, 14)), 40))
    assert [a.phase for a in told][:1] + [a.phase for a in told][-1:] == ["new", "end"]
    assert {a.id for a in told} == {"A1"}
    end = told[-1]
    # the mean of half a second passes 0.5 after 0.35 s, and falls under 0.4 after 0.46 s
    assert end.start_s == pytest.approx(10.3, abs=0.11)
    assert end.end_s == pytest.approx(14.4, abs=0.11)
    assert end.ended_by == ""
    assert end.peak_score == 1.0
    assert end.peak_p_value == 0.5
    assert end.source == "door"


def test_new_is_told_when_half_a_second_was_over() -> None:
    stage = AlertStage(RULE, source="door", id_factory=numbered())
    told_s = [r.frame.time_s for r in signal(bursts((10, 14)), 12) if stage.feed(r)]
    assert told_s[0] == pytest.approx(10.8, abs=0.11)


def test_a_flash_raises_nothing() -> None:
    assert alerts(signal(bursts((10, 10.3), high=1.2), 30)) == []


def test_a_dip_under_exit_shorter_than_the_cut_off_is_bridged() -> None:
    told = last_of_each(alerts(signal(bursts((10, 14), (16, 20)), 50)))
    assert len(told) == 1
    assert told[0].end_s == pytest.approx(20.4, abs=0.11)


def test_a_new_rise_within_merge_s_reopens_the_same_alert() -> None:
    told = alerts(signal(bursts((10, 14), (20, 24)), 50))
    assert {a.id for a in told} == {"A1"}
    assert [a.revision for a in told] == list(range(1, len(told) + 1))
    assert told[-1].end_s == pytest.approx(24.4, abs=0.11)


def test_a_wobble_between_exit_and_enter_does_not_reopen() -> None:
    told = last_of_each(alerts(signal(lambda t: 1.0 if 10 <= t < 14 else 0.45 * (t >= 18), 40)))
    assert told[0].end_s == pytest.approx(14.4, abs=0.11)


def test_a_rise_after_merge_s_is_another_alert() -> None:
    told = last_of_each(alerts(signal(bursts((10, 14), (26, 30)), 60)))
    assert [a.id for a in told] == ["A1", "A2"]


def test_the_greatest_length_splits_and_links() -> None:
    told = alerts(signal(bursts((10, 55)), 90), replace(RULE, max_s=20.0))
    ends = last_of_each(told)
    assert [a.ended_by for a in ends] == ["max_length", "max_length", ""]
    assert [a.continues for a in ends] == ["", "A1", "A2"]
    assert ends[0].end_s <= ends[1].start_s <= ends[0].end_s + 0.11


def lingering(time_s: float) -> float:
    """A rise, ten seconds between the thresholds, and another rise half a minute later."""
    return bursts((10, 20), (60, 64))(time_s) or 0.45 * (20 <= time_s < 32)


def test_an_alert_long_after_a_split_is_not_linked() -> None:
    told = last_of_each(alerts(signal(lingering, 90), replace(RULE, max_s=20.0)))
    assert [(a.continues, a.ended_by) for a in told] == [("", "max_length"), ("", "")]


def test_nothing_opens_during_warm_up() -> None:
    stage = AlertStage(RULE, source="door", id_factory=numbered())
    told_s = [r.frame.time_s for r in signal(lambda _: 1.0, 4) if stage.feed(r)]
    assert told_s[0] == pytest.approx(2.0, abs=0.01)


def test_a_long_gap_ends_the_alert_and_starts_a_warm_up() -> None:
    before = signal(bursts((10, 99)), 15)
    after = [reading(30 + i / 10, 1.0) for i in range(15)]
    told = alerts(before + after)
    assert [(a.phase, a.ended_by) for a in told[-1:]] == [("end", "gap")]
    assert told[-1].end_s == pytest.approx(14.9)


def test_a_reconnect_ends_the_alert() -> None:
    told = alerts([*signal(bursts((10, 99)), 15), reading(15.0, 1.0, epoch=1)])
    assert told[-1].ended_by == "reconnect"


def test_a_clock_set_back_ends_the_alert_but_a_late_frame_does_not() -> None:
    high = signal(bursts((10, 99)), 15)
    assert alerts([*high, reading(3.0, 1.0), reading(3.1, 1.0)])[-1].ended_by == "clock"
    assert alerts([*high, reading(14.5, 1.0), reading(15.0, 1.0)])[-1].ended_by == "end_of_source"


def test_a_score_that_is_no_number_changes_nothing() -> None:
    readings = signal(bursts((10, 14)), 40)
    with_holes = [*readings[:110], reading(10.95, float("nan")), *readings[110:]]
    assert alerts(with_holes) == alerts(readings)


def test_updates_come_with_a_higher_peak_and_every_five_seconds() -> None:
    flat = alerts(signal(bursts((10, 24)), 60))
    assert [a.phase for a in flat] == ["new", "update", "update", "end"]
    rising = alerts(signal(lambda t: t - 9 if 10 <= t < 14 else 0.0, 40))
    peaks = [a.peak_score for a in rising]
    assert peaks == sorted(peaks)
    assert len(rising) >= 5
    assert rising[-1].peak_score == pytest.approx(4.9)


def test_the_reason_is_the_most_surprised_part_at_the_peak() -> None:
    readings = [
        replace(r, terms={"part/motion": r.score, "part/frame_prediction": 0.3, "psnr_db": 30.0})
        for r in signal(bursts((10, 14)), 40)
    ]
    assert alerts(readings)[-1].reason == "motion"
    assert most_surprised({"psnr_db": 30.0}) == ""


def test_the_levels_of_a_recording_are_those_that_the_stage_compares() -> None:
    times = [*np.arange(0, 3, 0.1), 2.5, *np.arange(20, 23, 0.1), *np.arange(1, 3, 0.1)]
    scores = np.sin(np.arange(len(times)))
    scores[40] = np.nan
    stage, compared = AlertStage(RULE, source="door"), []
    for time_s, score in zip(times, scores, strict=True):
        before = stage.level
        stage.feed(reading(float(time_s), float(score)))
        compared.append(stage.level)
        assert before == stage.level or np.isfinite(score)
    found = levels_of(scores, times, RULE)
    for passed_over in (30, 40):  # a late one, and one that is no number
        assert found[passed_over] == -np.inf
        found[passed_over] = compared[passed_over]
    np.testing.assert_array_equal(found, compared)


def test_an_uncalibrated_rule_never_alerts() -> None:
    assert alerts(signal(lambda _: 1e9, 30), AlertRule()) == []


def test_ids_are_ulids_unless_told_otherwise() -> None:
    told = list(raise_alerts(signal(bursts((10, 14)), 40), RULE, source="door"))
    assert len(told[0].id) == 26


noise = st.lists(st.floats(0, 1.2), min_size=1, max_size=60)
steps = st.lists(
    st.sampled_from([0.1, 0.1, 0.1, 0.5, 2.0, 7.0, -0.3, -20.0]), min_size=1, max_size=60
)
quick = replace(RULE, cutoff_s=0.5, merge_s=1.0, max_s=3.0, warmup_s=0.5)


def held(scores: list[float], hold: int = 8) -> Iterator[Reading]:
    return (reading(i / 10, scores[i // hold]) for i in range(hold * len(scores)))


@given(noise)
def test_each_alert_is_new_once_first_and_ends_once_last(scores: list[float]) -> None:
    by_id: dict[str, list[Alert]] = {}
    for alert in alerts(list(held(scores)), quick):
        by_id.setdefault(alert.id, []).append(alert)
    for told in by_id.values():
        assert [a.phase for a in told] == ["new", *["update"] * (len(told) - 2), "end"]
        assert [a.revision for a in told] == list(range(1, len(told) + 1))
        assert len({a.start_s for a in told}) == 1
        assert all(a.end_s <= b.end_s and a.peak_score <= b.peak_score for a, b in pairwise(told))


@given(noise)
def test_alerts_do_not_overlap_and_hold_their_peak(scores: list[float]) -> None:
    ends = last_of_each(alerts(list(held(scores)), quick))
    assert all(a.end_s <= b.start_s for a, b in pairwise(ends))
    for alert in ends:
        assert alert.start_s <= alert.peak_s <= alert.end_s
        assert alert.peak_score > quick.enter
        assert alert.end_s - alert.start_s <= quick.max_s + 0.11


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=30))
def test_scores_at_or_under_enter_raise_nothing(low: list[float]) -> None:
    assert alerts(list(held(low)), quick) == []


@given(noise, steps)
def test_any_clock_leaves_alerts_whole(scores: list[float], times: list[float]) -> None:
    pairs = zip(np.cumsum(times).tolist(), scores * 60, strict=False)
    told = alerts([reading(time_s, score) for time_s, score in pairs], quick)
    assert sum(a.phase == "new" for a in told) == sum(a.phase == "end" for a in told)


@given(noise, st.integers(1, 100))
def test_how_the_stream_is_cut_into_pieces_does_not_matter(scores: list[float], size: int) -> None:
    readings = list(held(scores))
    stage = AlertStage(quick, source="door", id_factory=numbered())
    told: list[Alert] = []
    for start in range(0, len(readings), size):
        told += [alert for item in readings[start : start + size] for alert in stage.feed(item)]
    assert told + stage.close() == alerts(readings, quick)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.floats(2, 6), st.sampled_from([2.0, 6.0, 20.0])), max_size=4))
def test_the_same_scene_at_10_and_at_30_hz_raises_the_same_alerts(
    draws: list[tuple[float, float]],
) -> None:
    spans, now_s = [], 5.0
    for length_s, pause_s in draws:
        spans.append((now_s, now_s + length_s))
        now_s += length_s + pause_s
    slow, fast = (
        last_of_each(alerts(signal(bursts(*spans), now_s + 5, rate_hz))) for rate_hz in (10, 30)
    )
    assert len(slow) == len(fast)
    for a, b in zip(slow, fast, strict=True):
        assert a.start_s == pytest.approx(b.start_s, abs=0.2)
        assert a.end_s == pytest.approx(b.end_s, abs=0.2)
