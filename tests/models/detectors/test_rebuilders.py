"""What is peculiar to memae and adae."""

from functools import cache

import pytest
import torch

from models.detector import Budget, Step
from models.detectors.adae import LEAST_SHARE, Adae, AdaeConfig
from models.detectors.memae import Memae, MemaeConfig
from models.networks.strided import StridedDecoder, StridedEncoder
from models.still_maps import UsualPlaces, blur, top_mean
from tests.models.still_world import calm_pictures

SIDES = (32, 32)


def test_the_memory_is_asked_at_each_place_and_answers_with_a_mixture() -> None:
    torch.manual_seed(0)
    detector = Memae(MemaeConfig(size=SIDES, widths=(8, 16), items=10)).eval()
    rebuilt = detector(torch.rand(2, 3, *SIDES))
    assert rebuilt.weights.shape == (2, 10, 8, 8)
    torch.testing.assert_close(rebuilt.weights.sum(dim=1), torch.ones(2, 8, 8))
    assert (rebuilt.weights >= 0).all()
    assert detector.memory.shrinkage == pytest.approx(2 / 10)


def test_the_entropy_is_paid_for_as_published() -> None:
    seen: list[Step] = []
    detector = Memae(MemaeConfig(size=SIDES, widths=(8, 16), items=10, sharpness=0.0))
    clips = [calm_pictures(detector.spec, 4, seed=0)]
    detector.fit(clips, clips, budget=Budget(steps=1), log=seen.append)
    flat = 2e-4 * torch.tensor(10.0).log().item()  # of weights that are all alike
    assert seen[0].losses["memae/entropy"] == pytest.approx(flat, rel=1e-4)


def test_the_published_score_is_the_mean_length_of_the_residual() -> None:
    torch.manual_seed(0)
    detector = Memae(MemaeConfig(size=SIDES, widths=(8, 16), items=10, rule="paper")).eval()
    detector.fitted = True
    clips = calm_pictures(detector.spec, 3, seed=0)
    with torch.no_grad():
        residual = detector(clips[:, 0]).pictures - clips[:, 0]
    by_hand = residual.square().sum(dim=1).sqrt().mean(dim=(1, 2))
    torch.testing.assert_close(detector.score(clips), by_hand)


@cache
def adae(objective: str) -> tuple[Adae, list[Step]]:
    torch.manual_seed(0)
    seen: list[Step] = []
    config = AdaeConfig(size=SIDES, widths=(8, 8), latent=4, objective=objective)  # type: ignore[arg-type]
    detector = Adae(config)
    clips = [calm_pictures(detector.spec, 8, seed) for seed in range(3)]
    return detector.fit(clips, clips, budget=Budget(steps=12), log=seen.append), seen


def test_the_balance_stays_within_its_bounds_and_weighs_the_second_term() -> None:
    detector, seen = adae("balanced")
    assert 0.99 * LEAST_SHARE <= float(detector.share_of_fakes) <= 1
    assert all(-step.losses["discriminator/fake"] <= 1.1 for step in seen)
    first = seen[0].losses
    assert -first["discriminator/fake"] < 2 * LEAST_SHARE  # times an error that is under 2


def test_without_balance_the_two_play_for_the_same_term() -> None:
    _, seen = adae("unbounded")
    for step in seen[:3]:  # the discriminator has moved a little in between
        fake, made = step.losses["discriminator/fake"], step.losses["generator/adversarial"]
        assert -fake == pytest.approx(made, rel=0.5)
    assert float(Adae(AdaeConfig(size=SIDES, widths=(8,))).share_of_fakes) == pytest.approx(0.01)


def test_each_player_moves_its_own_half_only() -> None:
    detector, _ = adae("balanced")
    optimisers = detector.training_state["optimisers"]
    count = len(list(detector.generator.parameters()))
    assert set(optimisers) == {"discriminator", "generator"}
    assert len(optimisers["generator"]["state"]) == count


@pytest.mark.parametrize("size", [(32, 48), (64, 64)])
def test_what_is_halved_is_doubled_again(size: tuple[int, int]) -> None:
    encode, decode = StridedEncoder(3, (4, 8, 16)), StridedDecoder((16, 8, 4), 3)
    latents = encode(torch.rand(2, 3, *size))
    assert latents.shape == (2, 16, size[0] // 8, size[1] // 8)
    assert decode(latents).shape == (2, 3, *size)


def test_the_usual_of_a_place_is_its_mean_and_deviation() -> None:
    usual = UsualPlaces((16, 16))
    maps = torch.zeros(4, 16, 16)
    maps[:, :, 8:] = torch.tensor([1.0, 1, 3, 3])[:, None, None]  # one half errs, and unsteadily
    usual.fit([maps[:2], maps[2:]])
    torch.testing.assert_close(usual.mean[:, 15], torch.full((16,), 2.0))
    assert usual.deviation[:, 15].mean() > 0.9
    z = usual(torch.full((1, 16, 16), 2.0))[0]
    assert z[:, 0].min() > 2 * z[:, 15].abs().max()  # as bad on the right is nothing new


def test_the_top_mean_is_over_the_share_of_places() -> None:
    maps = torch.arange(1000.0).reshape(1, 20, 50)
    assert top_mean(maps, 0.005).item() == pytest.approx((999 + 998 + 997 + 996 + 995) / 5)
    torch.testing.assert_close(blur(torch.ones(1, 16, 16)), torch.ones(1, 16, 16))
