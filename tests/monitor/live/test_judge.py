"""One camera's alerts on one clock, through reconnections and pauses."""

import pytest

from monitor.calibration import Calibration
from monitor.live.judge import Judge, calibration_for
from monitor.live.messages import LiveReading
from monitor.records import Alert
from tests.monitor.live.scripted import loaded


@pytest.fixture
def judge() -> Judge:
    return Judge(Calibration.from_dict(loaded("m.pt").calibration), "gate", 2.0)


def reading(time_s: float, score: float, *, epoch: int = 1, received_s: float) -> LiveReading:
    jpeg = f"{time_s:g}".encode()
    return LiveReading(
        "gate", epoch, round(time_s * 10), time_s, received_s, received_s, received_s + 0.1,
        score, 0.5, {}, jpeg, None,
    )  # fmt: skip


def feed(
    judge: Judge, scores: list[float], *, epoch: int = 1, from_s: float = 0.0, at_s: float
) -> list[Alert]:
    told: list[Alert] = []
    for step, score in enumerate(scores):
        time_s = from_s + step / 2
        told += judge.feed(reading(time_s, score, epoch=epoch, received_s=at_s + step / 2)).alerts
    return told


def test_a_camera_has_the_threshold_of_the_rate_that_its_user_asked_for() -> None:
    model = loaded("m.pt")
    as_set, rare, often = (calibration_for(model, 2.0, rate) for rate in (0.0, 0.1, 100.0))
    assert as_set.promised_per_day == 24
    assert (rare.promised_per_day, often.promised_per_day) == (0.1, 100)
    assert often.rule.enter < as_set.rule.enter < rare.rule.enter


def test_times_are_the_machines_and_spans_the_cameras(judge: Judge) -> None:
    told = feed(judge, [1.0] * 20 + [9.0] * 10 + [1.0] * 60, at_s=500.0)
    assert told[0].phase == "new"
    assert told[0].start_s == pytest.approx(510, abs=1)
    assert told[-1].end_s == pytest.approx(515, abs=1.5)


def test_a_burst_after_a_stall_keeps_the_cameras_own_pace(judge: Judge) -> None:
    feed(judge, [1.0] * 20, at_s=0.0)
    told: list[Alert] = []
    for step in range(10):  # five seconds of pictures that arrive within a moment
        told += judge.feed(reading(10 + step / 2, 9.0, received_s=30.0)).alerts
    assert told
    assert told[-1].end_s - told[0].start_s <= 5.5


def test_a_new_connection_begins_with_a_warm_up(judge: Judge) -> None:
    feed(judge, [1.0] * 20 + [9.0] * 6, at_s=0.0)
    told = feed(judge, [9.0] * 3, epoch=2, at_s=40.0)
    assert [(alert.phase, alert.ended_by) for alert in told] == [("end", "reconnect")]
    later = feed(judge, [9.0] * 10, epoch=2, from_s=1.5, at_s=41.5)
    assert later[0].phase == "new"
    assert later[0].start_s >= 40.0


def test_the_peak_comes_with_its_picture(judge: Judge) -> None:
    scores = [1.0] * 20 + [5.0, 6.0, 9.0, 6.0, 5.0] + [1.0] * 60
    shown = []
    for step, score in enumerate(scores):
        came = judge.feed(reading(step / 2, score, received_s=step / 2))
        shown += [came.peak.score for _ in came.alerts if came.peak]
    assert max(shown) == 9.0
    assert judge.peak_level > judge.strength(1.0)


def test_a_still_scene_holds_the_last_reading(judge: Judge) -> None:
    feed(judge, [1.0] * 20, at_s=0.0)
    for second in range(10, 300):
        assert judge.hold(1, float(second)).alerts == ()
    told = feed(judge, [9.0] * 4, from_s=300.0, at_s=300.0)
    assert told[0].phase == "new"
    assert told[0].start_s >= 299


def test_interrupting_ends_what_is_open(judge: Judge) -> None:
    feed(judge, [1.0] * 20 + [9.0] * 6, at_s=0.0)
    assert judge.open_id
    assert [alert.ended_by for alert in judge.interrupt("blind")] == ["blind"]
    assert judge.interrupt("blind") == ()
    assert judge.open_id == ""
