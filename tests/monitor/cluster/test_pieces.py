"""Pieces give what the whole gives, to the bit."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from models.registry import build
from monitor.cluster.pieces import Kept, Piece, Scores, cut, is_exact, score_piece, whole
from monitor.computed import Computed
from monitor.datasets import Video
from monitor.model import Model
from monitor.readings import readings_of
from tests.monitor.footage import TINY, picture


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14 s at 25 frames per second, key frames every 12."""
    path = tmp_path_factory.mktemp("video") / "walk.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25, options={"g": "12", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for index in range(350):
            frame = av.VideoFrame.from_ndarray(picture(index, seed=1, wrong=False), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY)
    detector.fitted = True
    return Model(detector, provenance={"rate_hz": 10.0})


def joined(pieces: list[Piece], model: Model) -> list[tuple[object, ...]]:
    return [row for piece in pieces for row in rows(score_piece(piece, model))]


def rows(found: Scores) -> list[tuple[object, ...]]:
    return [
        (
            r.frame.index,
            r.frame.time_s,
            r.score,
            r.terms,
            None if r.map is None else r.map.tobytes(),
        )
        for r in found.readings()
    ]


@pytest.mark.parametrize("rate_hz", [None, 10.0, 7.0])
def test_pieces_joined_are_the_whole(file: Path, model: Model, rate_hz: float | None) -> None:
    model = replace(model, provenance={"rate_hz": rate_hz})
    video = Video("walk", file)
    pieces = cut(video, model, maps=True, clips=24)
    assert len(pieces) > 2
    local = [
        (r.frame.index, r.frame.time_s, r.score, r.terms, r.map.tobytes())  # type: ignore[union-attr]
        for r in readings_of(video.frames(), model, maps=True)
    ]
    assert joined(pieces, model) == local
    assert all(is_exact(piece, score_piece(piece, model)) for piece in pieces)


def test_a_short_video_is_one_piece(file: Path, model: Model) -> None:
    (piece,) = cut(Video("walk", file), model, maps=False)
    assert piece.taken is None


def test_a_piece_with_a_frame_missing_is_not_exact(tmp_path: Path, model: Model) -> None:
    import cv2

    model = replace(model, provenance={"rate_hz": None})
    for index in range(80):
        cv2.imwrite(str(tmp_path / f"{index:03}.png"), picture(index, seed=1, wrong=False))
    (tmp_path / "050.png").write_bytes(b"no picture")
    video = Video("walk", tmp_path)
    pieces = cut(video, model, maps=False, clips=16)
    exact = [is_exact(piece, score_piece(piece, model)) for piece in pieces]
    assert exact.count(False) == 1
    found = score_piece(whole(pieces[0]), model)
    assert found.frames == 79
    assert is_exact(whole(pieces[0]), found)
    assert len(found.lost) == 1


def test_kept_pieces_are_found_again_unless_something_differs(
    tmp_path: Path, file: Path, model: Model
) -> None:
    first, second, *_ = cut(Video("walk", file), model, maps=True, clips=24)
    found = score_piece(first, model)
    kept = Kept(tmp_path / "pieces", "run")
    kept.put(first, found)
    again = kept.get(first)
    assert again is not None
    assert rows(again) == rows(found)
    assert again.computed == found.computed == {Computed("torch", "fp32", "cpu")}
    assert kept.get(second) is None
    assert kept.get(replace(first, maps=False)) is None
    assert Kept(tmp_path / "pieces", "another").get(first) is None
    (place,) = (tmp_path / "pieces").iterdir()
    place.write_bytes(place.read_bytes()[:100])
    assert kept.get(first) is None
    kept.clear()
    assert not (tmp_path / "pieces").exists()


def test_scores_keep_what_is_not_finite() -> None:
    empty = np.array([])
    found = Scores(empty.astype(int), empty, empty.astype(int), empty, None, {}, None, 0)
    assert list(found.readings()) == []
