"""The gate: never shut for longer than the floor, never against an alert, deaf to noise."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from monitor.live.gate import LEAST_MOTION, MotionGate


def drive(gate: MotionGate, motion: float, seconds: int, begin_s: float = 0.0) -> int:
    """Feed it ten frames and ask twice a second; how often it wanted one."""
    wanted = 0
    for i in range(seconds * 10):
        now_s = begin_s + i / 10
        gate.feed(motion, now_s)
        if i % 5 == 0 and gate.wants(now_s):
            gate.scored(0.1, now_s)
            wanted += 1
    return wanted


def test_a_still_scene_is_scored_at_the_floor_rate() -> None:
    gate = MotionGate(5.0)
    assert drive(gate, 0.0, 60) == 12
    assert gate.gated == 108


def test_motion_is_always_scored() -> None:
    assert drive(MotionGate(5.0), 0.05, 60) == 120


def test_a_road_that_is_never_empty_does_not_become_noise() -> None:
    for motion in (0.004, 0.06):  # one person far away, or a crowd
        gate = MotionGate(5.0)
        drive(gate, motion, 600)
        assert drive(gate, motion, 60, 600.0) == 120


def test_noise_is_learned_and_a_person_in_it_still_seen() -> None:
    rng, gate = Random(1), MotionGate(5.0)
    for i in range(3000):
        gate.feed(rng.uniform(0.0004, 0.0008), i / 10)
    assert 2 * LEAST_MOTION < gate.threshold < 0.004
    assert not gate.moving(305.0)
    gate.feed(0.004, 305.0)
    assert gate.moving(305.0)


def test_a_light_switch_neither_opens_the_gate_nor_teaches_it() -> None:
    gate = MotionGate(5.0)
    for i in range(100):
        gate.feed(0.9, i / 10, lighting=True)
    assert not gate.moving(10.0)
    assert gate.threshold == LEAST_MOTION


def test_an_open_alert_a_high_score_or_no_gate_at_all_is_never_gated() -> None:
    gate = MotionGate(5.0)
    gate.scored(0.1, 0.0)
    assert not gate.wants(1.0)
    assert gate.wants(1.0, alert_open=True)
    gate.scored(0.8, 2.0)
    assert gate.wants(11.0)
    gate.scored(0.1, 12.5)
    assert not gate.wants(13.0)
    free = MotionGate(5.0, enabled=False)
    free.scored(0.1, 0.0)
    assert free.wants(1.0)
    assert not free.wants(1.0, forced=True)


@given(
    st.lists(st.tuples(st.floats(0.05, 3.0), st.floats(0, 1), st.booleans()), max_size=80),
    st.floats(0.5, 20),
)
def test_no_two_scores_are_further_apart_than_the_floor_and_a_frame(
    frames: list[tuple[float, float, bool]], floor_s: float
) -> None:
    gate, now_s, scored_s = MotionGate(floor_s), 0.0, 0.0
    gate.scored(0.0, 0.0)
    for step_s, motion, lighting in frames:
        now_s += step_s
        gate.feed(motion, now_s, lighting=lighting)
        if gate.wants(now_s):
            gate.scored(0.0, now_s)
            scored_s = now_s
        assert now_s - scored_s < floor_s
