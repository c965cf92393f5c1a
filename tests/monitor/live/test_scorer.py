"""The scoring process's own end: what it says before it is gone."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import DeviceError, DeviceFullError
from monitor.live import scorer
from monitor.live.messages import Answer, LoadModel, ModelFailed, Order, ScorerEnds
from monitor.live.scorer import Scorer, serve
from monitor.live.scoring_link import ScoringLink
from monitor.priorities import CAPTURE, SCORING
from tests.monitor.live.failing import REASON, say_rank

FULL = "device cuda failed (CUDA out of memory. Tried to allocate 9 GiB)"


class Failing(Scorer):
    """One that cannot do what it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__(stale_s=1)
        self._error = error

    def answer(self, order: Order) -> Iterator[Answer]:
        raise self._error


def test_a_device_that_fails_ends_it_with_the_reason() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send(LoadModel("model.pt"))
    serve(theirs, Failing(DeviceError(f"{REASON}: try again, or --device cpu")))
    assert ours.recv() == ScorerEnds(REASON, device=True)


def test_a_fault_of_the_program_ends_it_with_the_reason_and_the_trace() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send(LoadModel("model.pt"))
    with pytest.raises(ZeroDivisionError):
        serve(theirs, Failing(ZeroDivisionError("by\n0")))
    assert ours.recv() == ScorerEnds("by 0", device=False)


def test_a_model_that_the_device_has_no_memory_for_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _device: str) -> None:
        raise DeviceFullError(f"{FULL}: free some of it, or take --device cpu")

    (tmp_path / "large.pt").write_bytes(b"weights")
    monkeypatch.setattr(scorer, "load_model", full)
    path, reading = str(tmp_path / "large.pt"), Scorer(stale_s=1)
    assert list(reading.answer(LoadModel(path))) == [ModelFailed(path, FULL)]
    reading.close()


def test_a_file_that_is_no_model_is_named_once(tmp_path: Path) -> None:
    (tmp_path / "notes.pt").write_text("bring milk")
    path, reading = str(tmp_path / "notes.pt"), Scorer(stale_s=1)
    [answer] = reading.answer(LoadModel(path))
    reading.close()
    assert isinstance(answer, ModelFailed)
    assert answer.text.startswith(f"{path}: expected a model file")
    assert answer.text.count(path) == 1


def test_a_device_that_fails_as_a_model_is_read_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_path: Path, _device: str) -> None:
        raise DeviceError(REASON)

    monkeypatch.setattr(scorer, "load_model", load)
    (tmp_path / "model.pt").write_bytes(b"")
    reading = Scorer(stale_s=1)
    with pytest.raises(DeviceError):
        list(reading.answer(LoadModel(str(tmp_path / "model.pt"))))
    reading.close()


def test_scoring_lets_the_engine_and_what_captures_before_it() -> None:
    scoring = ScoringLink(say_rank, stale_s=1)
    end_s = time.monotonic() + 30
    while not (said := list(scoring.answers())) and time.monotonic() < end_s:
        time.sleep(0.02)
    scoring.stop()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert said == [ScorerEnds(f"niceness {own + SCORING}", device=False)]
    assert CAPTURE < SCORING
