"""What is peculiar to future-frame prediction."""

import math
from typing import Any

import pytest
import torch

from models.detector import Budget, Step
from models.detectors.frame_prediction import FramePrediction, FramePredictionConfig
from models.errors import OptionError, WeightsError
from models.registry import build
from models.similarity import psnr_db
from tests.models.world import normal_clips

TINY: dict[str, Any] = {"size": (32, 32), "width": 4, "depth": 2, "unshuffle": 1}


def tiny(**options: Any) -> FramePrediction:
    torch.manual_seed(0)
    return FramePrediction(FramePredictionConfig(**(TINY | options)))


@pytest.mark.parametrize(
    ("context", "stride", "gap", "length", "step"),
    [(4, 1, 1, 5, 1), (3, 3, 6, 5, 3), (3, 4, 8, 5, 4), (2, 2, 3, 6, 1), (1, 1, 6, 2, 6)],
)
def test_a_clip_holds_as_few_frames_as_possible(
    context: int, stride: int, gap: int, length: int, step: int
) -> None:
    spec = tiny(context=context, stride=stride, gap=gap).spec
    assert (spec.length, spec.stride) == (length, step)
    assert spec.span == gap + (context - 1) * stride + 1


def test_the_network_sees_the_context_and_never_the_target() -> None:
    detector = tiny(context=2, stride=2, gap=3)  # frames 0 and 2 of 6, target 5
    clips = torch.rand(1, 6, 1, 32, 32)
    for frame in range(6):
        other = clips.clone()
        other[:, frame] = torch.rand(1, 1, 32, 32)
        seen = not torch.equal(detector(clips), detector(other))
        assert seen == (frame in (0, 2)), frame


def test_the_papers_score_is_the_psnr_of_its_map() -> None:
    detector = tiny(rule="psnr").eval()
    detector.fitted = True
    clips = normal_clips(detector.spec, 3, seed=0)
    findings = detector.examine(clips)
    by_map = 10 * findings.maps.mean(dim=(1, 2)).log10()
    torch.testing.assert_close(findings.scores, by_map)
    expected = detector(clips) / 2 + 0.5
    torch.testing.assert_close(findings.terms["psnr"], -psnr_db(expected, clips[:, -1]).detach())


def test_the_frame_that_keeps_moving_scores_below_the_one_that_stops() -> None:
    detector = tiny(rule="psnr", context=3, stride=1, gap=1, learning_rate=4e-3)
    clips = [normal_clips(detector.spec, 8, seed) for seed in range(10)]
    detector.fit(clips, clips[:1], budget=Budget(steps=100))
    moving = normal_clips(detector.spec, 8, seed=50)
    stopped = moving.clone()
    stopped[:, -1] = moving[:, -3]
    assert (detector.score(stopped) > detector.score(moving)).all()


def test_the_papers_presets_carry_its_table() -> None:
    def weights(preset: str) -> tuple[float, ...]:
        c = build("frame_prediction", preset).config
        return (c.intensity_weight, c.flow_weight, c.learning_rate, c.drop_at)

    assert weights("paper") == (1, 2, 1e-4, 7_000)
    assert weights("paper_ped1") == (1, 0.01, 1e-4, 40_000)
    assert weights("paper_avenue") == (0.001, 2, 2e-4, 100_000)
    assert weights("paper_shanghaitech") == (1, 2, 2e-4, 50_000)
    paper = build("frame_prediction", "paper")
    assert isinstance(paper, FramePrediction)
    assert sum(parameter.numel() for parameter in paper.network.parameters()) == 7_704_195
    assert paper.spec.length == 5
    assert paper.config.max_gradient_norm == math.inf


def test_discriminator_moves_first_and_all_losses_are_logged() -> None:
    detector = tiny(adversarial_weight=0.05, discriminator_width=4, flow="lucas_kanade")
    clips = [normal_clips(detector.spec, 2, seed=0)]
    seen: list[Step] = []
    detector.fit(clips, clips, budget=Budget(steps=1), log=seen.append)
    assert list(seen[0].losses) == [
        "discriminator/verdicts",
        "generator/intensity",
        "generator/gradient",
        "generator/flow",
        "generator/adversarial",
    ]


def test_sides_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(OptionError, match=r"multiples of 4 .*got 30 x 32"):
        build("frame_prediction", size=(30, 32))


def test_raft_without_weights_is_refused_before_learning() -> None:
    detector = tiny(flow="raft", flow_weights_file="/nowhere/raft.pth")
    clips = [normal_clips(detector.spec, 2, seed=0)]
    with pytest.raises(WeightsError, match=r"no RAFT weights at .*raft.pth"):
        detector.fit(clips, clips, budget=Budget(steps=1))
