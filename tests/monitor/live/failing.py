"""Scoring processes of another kind; importable by their names, as they are spawned."""

import os
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from monitor.errors import DeviceError
from monitor.live import scorer
from monitor.live.messages import ScorerEnds
from monitor.model import Model, load_model
from monitor.records import Clip, Reading
from monitor.scoring import score_clips

GOOD = 5  # clips that are scored before
REASON = "device cuda failed (CUDA error: an illegal memory access was encountered)"


def run_failing(link: Connection, stale_s: float) -> None:
    """As `run_scorer`; what is not asked to be on the CPU fails after some clips."""
    asked: list[str] = []
    scored = 0

    def load(path: Any, device: str) -> Model:
        asked.append(device)
        return load_model(path, "cpu")

    def score(clips: Iterable[Clip], *rest: Any, **more: Any) -> Iterator[Reading]:
        nonlocal scored
        scored += 1
        if asked[-1] != "cpu" and scored > GOOD:
            raise DeviceError(f"{REASON}: try again, or --device cpu")
        return score_clips(clips, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorer, "load_model", load)
        patch.setattr(scorer, "score_clips", score)
        scorer.serve(link, scorer.Scorer(stale_s=stale_s))


def say_rank(link: Connection, _stale_s: float) -> None:
    """Tell of its priority, and end."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    link.send(ScorerEnds(f"niceness {own}", device=False))
