"""The blur of maps, against filtering."""

import math

import pytest
import torch
from kornia.filters import gaussian_blur2d

from models.still_maps import SIGMA, blur


@pytest.mark.parametrize(
    ("shape", "sigma"), [((2, 256, 256), SIGMA), ((1, 64, 96), SIGMA), ((1, 20, 50), 0.2)]
)
def test_blurring_by_products_is_filtering(shape: tuple[int, ...], sigma: float) -> None:
    maps = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    pixels = max(0.5, sigma * shape[1])
    reach = [min(math.ceil(3 * pixels), side - 1) for side in shape[1:]]
    kernel = (2 * reach[0] + 1, 2 * reach[1] + 1)
    filtered = gaussian_blur2d(maps[:, None], kernel, (pixels, pixels), "reflect")[:, 0]
    torch.testing.assert_close(blur(maps, sigma), filtered, atol=1e-5, rtol=1e-5)


def test_learning_goes_through_what_was_blurred_without() -> None:
    with torch.inference_mode():
        blur(torch.rand(1, 6, 6))
    maps = torch.rand(1, 6, 6, requires_grad=True)
    (slope,) = torch.autograd.grad(blur(maps).sum(), maps)
    assert slope.sum().item() == pytest.approx(36, rel=1e-5)
