import pytest
import torch

from models.augmentation import MILD, NONE, Augmentation, augmented
from models.errors import OptionError


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 24, 32, generator=draws(9))


@pytest.mark.parametrize(
    "text", ["none", "flip=h", "flip=hv,turn=5,shift=0.02,light=0.05", "turn=2,light=0.1"]
)
def test_text_and_back(text: str) -> None:
    assert str(Augmentation.parse(text)) == text
    assert Augmentation.parse(str(MILD)) == MILD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flip", "'flip' is not known"),
        ("blur=3", "'blur=3' is not known; expected none, or some of flip=h"),
        ("turn=much", "turn=much, expected a number"),
        ("turn=900", "turn=900, expected 0 to 180"),
        ("shift=-1", "shift=-1, expected 0 to 0.5"),
        ("shift=nan", "shift=nan, expected 0 to 0.5"),
        ("flip=x", "flip=x, expected none, h, v, hv"),
    ],
)
def test_what_is_not_known_is_said(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Augmentation.parse(text)


def test_none_changes_nothing() -> None:
    assert torch.equal(augmented(pictures(), NONE, draws()), pictures())


def test_every_picture_draws_for_itself_and_by_the_generator() -> None:
    same = pictures(1).repeat(32, 1, 1, 1)
    how = Augmentation("hv", 10, 0.1, 0.2)
    found = augmented(same, how, draws())
    assert len({picture.sum().item() for picture in found}) > 28
    assert torch.equal(found, augmented(same, how, draws()))
    assert not torch.equal(found, augmented(same, how, draws(1)))
    assert found.shape == same.shape
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


@pytest.mark.parametrize(("flip", "side"), [("h", -1), ("v", -2)])
def test_a_flip_mirrors_about_half_of_them(flip: str, side: int) -> None:
    before = pictures()
    after = augmented(before, Augmentation.parse(f"flip={flip}"), draws())
    mirrored = [torch.equal(a, b.flip(side)) for a, b in zip(after, before, strict=True)]
    left = [torch.equal(a, b) for a, b in zip(after, before, strict=True)]
    assert 20 < sum(mirrored) < 44
    assert sum(mirrored) + sum(left) == 64


def test_a_dot_moves_no_farther_than_allowed_and_half_stay_sharp() -> None:
    dot = torch.zeros(200, 1, 33, 33)
    dot[:, :, 16, 16] = 1
    after = augmented(dot, Augmentation(turn=180, shift=0.25), draws())
    middle = after[:, 0].flatten(1).argmax(dim=1)
    rows, columns = middle // 33 - 16, middle % 33 - 16
    assert rows.abs().max() <= 9  # a quarter of 33, rounded up
    assert columns.abs().max() <= 9
    assert rows.abs().max() > 4  # the turn is about the middle, so the shift alone moves the dot
    unmoved = (after == dot).all(dim=3).all(dim=2).all(dim=1).sum()
    assert 70 < unmoved < 130


def test_a_turn_is_about_the_middle_and_by_degrees() -> None:
    bar = torch.zeros(40, 1, 33, 33)
    bar[:, :, 4, 16] = 1  # twelve above the middle
    after = augmented(bar, Augmentation(turn=30), draws())
    place = after[:, 0].flatten(1).argmax(dim=1)
    rows, columns = (place // 33 - 16).float(), (place % 33 - 16).float()
    assert (rows.square() + columns.square()).sqrt() == pytest.approx([12] * 40, abs=1)
    degrees = torch.atan2(columns, -rows).rad2deg()
    assert degrees.abs().max() <= 33
    assert degrees.min() < -15 < 15 < degrees.max()


def test_light_scales_brightness_within_its_share() -> None:
    gray = torch.full((200, 1, 8, 8), 0.5)
    after = augmented(gray, Augmentation(light=0.2), draws()).mean(dim=(1, 2, 3))
    assert 0.4 <= float(after.min()) < 0.43
    assert 0.57 < float(after.max()) <= 0.6
