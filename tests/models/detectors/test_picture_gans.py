import copy
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.detector import Budget, Detector
from models.detectors.anogan import Anogan, AnoganConfig, search_losses
from models.detectors.egbad import Egbad, EgbadConfig, Pairs, feature_distance
from models.detectors.fanogan import Fanogan, FanoganConfig, gradient_penalty, izi_f_losses
from models.detectors.ganomaly import Ganomaly, GanomalyConfig, Turns, latent_distance
from models.detectors.skip_ganomaly import SkipGanomaly, SkipGanomalyConfig, feature_error
from models.errors import OptionError
from models.networks.picture_gan import (
    PictureDiscriminator,
    PictureEncoder,
    PictureGenerator,
    Verdict,
    grid_of,
    signed,
)
from tests.models.still_world import calm_pictures

TINY: dict[str, Any] = {"size": (32, 32), "width": 4}
SEARCH: dict[str, Any] = {"latent": 8, "search_steps": 20, "starts": 8}


def fresh(name: str, **options: Any) -> Detector:
    torch.manual_seed(0)
    if name == "anogan":
        return Anogan(AnoganConfig(**TINY | SEARCH | options))
    if name == "fanogan":
        return Fanogan(FanoganConfig(**TINY | {"latent": 8} | options))
    if name == "egbad":
        return Egbad(EgbadConfig(**TINY | {"latent": 8} | options))
    if name == "ganomaly":
        return Ganomaly(GanomalyConfig(**TINY | {"latent": 8} | options))
    return SkipGanomaly(SkipGanomalyConfig(**TINY | options))


each = pytest.mark.parametrize("name", ["anogan", "fanogan", "egbad", "ganomaly", "skip_ganomaly"])


def pictures(detector: Detector, count: int = 4, seed: int = 0) -> Tensor:
    return calm_pictures(detector.spec, count, seed)


def learned(detector: Detector, steps: int = 3) -> Detector:
    some = pictures(detector)
    return detector.fit([some], [some], budget=Budget(steps=steps))


def verdict(features: Tensor, logits: Tensor | None = None) -> Verdict:
    return Verdict(torch.zeros(len(features)) if logits is None else logits, features)


class Linear(nn.Module):
    """A critic whose gradient is known everywhere: `slope` times the sum of the pixels."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor) -> Verdict:
        flat = x.flatten(1)
        return Verdict(self.slope * flat.sum(dim=1), flat)


@pytest.mark.parametrize(("slope", "penalty"), [(0.5, 0.0), (0.0, 1.0), (2.0, 9.0)])
def test_the_penalty_of_a_linear_critic_is_known(slope: float, penalty: float) -> None:
    critic = Linear(slope)  # the gradient has norm |slope| sqrt(4 pixels)
    assert gradient_penalty(critic, torch.rand(3, 1, 2, 2)).item() == pytest.approx(penalty)


def test_the_penalty_itself_has_a_gradient() -> None:
    critic = Linear(2.0)
    gradient_penalty(critic, torch.rand(3, 1, 2, 2)).backward()  # type: ignore[no-untyped-call]
    assert critic.slope.grad is not None
    assert critic.slope.grad.item() == pytest.approx(2 * (4 - 1) * 2)  # d/ds (2 s - 1)^2 at 2


def test_the_search_loss_sums_what_differs_in_pixels_and_in_features() -> None:
    x = torch.tensor([[[[0.0, 1.0]]], [[[0.5, -0.5]]]])
    generated = torch.zeros_like(x)
    found, real = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 4.0], [3.0, -1.0]])
    losses = search_losses(generated, x, verdict(found), verdict(real), 0.1)
    assert losses.tolist() == pytest.approx([0.9 * 1 + 0.1 * 3, 0.9 * 1 + 0.1 * 4])


def test_the_feature_residual_weighs_kappa() -> None:
    x, rebuilt = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 2.0]]]])
    found, real = torch.tensor([[1.0, 1.0, 4.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    for kappa, expected in ((0.0, 2.5), (1.0, 5.5), (2.0, 8.5)):
        losses = izi_f_losses(rebuilt, x, verdict(found), verdict(real), kappa)
        assert losses.tolist() == pytest.approx([expected])


def test_distances_of_latents_and_features_by_hand() -> None:
    one, other = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 4.0], [1.0, -1.0]])
    assert latent_distance(one, other).tolist() == [2.0, 1.0]
    assert feature_distance(verdict(one), verdict(other)).tolist() == [2.0, 2.0]
    assert feature_error(verdict(one), verdict(other)).tolist() == [2.0, 1.0]


def test_ganomaly_weighs_its_three_losses() -> None:
    detector = fresh("ganomaly")
    assert isinstance(detector, Ganomaly)
    some = pictures(detector)
    detector.eval()
    losses = Turns(detector).generator(some)
    x, rebuilt = signed(some[:, 0]), detector(some)
    features = [detector.discriminator(p).features for p in (rebuilt.pictures, x)]
    by_hand = {
        "adversarial": (features[0] - features[1]).square().mean(),
        "contextual": 50 * (rebuilt.pictures - x).abs().mean(),
        "encoder": (rebuilt.latents - rebuilt.again).square().mean(),
    }
    assert set(losses) == set(by_hand)
    for key, value in by_hand.items():
        torch.testing.assert_close(losses[key], value)


def test_ganomaly_s_discriminator_judges_what_was_made_before_the_generator_moved() -> None:
    detector = fresh("ganomaly")
    assert isinstance(detector, Ganomaly)
    some = pictures(detector)
    detector.eval()
    turns = Turns(detector)
    total = torch.stack(list(turns.generator(some).values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is None for p in detector.discriminator.parameters())
    logits = [detector.discriminator(p).logits for p in (signed(some[:, 0]), detector(some)[0])]
    with torch.no_grad():
        for parameter in detector.generator.parameters():
            parameter.zero_()  # its move
    losses = turns.discriminator(some)
    by_hand = {"real": -logits[0].sigmoid().log(), "fake": -(1 - logits[1].sigmoid()).log()}
    for key, value in by_hand.items():
        torch.testing.assert_close(losses[key], value.mean() / 2)


def test_an_undecided_discriminator_loses_the_logarithm_of_two() -> None:
    for name in ("ganomaly", "anogan", "egbad", "skip_ganomaly"):
        detector = fresh(name)
        some = pictures(detector)
        head = detector.discriminator.head  # type: ignore[union-attr]
        for parameter in head.parameters():  # type: ignore[union-attr]
            nn.init.zeros_(parameter)
        if isinstance(detector, Ganomaly):
            turns = Turns(detector)
            turns.generator(some)
            losses = turns.discriminator(some)
        else:
            losses = detector._discriminator_losses(some)  # type: ignore[operator]
        mean = 0.5 if name == "ganomaly" else 1.0  # GANomaly halves both
        values = [float(term.detach()) for term in losses.values()]
        assert values == pytest.approx([mean * math.log(2)] * 2), name


def test_egbad_s_cross_entropy_asks_whether_the_pair_looks_encoded() -> None:
    detector = fresh("egbad", discrimination="cross_e", discrimination_weight=1.0)
    assert isinstance(detector, Egbad)
    detector.eval()
    x = signed(pictures(detector)[:, 0])
    pairs = Pairs(x, detector.network.encode(x))
    by_hand = -detector.discriminator(pairs).logits.sigmoid().log()
    torch.testing.assert_close(detector._published(pairs, pairs), by_hand)


@pytest.mark.parametrize(
    ("lesson", "terms"),
    [("izi_f", {"pictures", "features"}), ("izi", {"pictures"}), ("ziz", {"latents"})],
)
def test_what_fanogan_s_encoder_learns_can_be_chosen(lesson: str, terms: set[str]) -> None:
    seen: set[str] = set()
    detector = fresh("fanogan", encoder_lesson=lesson)
    some = pictures(detector)
    detector.fit([some], [some], budget=Budget(steps=4), log=lambda step: seen.update(step.losses))
    assert {key for key in seen if key.startswith("encoder/")} == {f"encoder/{t}" for t in terms}


def test_fanogan_s_encoder_leaves_the_gan_as_it_is() -> None:
    detector = fresh("fanogan", encoder_share=0.5, tune_generator=False)
    assert isinstance(detector, Fanogan)
    kept: dict[str, Any] = {}

    def keep(step: Any) -> None:
        if step.index == 4:  # the last of the GAN's
            kept.update(copy.deepcopy(detector.state_dict()))

    some = pictures(detector)
    detector.fit([some], [some], budget=Budget(steps=8), log=keep)
    for key, value in detector.state_dict().items():
        if key.startswith(("generator.", "critic.")):
            assert torch.equal(value, kept[key]), key
    assert not torch.equal(detector.encoder.head.weight, kept["encoder.head.weight"])


@pytest.mark.parametrize(("lesson", "moves"), [("izi_f", True), ("ziz", False)])
def test_fanogan_s_generator_is_tuned_by_pictures_only(lesson: str, *, moves: bool) -> None:
    detector = fresh("fanogan", encoder_lesson=lesson, encoder_share=1.0)
    assert isinstance(detector, Fanogan)
    before = detector.generator.first.weight.clone()
    learned(detector, 2)
    assert torch.equal(detector.generator.first.weight, before) is not moves


@pytest.mark.parametrize(("steps", "moves"), [(1, 1), (5, 1), (6, 2)])
def test_the_generator_moves_once_for_so_many_steps_of_the_critic(steps: int, moves: int) -> None:
    turns: list[str] = []
    detector = fresh("fanogan", critic_steps=5, encoder_share=1e-9)
    some = pictures(detector)
    budget = Budget(steps=steps)
    detector.fit([some], [some], budget=budget, log=lambda step: turns.extend(step.losses))
    assert turns.count("generator/adversarial") == moves
    assert turns.count("critic/penalty") == steps


@each
def test_every_player_moves_and_has_losses_of_its_own(name: str) -> None:
    detector, seen = fresh(name), set[str]()
    before = copy.deepcopy(detector.state_dict())
    some = pictures(detector)
    detector.fit([some], [some], budget=Budget(steps=4), log=lambda step: seen.update(step.losses))
    moved = {key for key, value in detector.state_dict().items() if not value.equal(before[key])}
    for part in dict(detector.named_children()):
        if part != "usual":
            assert any(key.startswith(part) and key.endswith("weight") for key in moved), part
    assert len({key.split("/")[0] for key in seen}) == (3 if name == "fanogan" else 2)


@each
def test_judging_moves_no_statistic_and_leaves_no_gradient(name: str) -> None:
    detector = learned(fresh(name))
    detector.zero_grad(set_to_none=True)
    before = copy.deepcopy(detector.state_dict())
    assert any("running_mean" in key for key in before)
    detector.score(0.5 * pictures(detector, 3, seed=1))
    for key, value in detector.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert all(parameter.grad is None for parameter in detector.parameters())
    chancy = (nn.BatchNorm2d, nn.Dropout)
    assert not any(module.training for module in detector.modules() if isinstance(module, chancy))


@each
def test_the_published_score_is_a_term_and_the_paper_s_rule(name: str) -> None:
    detector = learned(fresh(name))
    some = pictures(detector, 3, seed=1)
    ours = detector.examine(some)
    detector.config = replace(detector.config, rule="paper")
    published = detector.examine(some)
    assert torch.equal(published.scores, ours.terms["paper"])
    assert not torch.equal(published.scores, ours.scores)
    assert published.maps.min() >= 0  # |x - x'|, not a deviation


def test_a_search_ends_nearer_than_it_began_and_alike_with_other_mates() -> None:
    detector = learned(fresh("anogan"), 10)
    assert isinstance(detector, Anogan)
    some = pictures(detector, 5, seed=1)
    together = detector._search(some)
    config = detector.config
    detector.config = replace(config, search_steps=0)
    assert (detector._search(some).losses > together.losses).all()
    detector.config = config
    with torch.inference_mode():  # as judging goes on in
        alone = torch.cat([detector._search(one[None]).losses for one in some])
        mated = detector._search(torch.cat([torch.rand_like(some), some])).losses[5:]
    torch.testing.assert_close(together.losses, alone, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(together.losses, mated, rtol=1e-4, atol=1e-3)


def test_a_search_finds_what_was_generated() -> None:
    detector = fresh("anogan", search_steps=200, starts=64).eval()
    assert isinstance(detector, Anogan)
    with torch.no_grad():
        made = detector.generator(torch.randn(2, 8))
    found = detector._search(((made + 1) / 2)[:, None])
    torch.testing.assert_close(found.pictures, made, rtol=0, atol=0.02)


def test_a_search_starts_from_the_nearest_of_its_latents() -> None:
    detector = fresh("anogan").eval()
    assert isinstance(detector, Anogan)
    with torch.no_grad():
        made = detector.generator(detector.starts[[5, 2]])
        assert torch.equal(detector._nearest(made), detector.starts[[5, 2]])


def test_skip_ganomaly_learns_from_spoilt_pictures_to_make_clean_ones() -> None:
    torch.manual_seed(0)
    plain = fresh("skip_ganomaly", corruption="none")
    spoilt = fresh("skip_ganomaly", corruption="cut_paste")
    seen: list[Tensor] = []
    for detector in (plain, spoilt):
        assert isinstance(detector, SkipGanomaly)
        handle = detector.generator.register_forward_pre_hook(
            lambda _module, given: seen.append(given[0])
        )
        detector._generator_losses(pictures(detector))
        handle.remove()
    torch.testing.assert_close(seen[0], signed(pictures(plain)[:, 0]))
    changed = (seen[1] != seen[0]).any(dim=1).float().mean(dim=(1, 2))
    assert (changed > 0).all()
    assert (changed < 0.5).all()


@pytest.mark.parametrize(
    ("size", "grid"),
    [((32, 32), (3, 4, 4)), ((64, 48), (3, 8, 6)), ((80, 112), (4, 5, 7)), ((512, 512), (7, 4, 4))],
)
def test_pictures_shrink_to_a_small_grid_and_grow_back(
    size: tuple[int, int], grid: tuple[int, int, int]
) -> None:
    assert grid_of(size) == grid
    pictures = torch.rand(2, 3, *size)
    latents = PictureEncoder(size, 3, 1, 5)(pictures)
    assert latents.shape == (2, 5)
    generated = PictureGenerator(size, 3, 1, 5)(latents)
    assert generated.shape == pictures.shape
    assert generated.abs().max() <= 1
    assert PictureDiscriminator(size, 3, 1)(generated).logits.shape == (2,)


@each
@pytest.mark.parametrize("size", [(32, 40), (16, 32)])
def test_sides_it_cannot_halve_are_refused_by_name(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(OptionError, match=f"{name} needs sides that are multiples of 16, 32 or"):
        fresh(name, size=size)
