"""Pictures as networks: sine networks from a place to its colour, many pictures fitted at once.

Sitzmann, Martel, Bergman, Lindell and Wetzstein, "Implicit Neural Representations with Periodic
Activation Functions", NeurIPS 2020, arXiv:2006.09661: sine layers, omega 30, first layer uniform
within 1 / inputs, the others within sqrt(6 / inputs) / omega, a linear last layer. Dupont et al.,
"COIN", 2021, arXiv:2103.03123, use the same, thinner and deeper.

Each picture has a network of its own; the networks of a batch are stacked, so that a step of all
is a few batched matrix products. All begin at the same weights and see the same places in the same
order, drawn from a generator of their own: what comes out for a picture depends on it alone.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Siren:
    """Size of the networks, and how they are fitted."""

    width: int = 48
    layers: int = 3  # with a sine; one linear layer more makes the colours
    omega: float = 30.0
    learning_rate: float = 1e-3
    points: int | None = 1024  # places of a step; None: all of the picture


Weights = list[tuple[Tensor, Tensor]]  # of each layer: (B, in, out) and (B, 1, out)


def fitted_pictures(pictures: Tensor, siren: Siren, at: Iterable[int]) -> Iterator[Tensor]:
    """Fit a network to each of the pictures; yields what they draw after so many steps.

    Args:
        pictures: (B, C, H, W) in [0, 1].
        siren: Of each.
        at: Steps at which to look, ascending; the fit ends with the last.

    Yields:
        (B, C, H, W), around [0, 1], without gradients.
    """
    B, C, H, W = pictures.shape
    places = grid(H, W, pictures.device)
    colours = 2 * pictures.flatten(2).transpose(1, 2) - 1  # (B, H W, C)
    generator = torch.Generator().manual_seed(0)
    weights = first_weights(B, C, siren, generator, pictures.device)
    flat = [tensor for layer in weights for tensor in layer]
    optimiser = torch.optim.Adam(flat, lr=siren.learning_rate)
    done = 0
    for step in at:
        with torch.enable_grad():
            for _ in range(done, step):
                some = _some_places(H * W, siren.points, generator).to(pictures.device)
                drawn = draw(places[some], weights, siren.omega)
                loss = (drawn - colours[:, some]).square().mean(dim=(1, 2)).sum()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        done = step
        with torch.no_grad():
            drawn = draw(places, weights, siren.omega)
        yield (drawn.transpose(1, 2).reshape(B, C, H, W) + 1) / 2


def draw(places: Tensor, weights: Weights, omega: float) -> Tensor:
    """Colours (B, N, C) of the places (N, 2), by each of B networks."""
    x = places.expand(len(weights[0][0]), -1, -1)
    for matrix, bias in weights[:-1]:
        x = (omega * torch.baddbmm(bias, x, matrix)).sin()
    matrix, bias = weights[-1]
    return torch.baddbmm(bias, x, matrix)


def first_weights(
    count: int, channels: int, siren: Siren, generator: torch.Generator, device: torch.device
) -> Weights:
    """The same for each of `count` networks; leaves that take gradients."""
    inner = [siren.width] * siren.layers
    weights: Weights = []
    for level, (a, b) in enumerate(zip([2, *inner], [*inner, channels], strict=True)):
        bound = 1 / a if level == 0 else math.sqrt(6 / a) / siren.omega
        matrix = bound * (2 * torch.rand(1, a, b, generator=generator) - 1)
        bias = (2 * torch.rand(1, 1, b, generator=generator) - 1) / math.sqrt(a)
        both = [t.to(device).repeat(count, 1, 1).requires_grad_() for t in (matrix, bias)]
        weights.append((both[0], both[1]))
    return weights


def grid(height: int, width: int, device: torch.device) -> Tensor:
    """Places (H W, 2), down and across; the longer side runs from -1 to 1."""
    longer = max(height, width)
    down, across = ((2 * torch.arange(n, device=device) + 1 - n) / longer for n in (height, width))
    return torch.cartesian_prod(down, across)


def _some_places(count: int, points: int | None, generator: torch.Generator) -> Tensor:
    if points is None or points >= count:
        return torch.arange(count)
    return torch.randint(count, (points,), generator=generator)
