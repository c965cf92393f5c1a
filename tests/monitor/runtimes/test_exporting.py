from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ExportError, NotFittedError
from models.export import REFUSED, to_onnx
from models.registry import DETECTORS, build
from monitor.datasets import open_data
from monitor.errors import UsageError
from monitor.exporting import agreement, export_model, footage_of
from monitor.exporting.agreement import agree, examined, parity
from monitor.exporting.examples import Examples, made_examples, video_examples
from monitor.runtimes import Found
from monitor.runtimes.choosing import make_runtime
from monitor.runtimes.cpu import has_bf16
from tests.monitor.cli.calling import call
from tests.monitor.footage import TINY
from tests.monitor.runtimes.conftest import World


def test_the_report_says_how_well_each_runtime_agrees(world: World) -> None:
    found = world.onnx.facts.report["parity"]
    assert found["source"] == "set"
    assert found["clips"] == agreement.PARITY
    for name in ("openvino", "onnxruntime"):
        assert found[name]["score_share"] < 1e-5
        assert found[name]["map_share"] < 1e-4


def test_a_graph_that_says_something_else_is_refused(world: World) -> None:
    torch.manual_seed(7)
    other = build("frame_prediction", **TINY).eval()
    other.fitted = True
    with pytest.raises(ExportError, match="does not say what the model says: scores by"):
        parity(other, world.onnx, made_examples(other.spec))


def test_examples_are_apart_from_each_other_and_carry_labels(world: World) -> None:
    found = video_examples(world.model, open_data(world.data))
    spec = world.model.detector.spec
    assert found.learned.shape[1:] == (spec.length, spec.channels, *spec.size)
    assert found.labels is not None
    assert 0.1 < found.labels.mean() < 0.5  # a quarter of the test frames is wrong
    learned = {clip.tobytes() for clip in found.learned}
    assert not learned & {clip.tobytes() for clip in found.judged}


class Scores:
    """A runtime that gives stated scores, in order."""

    name = "fake"

    def __init__(self, scores: np.ndarray) -> None:
        self._left = list(scores)

    def examine(self, clips: Any) -> Found:
        taken = np.array([self._left.pop(0) for _ in clips])
        return Found(taken, np.zeros((len(clips), 1, 1), np.float32), {})


def compare(
    world: World,
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray | None,
    monkeypatch: pytest.MonkeyPatch,
) -> agreement.Agreement:
    whole, small = replace(world.onnx), replace(world.onnx)
    runs = {id(whole): Scores(before), id(small): Scores(after)}
    monkeypatch.setattr(agreement, "runtime_of", lambda exported: runs[id(exported)])
    clips = np.zeros((len(before), 1, 1, 1, 1), np.uint8)
    return agree(whole, small, Examples(clips, clips, labels, "made"))


def test_scores_in_the_same_order_agree(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=100)
    labels = scores > 1
    found = compare(world, scores, 2 * scores + 5, labels, monkeypatch)
    assert found.rank_correlation == pytest.approx(1)
    assert (found.auroc_fp32, found.auroc) == (1, 1)
    assert found.labelled == found.clips == 100


def test_scores_in_another_order_do_not(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=100)
    with pytest.raises(ExportError, match=r"rank correlation .* expected 0\.98 .*nothing is writ"):
        compare(world, scores, scores[::-1], None, monkeypatch)
    with pytest.raises(ExportError, match="rank correlation with fp32 is 0"):
        compare(world, scores, np.ones(100), None, monkeypatch)


def test_a_changed_auroc_is_refused_even_where_the_order_holds_mostly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.arange(400, dtype=float)
    labels = scores >= 396
    after = scores.copy()
    after[396:] -= 20  # the four that matter fall among normal ones
    with pytest.raises(ExportError, match=r"AUROC over 400 clips goes from 1\.0000 to 0\.9"):
        compare(world, scores, after, labels, monkeypatch)


@pytest.mark.parametrize("to", ["openvino", "onnx"])
def test_int8_is_quantised_checked_and_calibrated_anew(
    world: World, to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setattr(agreement, "RANK_BOUND", 0.5)  # so small a network has little to give
    monkeypatch.setattr(agreement, "AUROC_BOUND", 0.2)
    monkeypatch.setattr("monitor.exporting.to_onnx", lambda _detector: GRAPHS[0])
    GRAPHS[:] = [to_graph(world)]
    footage = footage_of(world.model, open_data(world.data))
    small = export_model(world.model, to, footage, precision="int8")
    assert small.facts.precision == "int8"
    assert small.digest != world.onnx.digest
    report = small.facts.report["int8"]
    assert 0.5 <= report["rank_correlation"] < 1
    assert report["labelled"] > 50
    assert report["measured"]["ms"] > 0
    before, after = world.onnx.facts.calibration, small.facts.calibration
    assert before is not None
    assert after is not None
    assert after["rule"]["enter"] != before["rule"]["enter"]
    assert after["promised_per_day"] == before["promised_per_day"]


GRAPHS: list[Any] = []


def to_graph(world: World) -> Any:
    from models.export import Graph

    return Graph(world.onnx.parts[0], world.onnx.facts.terms, None)


def test_int8_without_footage_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="name it with --data"):
        export_model(world.model, "onnx", None, precision="int8")


@pytest.mark.skipif(has_bf16() is not True, reason="this processor has no bf16")
def test_bf16_is_another_computation_of_the_same_graph(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.exporting.to_onnx", lambda _detector: GRAPHS[0])
    GRAPHS[:] = [to_graph(world)]
    footage = footage_of(world.model, open_data(world.data))
    small = export_model(world.model, "openvino", footage, precision="bf16")
    whole = replace(small, facts=replace(small.facts, precision="fp32"))
    clips = footage.examples.judged[:16]
    one, other = (examined(make_runtime(e, "openvino"), clips).scores for e in (whole, small))
    assert 0 < np.abs(one - other).max() < 0.05 * np.abs(one).max()
    assert small.facts.report["bf16"]["rank_correlation"] >= agreement.RANK_BOUND
    assert small.facts.calibration is not None


@pytest.mark.parametrize(
    ("to", "flags", "said"),
    [
        ("onnx", "avx2 amx_bf16", "expected --to openvino"),
        ("openvino", "avx2", "does not compute in bf16"),
    ],
)
def test_bf16_where_it_cannot_be_is_refused(
    world: World, to: Any, flags: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.runtimes.cpu._cpuinfo", lambda _key: flags)
    footage = footage_of(world.model, open_data(world.data))
    with pytest.raises(UsageError, match=said):
        export_model(world.model, to, footage, precision="bf16")


def test_detectors_that_cannot_be_exported_say_why() -> None:
    assert set(REFUSED) < set(DETECTORS)
    detector = build("inr")
    detector.fitted = True
    with pytest.raises(ExportError, match="inr cannot be exported: it fits a network to every"):
        to_onnx(detector)
    with pytest.raises(NotFittedError):
        to_onnx(build("frame_prediction", **TINY))


def test_wrong_use_of_the_command_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "export", world.trained, "--to", "tflite")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "expected onnx or openvino" in answer.err
    answer = call(capsys, "export", world.trained, "--to", "onnx", "-o", world.trained)
    assert (answer.status, "is MODEL itself" in answer.err) == (2, True)
    answer = call(capsys, "export", world.onnx_file, "--to", "onnx", "-o", world.data / "x")
    assert (answer.status, "can score, and no more" in answer.err) == (2, True)
