"""Motion's own promises; the laws are in `test_laws`."""

import pytest

from models.detector import Budget, Step
from models.registry import build
from tests.models.tiny_videos import TINY
from tests.models.world import normal_clips


def interrupt_at(index: int) -> list[Step]:
    """Learn motion, with a Ctrl-C when so many clips were seen; the steps until then."""
    detector = build("motion", **TINY["motion"])
    clips = [normal_clips(detector.spec, 4, seed) for seed in range(4)]
    steps: list[Step] = []

    def log(step: Step) -> None:
        steps.append(step)
        if step.index >= index:
            raise KeyboardInterrupt

    detector.fit(clips, clips[:1], budget=Budget(), log=log)
    assert detector.fitted
    assert detector.training_state["interrupted"]
    assert detector.score(clips[0]).isfinite().all()
    return steps


def test_an_interrupt_keeps_what_was_seen() -> None:
    assert [step.index for step in interrupt_at(8)] == [4, 8]


def test_a_fusion_interrupted_in_its_motion_goes_on_there() -> None:
    detector = build("fusion", **TINY["fusion"])
    clips = [normal_clips(detector.spec, 4, seed) for seed in range(4)]
    stages: list[str] = []

    def log(step: Step) -> None:
        stages.append(step.stage)
        if len(stages) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detector.fit(clips, clips[:1], budget=Budget(steps=1), log=log)
    assert stages == ["motion", "motion"]
    detector.fit(clips, clips[:1], budget=Budget(steps=1), log=log)
    assert stages[2] == "motion"
    assert detector.fitted
