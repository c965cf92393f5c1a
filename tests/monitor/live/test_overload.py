"""Stages go up under load, come down one by one, and learn from a relapse."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.live.health import Closed, Opened
from monitor.live.overload import CameraLoad, Load, OverloadControl, Plan, lower_fastest

FULL, EASY, MIDDLE = Load(1.0, 0.3), Load(0.2, 0.0), Load(0.85, 0.0)
CAMERAS = [
    CameraLoad("fast", 8.0, moving=True),
    CameraLoad("still", 2.0, moving=False),
    CameraLoad("clips", 2.0, moving=False, keyframes_ok=False),
    CameraLoad("alert", 9.0, alert_open=True, moving=False),
    CameraLoad("gate", 4.0, priority=5, moving=False),
]


def drive(control: OverloadControl, load: Load, seconds: int, begin_s: float = 0.0) -> list[Plan]:
    return [control.judge(begin_s + i, load, CAMERAS) for i in range(seconds)]


def test_stages_follow_one_another_and_say_what_they_do() -> None:
    plans = drive(OverloadControl(), FULL, 60)
    first = {stage: next(p for p in plans if p.stage == stage) for stage in range(1, 5)}
    assert [plans.index(first[stage]) for stage in range(1, 5)] == [5, 10, 15, 20]
    assert list(first[1].fps) == ["fast"]
    assert not first[1].keyframes
    assert first[2].keyframes == {"still"}
    assert not first[2].floor
    assert first[3].floor == {camera.name for camera in CAMERAS}
    assert all("alert" not in it.fps and "alert" not in it.keyframes for it in plans)
    assert first[1].text == "overload stage 1 of 4: fast at most 4.4 times per second"
    assert first[4].text.endswith("scoring still cannot follow")
    news = [it for plan in plans for it in plan.news]
    assert [(type(it), it.kind) for it in news] == [(Opened, "overload"), (Opened, "degraded")]


def test_the_highest_priority_is_spared_for_two_stages() -> None:
    plans = drive(OverloadControl(), FULL, 60)
    assert all("gate" not in p.fps and "gate" not in p.keyframes for p in plans if p.stage <= 2)
    assert "gate" in plans[-1].keyframes


def test_recovery_is_stepwise_and_ends_the_events() -> None:
    control = OverloadControl()
    drive(control, FULL, 30)
    plans = drive(control, EASY, 150, 30.0)
    stages = [plan.stage for plan in plans]
    assert stages == sorted(stages, reverse=True)
    assert [stages.count(stage) for stage in (4, 3, 2, 1)] == [30, 30, 30, 30]
    news = [it for plan in plans for it in plan.news]
    assert news == [Closed("degraded"), Closed("overload")]
    assert plans[-1] == Plan()


def test_a_load_between_the_limits_changes_nothing() -> None:
    control = OverloadControl()
    assert {plan.stage for plan in drive(control, MIDDLE, 300)} == {0}
    drive(control, FULL, 7, 300.0)
    assert {plan.stage for plan in drive(control, MIDDLE, 300, 307.0)} == {1}


def test_a_short_peak_is_no_overload() -> None:
    control = OverloadControl()
    for begin in range(0, 100, 10):
        drive(control, FULL, 4, begin)
        drive(control, MIDDLE, 6, begin + 4)
    assert control.stage == 0


def test_it_does_not_swing_for_ever() -> None:
    control, stages = OverloadControl(), []
    for second in range(3600):  # without a stage too much, with one well
        load = FULL if control.stage == 0 else EASY
        stages.append(control.judge(second, load, CAMERAS).stage)
    changes = sum(a != b for a, b in itertools.pairwise(stages))
    assert changes <= 16


def test_no_cameras_are_no_trouble() -> None:
    assert OverloadControl().judge(0.0, FULL, []) == Plan()


RATES = st.lists(st.floats(0.1, 30), min_size=1, max_size=20)


@given(RATES, st.floats(0.2, 0.95))
def test_lowering_takes_from_the_fastest_only_and_keeps_what_it_said(
    rates: list[float], kept: float
) -> None:
    cameras = [CameraLoad(str(i), rate) for i, rate in enumerate(rates)]
    lowered = lower_fastest(cameras, kept=kept)
    after = [lowered.get(it.name, it.fps) for it in cameras]
    assert all(new <= old for new, old in zip(after, rates, strict=True))
    assert len(set(lowered.values())) <= 1
    if lowered:
        cap = next(iter(lowered.values()))
        assert max(after) == cap
        assert cap == 0.5 or sum(after) == pytest.approx(kept * sum(rates))
