"""The paper's own claims, on a world that is learned in seconds."""

from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Generator, Tensor

from models.corruptions import stain
from models.detector import Budget
from models.detectors.aesc import Aesc, AescConfig
from models.errors import OptionError

SMALL: dict[str, Any] = {
    "size": (32, 32),
    "channels": 1,
    "widths": (16, 32),
    "kernel": 3,
    "rates": (0.1, 0.3),
    "passes": 5,
    "learning_rate": 5e-3,
}


def slopes(count: int, seed: int) -> Tensor:
    """Smooth gray slopes, so plain that a few steps teach them; (B, 1, 1, 32, 32)."""
    chance = torch.rand(3, count, 1, 1, generator=Generator().manual_seed(seed)) - 0.5
    across, down, level = chance * torch.tensor([0.5, 0.5, 0.3])[:, None, None, None]
    line = torch.linspace(-0.5, 0.5, 32)
    pictures: Tensor = 0.5 + across * line[:, None] + down * line + level
    return pictures[:, None, None].clamp(0, 1)


def learned(steps: int, **options: object) -> Aesc:
    torch.manual_seed(0)
    detector = Aesc(AescConfig(**(SMALL | options)))
    clips = [slopes(8, seed) for seed in range(10)]
    return detector.fit(clips, [slopes(16, 100)], budget=Budget(steps=steps))


def stained() -> tuple[Tensor, Tensor]:
    """Pictures with a stain, and the same without."""
    calm = slopes(24, seed=200)
    spoilt = stain(calm[:, 0], Generator().manual_seed(1), axes=(0.06, 0.12))
    return spoilt[:, None], calm


def residual_auroc(detector: Aesc) -> float:
    spoilt, calm = stained()
    terms = [detector.examine(clips).terms["residual"] for clips in (calm, spoilt)]
    return float(roc_auc_score([0] * len(calm) + [1] * len(spoilt), torch.cat(terms).numpy()))


def left(detector: Aesc) -> float:
    """Share of the stains that is still in the cleaned pictures."""
    spoilt, calm = stained()
    stains = (spoilt - calm).abs()[:, 0, 0]
    off = (detector.reconstruct(spoilt) - calm[:, 0]).abs()[:, 0]
    return float(off[stains > 0.1].sum() / stains[stains > 0.1].sum())


@pytest.mark.slow
def test_skips_learn_to_copy_without_corruption_and_to_clean_with_stains() -> None:
    """Measured: 0.24 of the stains left against 0.54, AUROC 0.92 against 0.87."""
    options = {"widths": (16, 32, 32), "kernel": 5, "rates": (0.0, 0.1, 0.2), "rule": "paper"}
    cleaner = learned(250, corruption="stain", **options)
    copier = learned(250, corruption="none", **options)
    assert left(cleaner) < 0.7 * left(copier)
    assert residual_auroc(cleaner) >= 0.88
    assert residual_auroc(cleaner) > residual_auroc(copier)


def test_passes_without_dropout_do_not_differ() -> None:
    spoilt, _ = stained()
    still = learned(2, rates=(0.0, 0.0), judged="uncertainty", rule="paper")
    assert still.deviation(spoilt[:, 0]).abs().max() < 1e-6
    shaken = learned(2, judged="uncertainty", rule="paper")
    assert shaken.deviation(spoilt[:, 0]).mean() > 1e-4


def test_the_deviation_is_that_of_the_passes() -> None:
    detector = learned(2)
    pictures = stained()[0][:3, 0]
    chance = Generator().manual_seed(0)
    rates = detector.config.rates
    passes = torch.stack(
        [detector.network.sampled(pictures, rates, chance).detach() for _ in range(5)]
    )
    expected = passes.var(dim=0, correction=0).mean(dim=1).sqrt()
    torch.testing.assert_close(detector.deviation(pictures), expected, rtol=1e-3, atol=1e-5)


def test_nothing_is_left_out_in_training() -> None:
    """With rates or without, the same seed learns the same."""
    one, two = learned(3), learned(3, rates=(0.0, 0.0))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": (30, 32)}, "multiples of 4, got 30 x 32"),
        ({"kernel": 4}, "kernel is odd, got 4"),
        ({"rates": (0.1,)}, r"one in \[0, 1\) for each of the 2 widths"),
        ({"rates": (0.1, 1.0)}, r"one in \[0, 1\)"),
        ({"rule": "paper", "judged": "fused"}, "the paper does not fuse"),
    ],
)
def test_options_that_make_no_network_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        AescConfig(**(SMALL | options))
