"""The rows of a batch that this process learns from, while what is drawn, averaged or normalised is
of the whole batch, as in one process (see `models.ranks`; alone, all of it is the identity).

Every process has the whole batch, in the same order, and the same stream of random numbers. So what
is drawn is drawn for the whole, everywhere alike, and each takes its rows of it.
"""  # noqa: D205

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models import ranks

Made = TypeVar("Made")  # a tensor (B, ...), or a tuple of them


@dataclass(frozen=True, eq=False)
class Part:
    """Which rows are this process's."""

    whole: Tensor  # (B, ...)
    rows: slice
    share: float  # of the whole, its weight in a sum over the processes


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def taking(batch: Tensor) -> Iterator[Tensor]:
    """The own rows of a batch, nearly as many as each other process's; within, see the others here.

    Where there are fewer rows than processes, each takes them all.
    """
    processes = ranks.count()
    if processes == 1:
        yield batch
        return
    place, B = torch.distributed.get_rank(), len(batch)
    rows = slice(place * B // processes, (place + 1) * B // processes)
    share = (rows.stop - rows.start) / B
    if processes > B:
        rows, share = slice(0, B), 1 / processes
    before = _part.set(Part(batch, rows, share))
    try:
        yield batch[rows]
    finally:
        _part.reset(before)


def share() -> float:
    """The weight of this process's mean in that of the whole batch."""
    part = _part.get()
    return 1.0 if part is None else part.share


def drawn(count: int, draw: Callable[[int], Tensor]) -> Tensor:
    """A draw for each of the `count` own rows; `draw` makes them for so many rows."""
    part = _part.get()
    return draw(count) if part is None else draw(len(part.whole))[part.rows]


def of_whole(make: Callable[[Tensor], Made], batch: Tensor) -> Made:
    """What is made of the own rows where making draws by chance: made of all, the own rows taken.

    `batch` are the rows that `taking` gave.
    """
    part = _part.get()
    if part is None:
        return make(batch)
    made: Any = make(part.whole)
    rows = part.rows
    own: Any = made[rows] if isinstance(made, Tensor) else tuple(one[rows] for one in made)
    return own


def mean(values: Tensor) -> Tensor:
    """The mean () over the whole batch, of values (b, ...) of the own rows."""
    part = _part.get()
    return values.mean() if part is None else ranks.summed(part.share * values.mean())


def gathered(values: Tensor) -> Tensor:
    """The values (B,) of the whole batch, in order, of those (b,) of the own rows."""
    part = _part.get()
    if part is None or len(values) == len(part.whole):
        return values
    behind = len(part.whole) - part.rows.stop
    return ranks.summed(nn.functional.pad(values, (part.rows.start, behind)))


@contextmanager
def as_one(*modules: nn.Module) -> Iterator[None]:
    """Batch norms in them normalise by the whole batch, dropouts draw for it.

    Torch's own SyncBatchNorm knows GPUs only.
    """
    inside = [module for one in modules for module in one.modules()]
    if ranks.count() > 1:
        for module in inside:
            if isinstance(module, _BatchNorm):
                module.__dict__["forward"] = partial(_normalised, module)
            elif isinstance(module, nn.Dropout):
                module.__dict__["forward"] = partial(_dropped, module)
    try:
        yield
    finally:
        for module in inside:
            module.__dict__.pop("forward", None)


def _dropped(dropout: nn.Dropout, x: Tensor) -> Tensor:
    if not dropout.training:
        return x
    sizes = x.shape[1:]
    return x * drawn(len(x), lambda n: nn.functional.dropout(x.new_ones(n, *sizes), dropout.p))


def _normalised(norm: _BatchNorm, x: Tensor) -> Tensor:
    """As its own `forward`, by mean and variance of the whole batch where it learns."""
    part = _part.get()
    if not norm.training or part is None or norm.momentum is None:
        return type(norm).forward(norm, x)
    dims = [d for d in range(x.ndim) if d != 1]
    shape = [-1 if d == 1 else 1 for d in range(x.ndim)]
    own_variance, own_mean = torch.var_mean(x, dims, correction=0)
    center = ranks.summed(part.share * own_mean)
    variance = ranks.summed(part.share * (own_variance + (own_mean - center).square()))
    if norm.running_mean is not None and norm.running_var is not None:
        count = x.numel() / x.shape[1] / (part.rows.stop - part.rows.start) * len(part.whole)
        with torch.no_grad():
            norm.running_mean.lerp_(center, norm.momentum)
            norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked.add_(1)
    y = (x - center.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
    if norm.weight is None:
        return y
    return y * norm.weight.view(shape) + norm.bias.view(shape)
