"""Workers whose device or runtime fails, of a Ray that does all here, in the order it was asked."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models.registry import build
from monitor.cluster import pieces, spread
from monitor.cluster.pieces import Piece, Scores, score_piece
from monitor.cluster.spread import Spread, Worker
from monitor.cluster.workers import How, Post
from monitor.computed import NAMES, Computed
from monitor.datasets import DataSet, open_data
from monitor.errors import DeviceError, DeviceFullError, MonitorError, SourceError
from monitor.model import Model, load_model, save_model, versions
from monitor.runtimes.graphs import GraphError
from monitor.scored import score_data
from tests.monitor.footage import TINY, write_set

GONE = "device cuda failed (CUDA error: gone)"


@dataclass(eq=False)
class Reference:
    worker: Worker
    piece: Piece


class Ray:
    """Work is done when its result is asked for."""

    exceptions = SimpleNamespace(RayError=LookupError)

    def __init__(self) -> None:
        self.workers: list[Worker] = []
        self.killed: list[Worker] = []

    def put(self, value: object) -> object:
        return value

    def cluster_resources(self) -> Mapping[str, float]:
        return {"CPU": 8}

    def remote(self, kind: type[Worker]) -> SimpleNamespace:
        def start(*given: Any) -> SimpleNamespace:
            worker = kind(*given)
            self.workers.append(worker)
            score = SimpleNamespace(remote=lambda piece: Reference(worker, piece))
            return SimpleNamespace(worker=worker, score=score)

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def wait(self, references: list[Reference], **_: object) -> tuple[list[Reference], object]:
        return references[:1], references[1:]

    def get(self, reference: Reference) -> Scores | MonitorError:
        assert reference.worker not in self.killed
        return reference.worker.score(reference.piece)

    def kill(self, handle: SimpleNamespace) -> None:
        self.killed.append(handle.worker)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return open_data(write_set(tmp_path_factory.mktemp("set") / "tiny", n_train=1, n_frames=8))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY)
    detector.fitted = True
    place = tmp_path_factory.mktemp("model") / "tiny.pt"
    save_model(Model(detector), place)
    return place


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Ray:
    monkeypatch.setattr(pieces.cut, "__kwdefaults__", {"clips": 24})  # three of each video
    return Ray()


def scored(ray: Ray, data: DataSet, path: Path, out: Path, workers: int) -> str:
    model, how = load_model(path, "cpu"), How("cpu", workers=workers)
    far = Spread(ray, path, model, data.test, how=how, kept=out / ".pieces")  # type: ignore[arg-type]
    try:
        score_data(model, data, out, pictures=False, look=far)
    finally:
        far.close(done=False)
    return (out / "scores.csv").read_text()


def failing(
    monkeypatch: pytest.MonkeyPatch, error: MonitorError, fails: Callable[[Model, int], bool]
) -> None:
    """Have workers fail where `fails` says so of a model and how many pieces were scored."""
    done = 0

    def score(piece: Piece, model: Model) -> Scores:
        nonlocal done
        if fails(model, done):
            raise error
        done += 1
        return score_piece(piece, model)

    monkeypatch.setattr(spread, "score_piece", score)


@pytest.mark.parametrize("kind", [DeviceError, DeviceFullError, GraphError])
def test_one_that_fails_is_let_go_and_others_do_its_work(  # noqa: PLR0917
    kind: type[MonitorError],
    ray: Ray,
    data: DataSet,
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    alone = tmp_path / "alone"
    score_data(load_model(path, "cpu"), data, alone, pictures=False)
    failing(
        monkeypatch, kind(GONE), lambda model, done: done > 0 and model is ray.workers[0]._model
    )
    with caplog.at_level(logging.WARNING):
        found = scored(ray, data, path, tmp_path / "far", 2)
    assert found == (alone / "scores.csv").read_text()
    (line,) = [r.getMessage() for r in caplog.records if r.name == spread.__name__]
    assert line.startswith("worker 1 of 2 is let go, others do its work: node ")
    assert line.endswith(GONE)
    assert ray.killed == ray.workers


def test_all_that_computed_pieces_is_in_the_report(
    ray: Ray, data: DataSet, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(piece: Piece, model: Model) -> Scores:
        found = score_piece(piece, model)
        if model is ray.workers[1]._model:
            return replace(found, computed=frozenset({Computed("torch", "fp32", "cuda")}))
        return found

    monkeypatch.setattr(spread, "score_piece", score)
    scored(ray, data, path, tmp_path, 2)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [report[key] for key in NAMES] == ["cpu, cuda", "torch", "fp32"]
    assert any("others by torch in fp32 on cuda" in note for note in report["notes"])


def test_a_video_that_cannot_be_read_is_given_up_once(
    ray: Ray, data: DataSet, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def score(piece: Piece, model: Model) -> Scores:
        asked.append(piece.name)
        if piece.name == data.test[0].name:
            raise SourceError(f"{piece.name}: piece {piece.number} cannot be read")
        return score_piece(piece, model)

    monkeypatch.setattr(spread, "score_piece", score)
    scored(ray, data, path, tmp_path, 1)
    broken, sound = (video.name for video in data.test)
    assert asked == [broken, sound, sound, sound]
    report = json.loads((tmp_path / "report.json").read_text())
    notes = [note for note in report["notes"] if broken in note]
    assert notes == [f"{broken} is not scored: {broken}: piece 0 cannot be read"]


def test_where_none_is_left_the_run_stops_and_what_is_done_is_kept(
    ray: Ray, data: DataSet, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, DeviceError(GONE), lambda _model, done: done == 4)
    with pytest.raises(DeviceError, match=r"^node .*gone\); 1 of 2 videos were scored before"):
        scored(ray, data, path, tmp_path, 3)
    assert len(ray.killed) == len(ray.workers)
    assert len(list((tmp_path / ".pieces").iterdir())) == 4


def test_one_that_cannot_start_says_why_when_it_is_asked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path, _device: str) -> Model:
        raise DeviceError(GONE)

    monkeypatch.setattr(spread, "load_model", fail)
    worker = Worker(Post("cpu", torch.get_num_threads(), versions()), b"", path.name, "auto")
    found = worker.score(Piece(path, "clip", None, 10.0, strict=False, maps=False))
    assert isinstance(found, DeviceError)
    assert str(found).endswith(f": {GONE}")
