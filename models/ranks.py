"""Several processes that learn one detector together (torchrun): sums, and what is agreed.

Sums over all of them are torch.distributed's: gloo on CPUs, NCCL on GPUs. Where there is one
process alone, every function is the identity.
"""

import os
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.errors import TrainingError

PATIENCE = timedelta(hours=12)  # the others wait while the first saves; torchrun sees who died
_asked = threading.Event()  # Ctrl-C, here
_helping = threading.Event()  # set from joining to the end of the process, where this is not first


def count() -> int:
    """How many learn together; 1 where this process is alone, or the others have been let go."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that saves, calibrates and speaks."""
    return not _helping.is_set()


@contextmanager
def joined() -> Iterator[None]:
    """The others of torchrun's environment, for the time of the context.

    Raises:
        TrainingError: They cannot be reached.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise TrainingError(f"{here()}: the other processes cannot be reached: {said}") from error
    if dist.get_rank():
        _helping.set()
    try:
        yield
    finally:
        leave()


def leave() -> None:
    """Let the others go; from here on each is alone."""
    if dist.is_initialized():
        dist.destroy_process_group()


def here() -> str:
    """This process, for messages."""
    return f"process {os.environ.get('RANK', '0')} on {socket.gethostname()}"


def is_first_to_fail() -> bool:
    """Whether no other has said yet why it fails; what all find out together is said once."""
    with suppress(RuntimeError, ValueError):  # the store is gone: nobody else says it
        store: Any = dist.distributed_c10d._get_default_store()  # noqa: SLF001
        return int(store.add("oddwatch-failed", 1)) == 1
    return True


def check_alike(facts: Mapping[str, str]) -> None:
    """Refuse to learn together where the processes differ in one of these, such as their versions.

    Raises:
        TrainingError: Everywhere, with the first that differs.
    """
    if count() == 1:
        return
    all_facts: list[Any] = [None] * count()
    dist.all_gather_object(all_facts, (here(), dict(facts)))
    (first, expected), *others = all_facts
    for other, found in others:
        for name, value in expected.items():
            if found.get(name) != value:
                raise TrainingError(
                    f"{other} has {name} {found.get(name)}, {first} has {value}: expected the same "
                    "program, data and model everywhere"
                )


@contextmanager
def stopping_together() -> Iterator[None]:
    """Ctrl-C ends the learning of all at the same step; see `agreed`."""
    if count() == 1 or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if _asked.is_set():  # too late to be agreed on
        raise KeyboardInterrupt


def is_asked_to_stop() -> bool:
    """Whether Ctrl-C came and has not ended the learning yet."""
    return _asked.is_set()


def _ask(_number: int, _frame: FrameType | None) -> None:
    _asked.set()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def agreed(spent: float) -> float:
    """The share of the budget that the first process has spent, for all of them.

    Raises:
        KeyboardInterrupt: Everywhere, where one of them was asked to stop.
    """
    if count() == 1:
        return spent
    words = torch.tensor([spent if is_first() else 0.0, float(_asked.is_set())])
    words = words.double()
    dist.all_reduce(words)
    if words[1] > 0:
        _asked.clear()
        raise KeyboardInterrupt
    return float(words[0])


def summed(values: Tensor) -> Tensor:
    """The sum over all processes; gradients flow back to every one of them."""
    if count() == 1:
        return values
    total: Tensor = _Summed.apply(values)
    return total


class _Summed(torch.autograd.Function):
    """Every process's loss depends on the sum: so does what a value is to all of them."""

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total: Tensor = _Summed.apply(gradients[0])
        return total


@torch.no_grad()
def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Of a loss that is parted among them; afterwards all have the gradients of the whole."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if count() == 1 or not gradients:
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
