"""Exports that begin with what is no tensor's work: motion, which is all of that, and fusion."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest

from models.detector import Budget
from models.errors import CheckpointError, ExportError
from monitor.datasets import open_data
from monitor.errors import UsageError
from monitor.exporting import export_model, footage_of, in_bf16
from monitor.exporting.quantising import quantised
from monitor.model import Model, load_model
from monitor.pipeline import new_detector, train_model
from monitor.readings import readings_of
from monitor.runtimes import Exported, choose_runtime, read_export, runtime_of, write_export
from monitor.runtimes.choosing import installed, make_runtime
from monitor.runtimes.silent import load_openvino
from tests.models.tiny_videos import TINY
from tests.monitor.footage import write_set
from tests.monitor.runtimes.test_exported import clips_for
from tests.monitor.runtimes.test_without_torch import oddwatch

FORBIDDEN = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "kornia"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Forbidden())
"""
LIVE = """
from pathlib import Path
from typing import Literal
from monitor.live.messages import LoadModel, ModelLoaded
from monitor.live.scorer import Scorer
import monitor.live.engine

scorer = Scorer(stale_s=5)
(answer,) = scorer.answer(LoadModel(sys.argv[1], "cpu"))
scorer.close()
print(answer)
assert isinstance(answer, ModelLoaded) and answer.detector == "fusion"
assert "torch" not in sys.modules
"""


@dataclass(frozen=True)
class Pair:
    """A model and its export."""

    model: Model
    exported: Exported
    file: Path


@dataclass(frozen=True)
class Places:
    """What was exported, and of what data."""

    data: Path
    motion: Pair
    fusion: Pair


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    for name in ("onnxscript", "openvino", "onnxruntime"):
        pytest.importorskip(name)
    root = tmp_path_factory.mktemp("preludes")
    place = write_set(root / "set", n_train=2)
    data = open_data(place)

    def made(name: str) -> Pair:
        detector = new_detector(name, "lite", TINY[name], data, seed=0)
        model = train_model(detector, data, budget=Budget(steps=20))
        exported = export_model(model, "onnx", footage_of(model, data))
        write_export(exported, root / f"{name}.oddwatch")
        return Pair(model, exported, root / f"{name}.oddwatch")

    return Places(place, made("motion"), made("fusion"))


def test_motion_has_no_graph_and_says_the_same(places: Places) -> None:
    exported = places.motion.exported
    assert (exported.facts.graph, exported.parts) == ("none", ())
    assert installed(exported.facts) == ["opencv"]
    clips = clips_for(exported, 4)
    wanted = runtime_of(places.motion.model.detector).examine(clips)
    found = make_runtime(exported).examine(clips)
    # to the last bit but one: where memory happens to lie may change how sums are rounded
    np.testing.assert_allclose(found.scores, wanted.scores, rtol=1e-6)
    np.testing.assert_allclose(found.maps, wanted.maps, rtol=1e-6)
    assert found.terms.keys() == wanted.terms.keys()
    report = exported.facts.report["parity"]
    assert report["opencv"]["score_share"] < 1e-6
    assert report["opencv"]["map_difference"] < 1e-6  # of another batch


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_fusion_says_what_torch_says_whatever_the_batch(places: Places, name: str) -> None:
    exported = places.fusion.exported
    assert exported.facts.batch is None
    clips = clips_for(exported, 4)
    wanted = runtime_of(places.fusion.model.detector).examine(clips)
    runtime = make_runtime(exported, name)
    whole, single = runtime.examine(clips), runtime.examine(clips[2:3])
    np.testing.assert_allclose(whole.scores, wanted.scores, rtol=1e-3)
    np.testing.assert_allclose(whole.maps, wanted.maps, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(single.scores, whole.scores[2:3], rtol=1e-4)
    assert list(whole.terms) == ["psnr", "part/motion", "part/frame_prediction"]


def test_readings_are_those_of_torch(places: Places) -> None:
    video = open_data(places.data).test[0]
    pair = places.fusion
    wanted = list(readings_of(video.frames(0, 40), pair.model, maps=True, batch=3))
    found = list(readings_of(video.frames(0, 40), load_model(pair.file), maps=True, batch=3))
    assert [r.frame.index for r in found] == [r.frame.index for r in wanted]
    np.testing.assert_allclose([r.score for r in found], [r.score for r in wanted], rtol=1e-3)
    assert found[0].p_value == pytest.approx(wanted[0].p_value)


def test_the_file_holds_the_tables_and_says_when_it_does_not_know_them(
    places: Places, tmp_path: Path
) -> None:
    again = read_export(places.fusion.file)
    assert again is not None
    assert again.facts == places.fusion.exported.facts
    assert again.tables == places.fusion.exported.tables
    assert again.digest == places.fusion.exported.digest
    again.facts.prelude["motion"]["sound"] = 1  # type: ignore[index]
    with pytest.raises(CheckpointError, match="begins with what this version does not know"):
        again.prelude()


def test_what_does_not_fit_is_refused(places: Places) -> None:
    motion = places.motion.exported
    with pytest.raises(UsageError, match=r"runtime openvino does not take .* expected opencv"):
        choose_runtime(motion, "openvino")
    with pytest.raises(ExportError, match="motion has no network: there is nothing to quantise"):
        quantised(motion, clips_for(motion, 2))
    with pytest.raises(ExportError, match="motion has no network: there is nothing to compute in"):
        in_bf16(motion)


def test_fusion_is_quantised(places: Places) -> None:
    pytest.importorskip("nncf")
    exported = places.fusion.exported
    small = quantised(exported, clips_for(exported, 4))
    assert small.facts.precision == "int8"
    assert small.tables == exported.tables
    clips = clips_for(exported, 4, seed=1)
    before, after = (
        make_runtime(e, "onnxruntime").examine(clips).scores for e in (exported, small)
    )
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_how_rare_an_error_is_is_told_at_full_precision(
    places: Places, to: Literal["onnx", "openvino"]
) -> None:
    """By comparing it with quantiles, which lie closer together than steps of int8."""
    pytest.importorskip("nncf")
    exported = export_model(places.fusion.model, to, None)
    small = quantised(exported, clips_for(exported, 4))
    compared = 0
    for sources in _compared(small):
        compared += 1
        assert not {"DequantizeLinear", "FakeQuantize"} & set(sources), sources
    assert compared


def _compared(exported: Exported) -> Iterator[list[str]]:
    """What each comparison of the graph is fed by, up to two steps before it."""
    if exported.facts.graph == "onnx":
        graph = onnx.load_from_string(exported.parts[0]).graph
        makers = {out: node for node in graph.node for out in node.output}
        for node in graph.node:
            if node.op_type == "LessOrEqual":
                near = [makers[name] for name in node.input if name in makers]
                far = [makers[name] for maker in near for name in maker.input if name in makers]
                yield [maker.op_type for maker in near + far]
        return
    for op in load_openvino().Core().read_model(*exported.parts).get_ops():
        if op.get_type_name() == "LessEqual":
            near = [value.get_source_output().get_node() for value in op.inputs()]
            far = [value.get_source_output().get_node() for it in near for value in it.inputs()]
            yield [maker.get_type_name() for maker in near + far]


@pytest.mark.slow
def test_fusion_is_scored_without_torch(places: Places, tmp_path: Path) -> None:
    words = (places.fusion.file, places.data, "-o", tmp_path / "out", "--json")
    answer = oddwatch("score", *words, cache=tmp_path)
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert report["detector"] == "fusion"
    assert "torch" not in report["versions"]


@pytest.mark.parametrize("name", ["motion", "fusion"])
def test_watch_watches_without_torch(places: Places, name: str, tmp_path: Path) -> None:
    film = next((places.data / "testing" / "frames").iterdir())
    words = ("--headless", "-o", tmp_path / "out", "--json")
    model = getattr(places, name).file
    answer = oddwatch("watch", film, "--model", model, *words, cache=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert '"readings":' in answer.stdout.replace('" :', '":')


def test_the_live_scorer_needs_no_torch(places: Places, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FORBIDDEN + LIVE, str(places.fusion.file)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
    )
    assert answer.returncode == 0, answer.stderr + answer.stdout
