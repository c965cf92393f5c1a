"""The blur of still pictures' maps."""

import torch

from models.blur import gaussian_blur
from models.still_maps import SIGMA, blur


def test_a_blur_is_as_wide_as_its_share_of_the_height() -> None:
    maps = torch.rand(2, 128, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(blur(maps, 1 / 32), gaussian_blur(maps, 4.0))
    small = maps[:, :16, :16]  # where that share is less than a pixel
    torch.testing.assert_close(blur(small, SIGMA), gaussian_blur(small, 0.5))
