"""Each loss against a loop written by hand, on fixed tensors."""

import math

import pytest
import torch
from torch import Tensor

from models.losses import (
    discriminator_loss,
    flow_loss,
    generator_loss,
    gradient_loss,
    intensity_loss,
    memory_entropy,
)


def fixed(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    return fixed(2, 3, 4, 5, seed=1), fixed(2, 3, 4, 5, seed=2)


def test_intensity_is_the_mean_square(pair: tuple[Tensor, Tensor]) -> None:
    p, g = (picture.flatten().tolist() for picture in pair)
    by_hand = sum((a - b) ** 2 for a, b in zip(p, g, strict=True)) / len(p)
    assert intensity_loss(*pair).item() == pytest.approx(by_hand, rel=1e-12)


def test_gradient_compares_the_steepness_of_edges(pair: tuple[Tensor, Tensor]) -> None:
    p, g = (picture.flatten(0, 1).tolist() for picture in pair)
    total = 0.0
    for plane in range(6):
        for y in range(4):
            for x in range(5):
                if x < 4:
                    total += abs(
                        abs(g[plane][y][x + 1] - g[plane][y][x])
                        - abs(p[plane][y][x + 1] - p[plane][y][x])
                    )
                if y < 3:
                    total += abs(
                        abs(g[plane][y + 1][x] - g[plane][y][x])
                        - abs(p[plane][y + 1][x] - p[plane][y][x])
                    )
    assert gradient_loss(*pair).item() == pytest.approx(total / (6 * 4 * 5), rel=1e-12)


def test_gradient_is_blind_to_a_constant_and_to_the_sign_of_an_edge(
    pair: tuple[Tensor, Tensor],
) -> None:
    picture = pair[0]
    assert gradient_loss(picture + 0.3, picture).item() == pytest.approx(0, abs=1e-12)
    assert gradient_loss(-picture, picture).item() == pytest.approx(0, abs=1e-12)


def test_flow_is_the_mean_magnitude() -> None:
    one, two = torch.tensor([[[[1.0]], [[2.0]]]]), torch.tensor([[[[0.0]], [[5.0]]]])
    assert flow_loss(one, two).item() == pytest.approx((1 + 3) / 2)


def test_least_squares_gan() -> None:
    real, predicted = torch.tensor([0.9, 0.5]), torch.tensor([0.2, 0.6])
    assert generator_loss(predicted).item() == pytest.approx((0.8**2 + 0.4**2) / 4)
    by_hand = (0.1**2 + 0.5**2) / 4 + (0.2**2 + 0.6**2) / 4
    assert discriminator_loss(real, predicted).item() == pytest.approx(by_hand)


def test_entropy_of_flat_and_of_lone_weights() -> None:
    flat, lone = torch.full((1, 4, 2), 0.25), torch.tensor([[[1.0], [0.0], [0.0]]])
    assert memory_entropy(flat).item() == pytest.approx(math.log(4))
    assert memory_entropy(lone).item() == 0


def test_entropy_has_a_finite_gradient_where_a_weight_is_zero() -> None:
    weights = torch.tensor([[[1.0], [0.0], [0.0]]], requires_grad=True)
    memory_entropy(weights).backward()  # type: ignore[no-untyped-call]
    assert weights.grad is not None
    assert torch.isfinite(weights.grad).all()
