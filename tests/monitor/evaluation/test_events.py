from dataclasses import replace

import numpy as np
import pytest

from monitor.evaluation.events import (
    detection_delay_s,
    false_alarms,
    false_alarms_per_hour,
    frame_steps,
    over_threshold,
    runs,
    within_alerts,
)
from monitor.evaluation.metrics import BoolArray, EvaluationError
from monitor.evaluation.results import Event, VideoScores
from monitor.records import Alert


def flags(text: str) -> BoolArray:
    return np.array([letter == "#" for letter in text])


def video(truth: str, alarm: str, *, fps: float = 2.0) -> VideoScores:
    n = len(truth)
    times = np.arange(n) / fps
    return VideoScores("v", np.arange(n), times, flags(alarm).astype(float), label=flags(truth))


def raised(start_s: float, end_s: float) -> Alert:
    return Alert("01HAAA", "v", "end", 3, start_s, end_s, start_s, 1.5, None)


def test_runs_are_the_stretches_of_true() -> None:
    assert [(r.start, r.stop) for r in runs(flags("##..#.##"))] == [(0, 2), (4, 5), (6, 8)]
    assert not list(runs(flags("....")))


def test_delay_counts_from_the_first_anomalous_frame_and_misses_are_counted() -> None:
    videos = [
        video("..####..####..", "....##........"),  # found after two frames, then missed
        video("..####..", "####...."),  # already on when the event begins
    ]
    delays = detection_delay_s(videos, over_threshold(videos, 0.5))
    assert delays.found_s == (1.0, 0.0)
    assert (delays.missed, delays.events, delays.median_s) == (1, 3, 0.5)


def test_delay_counts_from_labelled_frames_that_have_no_score() -> None:
    late = replace(video("##..####", "##..##.."), events=(Event(-2.0, 0.5), Event(1.3, 3.5)))
    delays = detection_delay_s([late], over_threshold([late], 0.5))
    assert delays.found_s == pytest.approx((2.0, 0.7))  # before the first score, and between two


def test_an_event_that_no_scored_frame_shows_is_missed_unless_an_alarm_spans_it() -> None:
    unseen = Event(-3.0, -2.0)
    brief = replace(video("........", "##......"), events=(unseen, Event(0.1, 0.2)))
    delays = detection_delay_s([brief], over_threshold([brief], 0.5))
    assert (delays.found_s, delays.missed) == ((0.0,), 1)
    quiet = replace(video("........", "#......."), events=(Event(0.1, 0.2), Event(9.0, 9.5)))
    assert detection_delay_s([quiet], over_threshold([quiet], 0.5)).missed == 2


def test_an_alarm_before_or_after_an_event_does_not_find_it() -> None:
    videos = [video("...##...", "##....##")]
    assert detection_delay_s(videos, over_threshold(videos, 0.5)).missed == 1
    assert detection_delay_s(videos, over_threshold(videos, 0.5)).median_s is None


def test_false_alarms_are_runs_that_touch_no_anomalous_frame_per_normal_time() -> None:
    videos = [video("......####", "#.##.##..."), video("..........", "..........")]
    false = false_alarms(videos, over_threshold(videos, 0.5))
    assert (false.count, false.normal_s) == (2, 8.0)  # the third reaches into the event
    assert false_alarms_per_hour(videos, 0.5) == 2 * 3600 / 8


def test_frames_of_uneven_length_count_as_long_as_they_stand() -> None:
    times = np.r_[np.arange(0, 60, 0.1), np.arange(60, 560, 1.0)]  # a camera that got slower
    plain, none = np.zeros(len(times)), np.zeros(len(times), np.bool_)
    slowed = VideoScores("v", np.arange(len(times)), times, plain, label=none)
    assert false_alarms([slowed], [none]).normal_s == pytest.approx(560)
    half = replace(slowed, label=times < 60)
    assert false_alarms([half], [none]).normal_s == pytest.approx(500)


def test_a_silence_counts_as_no_more_footage_than_the_longest_gap() -> None:
    np.testing.assert_allclose(frame_steps(np.array([0.0, 0.5, 3600.0, 3602.0])), [0.5, 5, 2, 2])
    np.testing.assert_allclose(frame_steps(np.array([3.0])), [0])


def test_without_normal_footage_there_is_no_rate() -> None:
    assert false_alarms_per_hour([video("###", "#.#")], 0.5) is None


def test_alerts_hold_both_their_ends() -> None:
    one = video("........", "........")
    inside = within_alerts(one, [raised(0.5, 1.5), raised(3.5, 9.0)])
    np.testing.assert_array_equal(inside, flags(".###...#"))


def test_videos_without_labels_are_refused_by_name() -> None:
    bare = VideoScores("lobby", np.arange(2), np.arange(2.0), np.zeros(2))
    with pytest.raises(EvaluationError, match="lobby has no labels"):
        detection_delay_s([bare], [flags("..")])
    with pytest.raises(EvaluationError, match="lobby has no labels"):
        false_alarms_per_hour([bare], 0.5)
