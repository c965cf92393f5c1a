"""A command as one of several processes that torchrun started: only the first speaks."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

from monitor.errors import UsageError

SHARED = "train"  # the one command that several processes do together


class SaidElsewhere(Exception):  # noqa: N818  no failure of its own
    """Another process has said what failed."""


@contextmanager
def among_others(words: Sequence[str]) -> Iterator[None]:
    """Joins the others, if there are any; what is printed here is shown where this is the first.

    Raises:
        UsageError: The command is none that is done together, or there are too few GPUs.
        SaidElsewhere: In place of a failure that another process tells.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        yield
        return
    if words[:1] != [SHARED]:
        _refuse(
            f"torchrun is for {SHARED}, got {' '.join(words[:1]) or 'nothing'}; run it without, "
            "and spread score and compare with --cluster"
        )
    from models import ranks

    _check_gpus(words)
    with ranks.joined():
        try:
            with _quiet(ranks.is_first()):
                yield
        except Exception as error:
            if not ranks.is_first_to_fail():
                raise SaidElsewhere from error
            if not ranks.is_first():
                with suppress(OSError):
                    print(f"oddwatch: {ranks.here()}:", file=sys.stderr, end=" ")
            raise


@contextmanager
def _quiet(aloud: bool) -> Iterator[None]:
    if aloud:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def _check_gpus(words: Sequence[str]) -> None:
    import torch

    there, here = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if 0 < there < here and "cpu" not in {word.rpartition("=")[2] for word in words}:
        _refuse(
            f"{here} processes on this machine share {there} GPU{'s' * (there != 1)}: expected "
            f"torchrun --nproc-per-node {there}, or --device cpu"
        )


def _refuse(text: str) -> None:
    """Said once on each machine."""
    if os.environ.get("LOCAL_RANK", "0") != "0":
        raise SaidElsewhere
    raise UsageError(text)
