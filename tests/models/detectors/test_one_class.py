"""What is peculiar to the one-class detectors: svdd and deep_svdd."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.detector import Budget
from models.detectors.deep_svdd import (
    DeepSvdd,
    DeepSvddConfig,
    Projection,
    away_from_zero,
    nearest,
)
from models.detectors.svdd import Svdd, SvddConfig, extremes
from models.errors import OptionError, TrainingError
from models.networks.texture import Texture, against_own
from models.registry import build
from tests.models.still_world import calm_pictures

SMALL = {"size": (32, 32), "widths": (8, 8), "latent": 4, "learning_rate": 3e-3}


def small(**options: object) -> DeepSvdd:
    torch.manual_seed(0)
    return DeepSvdd(DeepSvddConfig(**SMALL | options))  # type: ignore[arg-type]


def learned(detector: DeepSvdd, steps: int = 20) -> DeepSvdd:
    clips = [calm_pictures(detector.spec, 8, seed) for seed in range(3)]
    return detector.fit(clips, clips, budget=Budget(steps=steps))


def test_no_coordinate_of_the_centre_is_near_zero() -> None:
    centre = away_from_zero(torch.tensor([0.0, 0.05, -0.02, 0.4, -3.0]))
    torch.testing.assert_close(centre, torch.tensor([0.1, 0.1, -0.1, 0.4, -3.0]))
    assert (learned(small()).centre.abs() >= 0.1).all()


def test_the_network_has_nothing_that_could_answer_without_looking() -> None:
    detector = small()
    for module in (detector.encode, detector.project):
        assert not [name for name, _ in module.named_parameters() if "bias" in name]
    for part in detector.encode.modules():
        assert not (isinstance(part, torch.nn.BatchNorm2d) and part.affine)


def test_the_centre_is_the_mean_of_the_latents_before_they_are_drawn_together() -> None:
    detector = small(pretraining=0.99)
    clips = [calm_pictures(detector.spec, 8, seed=1)]
    detector.fit(clips, clips, budget=Budget(steps=10))  # all of them before
    latents = detector.project(detector.encode(2 * clips[0][:, 0] - 1))
    torch.testing.assert_close(detector.centre, away_from_zero(latents.mean(dim=0)).detach())
    assert detector.centre.shape == (4, 8, 8)


def test_going_on_draws_together_around_the_centre_there_is() -> None:
    detector = learned(small())
    centre = detector.centre.clone()
    drawn = [weight.clone() for weight in detector.decode.parameters()]
    learned(detector, steps=5)
    assert torch.equal(detector.centre, centre)
    assert all(map(torch.equal, drawn, detector.decode.parameters()))
    assert detector.training_state["one-class"]["step"] == 15


def test_the_radius_holds_all_but_nu_of_the_training_pictures() -> None:
    detector = learned(small(objective="soft-boundary", rule="paper", nu=0.25, warm_up=1))
    pictures = torch.cat([calm_pictures(detector.spec, 8, seed) for seed in range(3)])
    assert (detector.score(pictures) > 0).float().mean().item() == pytest.approx(0.25, abs=0.05)


def test_a_network_that_says_the_same_of_everything_is_named() -> None:
    detector = small()
    with torch.no_grad():
        for weight in detector.encode.parameters():
            weight.zero_()
    with pytest.raises(TrainingError, match="deep_svdd has collapsed: all pictures lie within"):
        learned(detector, steps=1)


def test_trimming_leaves_the_farthest_out() -> None:
    assert nearest(torch.tensor([3.0, 1.0, 9.0, 2.0]), 0.25).tolist() == [1.0, 2.0, 3.0]
    assert nearest(torch.tensor([3.0]), 0.9).tolist() == [3.0]


def test_the_shares_of_the_places_sum_to_the_projection() -> None:
    projection = Projection((3, 2, 2), 5)
    features, towards = torch.randn(4, 3, 2, 2), torch.randn(4, 5)
    projection.usual.copy_(torch.randn(3, 2, 2))
    moved = projection(features) - projection(projection.usual[None])
    by_hand = (moved.flatten(1) * towards).sum(dim=1)
    torch.testing.assert_close(projection.shares(features, towards).sum(dim=(1, 2)), by_hand)


def test_contrast_and_brightness_do_not_count_once_they_are_normalised() -> None:
    detector = learned(small(normalise_contrast=True))
    pictures = calm_pictures(detector.spec, 3, seed=5)
    torch.testing.assert_close(
        detector.score(0.3 + 0.5 * pictures), detector.score(pictures), rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("deep_svdd", {"size": (36, 32)}, "multiples of 8, got 36 x 32"),
        ("deep_svdd", {"nu": 1.0}, r"nu within \(0, 1\)"),
        ("deep_svdd", {"head": "dense"}, "set rule to 'paper'"),
        ("svdd", {"size": (33, 32)}, "multiples of 4, got 33 x 32"),
        ("svdd", {"nu": 0.0}, r"nu within \(0, 1\), got 0"),
        ("memae", {"size": (40, 32)}, "multiples of 16, got 40 x 32"),
        ("adae", {"size": (40, 32)}, "multiples of 16, got 40 x 32"),
    ],
)
def test_options_that_cannot_be_are_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        build(name, **options)


def test_texture_tells_directions_and_dark_lines_from_bright() -> None:
    across = (torch.arange(32) % 8 == 4).float().expand(1, 1, 32, 32)  # upright bright lines
    texture = Texture(1)
    upright, lying = texture(across), texture(across.transpose(2, 3))
    first = 2  # mean and spread of the luma come before
    edges, bright, dark = (
        upright[:, first + 4 * n : first + 4 * n + 4].mean((0, 2, 3)) for n in range(3)
    )
    assert edges.argmax() == 0
    assert bright.argmax() == 0
    assert bright[0] > dark[0]
    turned = lying[:, first : first + 4].mean((0, 2, 3))
    torch.testing.assert_close(turned[[1, 0, 2, 3]], edges, rtol=1e-3, atol=1e-3)


def rough(contrast: float) -> Tensor:
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    return 0.5 + contrast * (noise - 0.5)


def test_against_its_own_picture_coarse_ground_is_as_smooth_ground() -> None:
    texture = Texture(3)
    coarse, smooth = (against_own(texture(rough(contrast)), 3) for contrast in (0.8, 0.4))
    assert (smooth - coarse)[:, 3:].abs().mean() < 0.02
    torch.testing.assert_close(smooth.flatten(2).median(dim=2).values, torch.zeros(1, 42))


def test_a_line_counts_for_more_on_smooth_ground() -> None:
    pictures = [rough(contrast) for contrast in (0.8, 0.1)]
    for picture in pictures:
        picture[..., 32:34] = 0.1
    texture = Texture(3)
    coarse, smooth = (against_own(texture(picture), 3)[:, 3:] for picture in pictures)
    assert smooth.amax() > coarse.amax() + 1


def test_extremes_are_the_level_of_a_twentieth_and_the_means_above() -> None:
    ramp = torch.arange(100.0).reshape(1, 1, 10, 10)
    found = extremes(ramp)[0]
    torch.testing.assert_close(found, torch.tensor([ramp.std().item(), 95.0, 99.0, 97.0]))


def test_a_defect_where_normal_pictures_hardly_vary_shows_in_the_whole() -> None:
    """Grounds of all contrasts; the odd ones have lines, weaker than the strongest grain."""
    generator = torch.Generator().manual_seed(4)

    def grounds(count: int) -> Tensor:
        contrast = torch.linspace(0.1, 0.8, count).reshape(count, 1, 1, 1, 1)
        return 0.5 + contrast * (torch.rand(count, 1, 3, 64, 64, generator=generator) - 0.5)

    detector = Svdd(SvddConfig(size=(64, 64), rule="paper"))
    detector.fit([grounds(48)], [grounds(12)], budget=Budget(steps=1))
    lined = grounds(12)[:6]
    lined[..., 30:32] -= 0.15
    assert detector.score(lined).min() > detector.score(grounds(12)).max()


def svdd_pictures(value: float, count: int = 4) -> Tensor:
    return torch.full((count, 1, 3, 32, 32), value)


def test_equal_flat_pictures_teach_nothing_and_that_is_said() -> None:
    with pytest.raises(TrainingError, match="all the same"):
        Svdd(SvddConfig(size=(32, 32))).fit(
            [svdd_pictures(0.5)], [svdd_pictures(0.5)], budget=Budget(steps=1)
        )


def test_one_training_picture_is_enough_for_its_places() -> None:
    detector = Svdd(SvddConfig(size=(32, 32)))
    one = calm_pictures(detector.spec, 1, seed=0)
    detector.fit([one], [one], budget=Budget(steps=1))
    assert torch.isfinite(detector.score(calm_pictures(detector.spec, 4, seed=1))).all()


def test_the_sample_of_places_is_fair_to_all_batches() -> None:
    detector = Svdd(SvddConfig(size=(32, 32), places=400))
    batches = [(value + 0.1 * torch.rand(4, 1, 3, 32, 32)).clamp(0, 1) for value in (0.1, 0.8)]
    detector.fit(batches, batches, budget=Budget(steps=2))
    places = detector.training_state["places"]
    assert len(places) == 400
    assert (places[:, 0] > 0.5).float().mean().item() == pytest.approx(0.5, abs=0.1)
