"""What is spoilt, how much of it, and what is left as it was."""

import math
from typing import get_args

import pytest
import torch
from torch import Generator, Tensor

from models.corruptions import (
    CORRUPTIONS,
    DROPS,
    PATCH_AREA,
    STAIN_AXES,
    Corruption,
    cut_paste,
    drops,
    gaussian,
    scar,
    scratches,
    stain,
    structural,
)

SIDE = 100


def gray(count: int = 64, value: float = 1.0) -> Tensor:
    return torch.full((count, 3, SIDE, SIDE), value)


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def touched(before: Tensor, after: Tensor) -> Tensor:
    return (before != after).any(dim=1)


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_keeps_shape_and_range_and_spares_what_it_was_given(
    kind: Corruption, channels: int
) -> None:
    pictures = torch.rand(6, channels, 48, 64, generator=chance())
    before = pictures.clone()
    spoilt = CORRUPTIONS[kind](pictures, chance())
    assert spoilt.shape == pictures.shape
    assert spoilt.min() >= 0
    assert spoilt.max() <= 1
    assert torch.equal(pictures, before)
    assert touched(pictures, spoilt).any()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_same_chance_spoils_the_same_and_another_does_not(kind: Corruption) -> None:
    pictures = torch.rand(4, 3, 48, 64, generator=chance())
    spoil = CORRUPTIONS[kind]
    assert torch.equal(spoil(pictures, chance(1)), spoil(pictures, chance(1)))
    assert not torch.equal(spoil(pictures, chance(1)), spoil(pictures, chance(2)))


def test_every_corruption_has_its_name_in_the_type() -> None:
    assert set(get_args(Corruption)) == set(CORRUPTIONS)


def test_a_stain_is_as_large_as_its_axes_say() -> None:
    """Of circles of 10 % of the side, those whole in the picture cover pi 10^2 pixels."""
    areas = touched(gray(), stain(gray(), chance(), axes=(0.1, 0.1))).sum(dim=(1, 2)).float()
    assert areas.max() < 1.2 * math.pi * 10**2
    assert areas.median() > 0.8 * math.pi * 10**2
    small, large = (axis * SIDE for axis in STAIN_AXES)
    extent = touched(gray(), stain(gray(), chance())).any(dim=1).sum(dim=1)
    assert extent.max() <= 2 * 1.12 * large + 1
    assert extent.float().mean() > 2 * small


def test_a_stain_without_irregularity_is_a_disc() -> None:
    inside = touched(gray(1), stain(gray(1), chance(5), axes=(0.12, 0.12), irregularity=0.0))[0]
    y, x = inside.nonzero().float().T
    radius = ((y - y.mean()) ** 2 + (x - x.mean()) ** 2).sqrt().max()
    assert inside.sum() == pytest.approx(math.pi * 12**2, rel=0.05)
    assert radius == pytest.approx(12, abs=1)


def test_a_stain_is_of_one_colour_but_for_a_little_texture() -> None:
    pictures = gray(8)
    spoilt = stain(pictures, chance(), axes=(0.1, 0.12))
    for before, after in zip(pictures, spoilt, strict=True):
        paint = after[:, touched(before[None], after[None])[0]]
        assert (paint.std(dim=1) < 0.03).all()


def test_drops_are_at_most_ten_small_discs() -> None:
    areas = touched(gray(), drops(gray(), chance())).sum(dim=(1, 2))
    assert areas.max() <= DROPS * 16  # discs of radius 2 pixels
    assert areas.float().mean() > DROPS


def test_a_scratch_is_thin() -> None:
    areas = touched(gray(), scratches(gray(), chance())).sum(dim=(1, 2))
    assert areas.max() <= 3 * 70  # 1.5 pixels wide, 50 long along a bend
    assert areas.float().mean() > 10


def test_noise_has_the_deviation_asked_for() -> None:
    noisy = gaussian(gray(4, 0.5), chance(), deviation=0.05)
    assert (noisy - 0.5).std() == pytest.approx(0.05, rel=0.02)


def test_what_is_cut_and_pasted_is_a_rectangle_of_the_picture_s_own_colours() -> None:
    pictures = torch.rand(32, 3, SIDE, SIDE, generator=chance()) * 0.1 + 0.4
    pasted = cut_paste(pictures, chance())
    changed = touched(pictures, pasted)
    assert changed.sum(dim=(1, 2)).max() <= 1.1 * PATCH_AREA[1] * SIDE**2
    for where in changed:
        rows, columns = where.any(dim=1).sum(), where.any(dim=0).sum()
        assert where.sum() >= 0.98 * rows * columns
    assert pasted.min() > 0.25  # 0.4 and 0.5, jittered
    assert pasted.max() < 0.75


def test_a_scar_is_a_narrow_strip() -> None:
    pictures = torch.rand(32, 3, SIDE, SIDE, generator=chance())
    areas = touched(pictures, scar(pictures, chance())).sum(dim=(1, 2)).float()
    assert areas.max() <= 1.2 * SIDE**2 * (16 * 25) / 256**2
    assert areas.mean() > 5


def test_a_mix_spoils_each_picture_in_its_own_way() -> None:
    areas = touched(gray(), structural(gray(), chance())).sum(dim=(1, 2))
    assert len(areas.unique()) > 32  # type: ignore[no-untyped-call]
