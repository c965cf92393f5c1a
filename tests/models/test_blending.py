import cv2
import numpy as np
import pytest

from models.blending import PatchRule, Picture, blend, corrupt


def picture(seed: int, side: int = 64) -> Picture:
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3).astype(np.uint8)


@pytest.mark.parametrize("side", [32, 64])
def test_what_is_outside_the_patches_is_as_it_was(side: int) -> None:
    rng = np.random.default_rng(0)
    sources = [picture(seed, side) for seed in range(4)]
    for _ in range(60):
        before = sources[0].copy()
        after, place = corrupt(before, sources, PatchRule(least_change=1), rng)
        assert np.array_equal(after[~place], before[~place])
        assert np.array_equal(before, sources[0])


def test_patches_change_something_and_say_where() -> None:
    rng = np.random.default_rng(1)
    sources = [255 - picture(seed) // 2 for seed in range(4)]
    found = [corrupt(picture(9), sources, PatchRule(least_change=2), rng) for _ in range(20)]
    assert all(place.any() == (after != picture(9)).any() for after, place in found)
    assert sum(place.any() for _, place in found) >= 15
    assert 0.02 < np.mean([place.mean() for _, place in found]) < 0.5


def test_a_blended_patch_keeps_its_detail_and_takes_the_level_of_the_ground() -> None:
    ground = np.full((40, 40, 3), 150, np.uint8)
    patch = np.full((20, 20, 3), 30, np.uint8)
    patch[8:12, 8:12] = 90
    mask = np.full((20, 20), 255, np.uint8)
    after = blend(ground, patch, mask, (10, 10), cv2.NORMAL_CLONE).astype(int)
    outside = np.ones((40, 40), bool)
    outside[10:30, 10:30] = False
    assert (after[outside] == 150).all()
    assert np.abs(after[11, 11:29] - 150).max() <= 3  # no seam
    assert after[18:22, 18:22].min() > 190  # as much over the ground as in the patch


def test_the_same_patch_back_in_its_place_changes_next_to_nothing() -> None:
    ground = picture(3)
    mask = np.full((16, 16), 255, np.uint8)
    after = blend(ground, ground[20:36, 12:28], mask, (20, 12), cv2.NORMAL_CLONE)
    assert np.abs(after.astype(int) - ground).max() <= 2


def test_a_patch_as_its_surroundings_is_none() -> None:
    plain = np.full((32, 32, 3), 90, np.uint8)
    after, place = corrupt(plain, [plain], PatchRule(), np.random.default_rng(0))
    assert not place.any()
    assert np.array_equal(after, plain)


def test_patches_stay_where_something_stands() -> None:
    rng = np.random.default_rng(0)
    foreground = np.zeros((64, 64), bool)
    foreground[:, 32:] = True
    rule = PatchRule(least_change=1, most=0.3, most_patches=1, rounded=0.0)
    places = [corrupt(picture(1), [picture(2)], rule, rng, foreground)[1] for _ in range(20)]
    assert all(place[foreground].sum() >= place[~foreground].sum() for place in places)
    assert sum(place.any() for place in places) > 10
