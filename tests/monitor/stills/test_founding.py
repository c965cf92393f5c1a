"""The founding experiment: a defect is what is drawn last."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from monitor.errors import UsageError
from monitor.stills.founding import (
    Founding,
    draw_founding,
    looks_at,
    residuals_over_epochs,
    write_founding,
)


def scratched(side: int = 32, channels: int = 3) -> tuple[Tensor, Tensor]:
    """A smooth ramp with a chequered patch, and where the patch is."""
    ramp = torch.linspace(0.2, 0.6, side).expand(channels, side, side).clone()
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[side // 4 : side // 2, side // 4 : side // 2] = True
    cheques = (torch.arange(side)[:, None] + torch.arange(side)) % 2
    ramp[:, mask] = cheques[mask].float()
    return ramp, mask


@pytest.fixture(scope="module")
def founding() -> Founding:
    return residuals_over_epochs(*scratched(), epochs=40)


def test_the_residual_shrinks_and_stays_longest_in_the_defect(founding: Founding) -> None:
    for fitting in founding.fittings:
        assert fitting.inside is not None
        assert fitting.contrast is not None
        assert fitting.outside[-1] < 0.5 * fitting.outside[0]
        assert fitting.contrast[-1] > max(2.0, fitting.contrast[0])


def test_the_curves_are_means_of_the_maps(founding: Founding) -> None:
    assert founding.mask is not None
    assert [fitting.detector for fitting in founding.fittings] == ["cae", "inr"]
    for fitting in founding.fittings:
        assert fitting.residuals.shape == (len(fitting.epochs), 32, 32)
        by_hand = [residual[founding.mask].mean() for residual in fitting.residuals]
        assert fitting.inside is not None
        np.testing.assert_allclose(fitting.inside, by_hand, rtol=1e-4)


def test_a_large_picture_is_drawn_smaller_and_keeps_its_shape_and_defect() -> None:
    picture, mask = torch.rand(1, 300, 600), torch.zeros(300, 600)
    mask[150, 300] = 1  # a single pixel
    small = residuals_over_epochs(picture, mask, detectors=["inr"], epochs=1)
    assert small.picture.shape == (64, 128, 1)
    assert small.mask is not None
    assert small.mask.sum() == 1
    assert small.mask[32, 64]


def test_the_same_seed_gives_the_same_residuals() -> None:
    one, two = (residuals_over_epochs(*scratched(), epochs=3) for _ in range(2))
    for a, b in zip(one.fittings, two.fittings, strict=True):
        np.testing.assert_array_equal(a.residuals, b.residuals)


def test_looks_are_closer_together_in_the_beginning_and_include_both_ends() -> None:
    looks = looks_at(300)
    assert (looks[0], looks[-1]) == (1, 300)
    assert len(looks) <= 24
    assert np.all(np.diff(np.diff(looks)) >= -1)
    assert looks_at(1) == (1,)


@pytest.mark.parametrize("masked", [True, False])
def test_the_plot_is_a_png_with_or_without_a_mask(tmp_path: Path, *, masked: bool) -> None:
    picture, mask = scratched(channels=1)
    founding = residuals_over_epochs(picture, mask if masked else None, epochs=2)
    write_founding(founding, tmp_path / "founding.png")
    assert (tmp_path / "founding.png").read_bytes() == draw_founding(founding)
    assert draw_founding(founding).startswith(b"\x89PNG")
    assert (founding.fittings[0].inside is None) is not masked


def test_what_cannot_be_compared_is_refused() -> None:
    picture, mask = scratched()
    with pytest.raises(UsageError, match="mask is 31 x 32 pixels, the picture 32 x 32"):
        residuals_over_epochs(picture, mask[1:], epochs=1)
    with pytest.raises(UsageError, match="marks nothing"):
        residuals_over_epochs(picture, torch.zeros_like(mask), epochs=1)
    with pytest.raises(UsageError, match="has cae, inr; got 'vae'"):
        residuals_over_epochs(picture, mask, detectors=["vae"], epochs=1)
