"""What is peculiar to the implicit representation."""

import pytest
import torch
from torch import Tensor

from models.detector import Budget, Step
from models.detectors.inr import Inr, InrConfig, percentile
from models.networks.siren import Siren, draw, first_weights, fitted_pictures, grid
from tests.models.still_world import calm_pictures

SMALL = Siren(width=16, layers=2, points=64)


def waves(count: int, side: int = 16) -> Tensor:
    """Pictures of other and other waves, (B, 1, H, W)."""
    x = torch.arange(side) / side
    rates = torch.arange(1, count + 1)[:, None, None]
    return (0.5 + 0.4 * (3 * rates * x[:, None] + 2 * x).sin())[:, None]


def test_many_pictures_at_once_are_drawn_as_each_alone() -> None:
    pictures = waves(3)
    (together,) = fitted_pictures(pictures, SMALL, [30])
    alone = [next(fitted_pictures(picture[None], SMALL, [30])) for picture in pictures]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_the_longer_the_fit_the_better_the_drawing() -> None:
    pictures = waves(2)
    errors = [
        float((drawn - pictures).square().mean())
        for drawn in fitted_pictures(pictures, Siren(points=None), [0, 10, 100])
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[2] < 1e-3


def test_a_network_is_the_published_one() -> None:
    weights = first_weights(2, 3, Siren(width=256), torch.Generator(), torch.device("cpu"))
    assert [matrix.shape for matrix, _ in weights] == [
        (2, 2, 256), (2, 256, 256), (2, 256, 256), (2, 256, 3)
    ]  # fmt: skip
    assert weights[0][0].abs().max().item() == pytest.approx(1 / 2, rel=0.02)
    assert weights[1][0].abs().max().item() == pytest.approx((6 / 256) ** 0.5 / 30, rel=0.02)
    places = grid(4, 8, torch.device("cpu"))
    x = places[None]
    for matrix, bias in weights[:-1]:
        x = torch.sin(30 * (x @ matrix[:1] + bias[:1]))
    by_hand = x @ weights[-1][0][:1] + weights[-1][1][:1]
    torch.testing.assert_close(draw(places, weights, 30.0)[:1], by_hand, rtol=1e-4, atol=1e-4)


def test_the_longer_side_of_the_grid_runs_from_minus_one_to_one() -> None:
    places = grid(2, 4, torch.device("cpu"))
    torch.testing.assert_close(places[0], torch.tensor([-0.25, -0.75]))
    torch.testing.assert_close(places[-1], torch.tensor([0.25, 0.75]))


def small(**options: object) -> Inr:
    config = {"size": (16, 16), "width": 16, "layers": 2, "steps": 10, "points": 64} | options
    return Inr(InrConfig(**config))  # type: ignore[arg-type]


def test_fitting_ends_with_its_budget_or_with_enough_pictures() -> None:
    seen: list[Step] = []
    clips = [torch.rand(4, 1, 3, 16, 16) for _ in range(5)]
    small().fit(clips, clips, budget=Budget(steps=2), log=seen.append)
    assert [step.index for step in seen] == [1, 2]
    assert seen[-1].spent == 1
    seen.clear()
    detector = small(normals=10).fit(clips, clips, budget=Budget(), log=seen.append)
    assert detector.training_state["step"] == 3
    assert len(detector.training_state["residuals"]) == 10


def test_a_typical_picture_has_the_published_score_of_one() -> None:
    detector = small(rule="paper")
    clips = calm_pictures(detector.spec, 9, seed=0)
    detector.fit([clips], [], budget=Budget(steps=1))
    assert detector.score(clips).median().item() == pytest.approx(1, rel=1e-3)


def test_the_percentile_is_of_the_blurred_map() -> None:
    flat = torch.full((1, 16, 16), 0.25)
    assert percentile(flat).item() == pytest.approx(0.25)
    flat[0, 8, 8] = 1.0
    assert 0.25 < percentile(flat).item() < 1.0


def test_a_caller_that_wants_no_gradients_gets_none_and_the_fit_has_them() -> None:
    detector = small()
    clips = calm_pictures(detector.spec, 4, seed=0)
    detector.fit([clips], [], budget=Budget(steps=1))
    with torch.inference_mode():
        inside = detector.examine(clips.clone()).scores
    with torch.no_grad():
        outside = detector.examine(clips).scores
    torch.testing.assert_close(inside, outside)
    assert not outside.requires_grad
    assert detector.reconstruct(clips).shape == clips[:, 0].shape
