"""What an export carries to be known again by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.spec import ClipSpec
from monitor.runtimes import Exported, read_export, write_export
from monitor.runtimes.answers import ASKED, made_clips
from tests.monitor.cli.calling import call
from tests.monitor.runtimes.conftest import World


def test_made_clips_are_the_same_on_every_machine() -> None:
    spec = ClipSpec(3, 1, (4, 6), 1)
    clips = made_clips(spec, 2)
    assert clips.shape == (2, 3, 1, 4, 6)
    assert clips.dtype == np.uint8
    assert clips[1, 2, 0, 1].tolist() == [94, 59, 93, 161, 196, 162]
    assert 5 < clips.min() < clips.max() < 250


def test_they_move() -> None:
    clips = made_clips(ClipSpec(4, 1, (32, 48), 1), 1).astype(float)
    assert (np.abs(np.diff(clips, axis=1)).mean(axis=(2, 3, 4)) > 5).all()


def test_an_export_carries_its_answers(world: World) -> None:
    for found in (world.onnx, read_export(world.onnx_file)):
        assert found is not None
        assert found.facts.answers is not None
        assert set(found.facts.answers) == {"scores", "maps"}
        assert all(len(told) == ASKED for told in found.facts.answers.values())


def test_a_graph_that_is_computed_wrongly_raises_no_alerts(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = answering(world.onnx, 1.05)
    write_export(other, tmp_path / "other.oddwatch")
    out = tmp_path / "scores"
    found = call(capsys, "score", tmp_path / "other.oddwatch", world.data, "-o", out)
    assert found.status == 1
    line = found.err.strip().splitlines()[-1]
    for name in ("openvino", "onnxruntime"):
        assert f"{name} computes frame_prediction wrongly on this machine" in line
    assert line.endswith("expected 0.01 at most; export it again here")
    assert not list(out.glob("*.csv"))


def answering(exported: Exported, factor: float) -> Exported:
    """With scores so many times what they are."""
    known = exported.facts.answers
    assert known is not None
    told = known | {"scores": [factor * score for score in known["scores"]]}
    return replace(exported, facts=replace(exported.facts, answers=told))
