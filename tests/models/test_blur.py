"""Means around places, against loops and filters."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from kornia.filters import gaussian_blur2d

from models.blur import box_blur, gaussian_blur


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


@pytest.mark.parametrize(
    ("shape", "sigmas", "reach"),
    [
        ((2, 256, 256), (4.0, 4.0), 3.0),
        ((1, 64, 96), (1.0, 1.0), 3.0),
        ((1, 20, 50), (4.0, 4.0), 3.0),  # wider than the picture is high
        ((2, 128, 192), (12.0, 12.0), 2.0),
        ((1, 16, 24), (1.0, 3.0), 2.0),
    ],
)
def test_gaussians_by_products_are_filtering(
    shape: tuple[int, ...], sigmas: tuple[float, float], reach: float
) -> None:
    maps = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    sides = [
        min(math.ceil(reach * sigma), side - 1)
        for sigma, side in zip(sigmas, shape[1:], strict=True)
    ]
    kernel = (2 * sides[0] + 1, 2 * sides[1] + 1)
    filtered = gaussian_blur2d(maps[:, None], kernel, sigmas, "reflect")[:, 0]
    blurred = gaussian_blur(maps, sigmas, reach)
    torch.testing.assert_close(blurred, filtered, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "blurred", [partial(box_blur, window=3), partial(gaussian_blur, sigma_px=1.0)]
)
def test_learning_goes_through_what_was_blurred_without(
    blurred: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with torch.inference_mode():
        blurred(torch.rand(1, 6, 6))
    maps = torch.rand(1, 6, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(blurred(maps).sum(), maps)
    assert slope.sum().item() == pytest.approx(36, rel=1e-5)
