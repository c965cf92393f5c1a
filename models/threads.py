"""How many of torch's threads work on something."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """For thousands of small matrices: threads would wait for each other at each of them.

    On a machine that has other work to do, two threads took a hundred times as long as one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
