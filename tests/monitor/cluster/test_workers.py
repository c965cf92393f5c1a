"""A worker whose results would differ, or that sees nothing, ends the command with one line."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models.registry import build
from monitor.cluster.pieces import Piece
from monitor.cluster.spread import Worker
from monitor.cluster.workers import Post
from monitor.datasets import Video, open_data
from monitor.errors import ClusterError
from monitor.model import Model, load_model, save_model, versions
from monitor.records import Reading
from monitor.scored import score_data
from monitor.tally import Count
from tests.monitor.footage import TINY, write_set


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY)
    detector.fitted = True
    save_model(Model(detector), tmp_path / "m.pt")
    return tmp_path / "m.pt"


def worker(path: Path, **other: str) -> Worker:
    post = Post("cpu", torch.get_num_threads(), versions() | other)
    return Worker(post, path.read_bytes(), path.name, "auto")


def test_footage_that_is_not_there(path: Path, tmp_path: Path) -> None:
    piece = Piece(tmp_path / "clip.mp4", "clip", None, 10.0, strict=False, maps=False)
    found = worker(path).score(piece)
    assert isinstance(found, ClusterError)
    assert f"does not see {tmp_path / 'clip.mp4'}: expected the data at the same place" in str(
        found
    )


def test_another_version(path: Path, tmp_path: Path) -> None:
    piece = Piece(tmp_path / "clip.mp4", "clip", None, 10.0, strict=False, maps=False)
    found = worker(path, torch="1.0").score(piece)
    assert isinstance(found, ClusterError)
    assert "this machine 1.0: results would differ; install the same on all nodes" in str(found)


def test_neither_is_noted_as_a_video_that_cannot_be_scored(path: Path, tmp_path: Path) -> None:
    def look(video: Video, model: Model, seen: Count, *, maps: bool) -> Iterator[Reading]:
        raise ClusterError("node b does not see it")

    data = open_data(write_set(tmp_path / "set", n_train=1, n_frames=8, n_test=1))
    with pytest.raises(ClusterError, match="node b"):
        score_data(load_model(path), data, tmp_path / "out", pictures=False, look=look)
