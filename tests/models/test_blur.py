"""Means around places, against loops."""

import pytest
import torch

from models.blur import box_blur


@pytest.mark.parametrize("window", [2, 3, 4, 5])
def test_box_blur_is_the_mean_of_what_lies_inside(window: int) -> None:
    maps = torch.rand(2, 6, 7, generator=torch.Generator().manual_seed(0))
    blurred = box_blur(maps, window)
    before, after = window // 2, window - window // 2
    for y in range(6):
        for x in range(7):
            inside = maps[:, max(0, y - before) : y + after, max(0, x - before) : x + after]
            torch.testing.assert_close(blurred[:, y, x], inside.mean(dim=(1, 2)))


def test_a_window_larger_than_the_picture_is_the_picture() -> None:
    maps = torch.rand(1, 4, 4)
    torch.testing.assert_close(box_blur(maps, 9), maps.mean().expand(1, 4, 4))


def test_learning_goes_through_what_was_blurred_without() -> None:
    with torch.inference_mode():
        box_blur(torch.rand(1, 6, 6), 3)
    maps = torch.rand(1, 6, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(box_blur(maps, 3).sum(), maps)
    assert slope.sum().item() == pytest.approx(36, rel=1e-5)
