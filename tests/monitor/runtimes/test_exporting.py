from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.density import GaussianDensity
from models.errors import ExportError, NotFittedError
from models.export import REFUSED, to_onnx
from models.registry import DETECTORS, build
from monitor.cpu import has_bf16
from monitor.datasets import Video, open_data
from monitor.errors import UsageError
from monitor.exporting import agreement, export_model, footage_of
from monitor.exporting.agreement import agree, examined, parity
from monitor.exporting.examples import Examples, made_examples, video_examples
from monitor.model import load_model, save_model
from monitor.pipeline import calibrate_model
from monitor.records import Frame
from monitor.runtimes import Found
from monitor.runtimes.choosing import make_runtime
from tests.monitor.cli.calling import call
from tests.monitor.footage import TINY, write_clip
from tests.monitor.hidden import hide
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


def test_an_export_that_nothing_can_be_compared_by_names_the_extra(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "installed", lambda _facts: [])
    detector = world.model.trained()
    with pytest.raises(UsageError, match=r"not installed here: pip install 'oddwatch\[export\]'$"):
        parity(detector, world.onnx, made_examples(detector.spec))


def test_examples_are_apart_from_each_other_and_carry_labels(world: World) -> None:
    found = video_examples(world.model, open_data(world.data))
    spec = world.model.detector.spec
    assert found.learned.shape[1:] == (spec.length, spec.channels, *spec.size)
    assert found.labels is not None
    assert 0.1 < found.labels.mean() < 0.5  # a quarter of the test frames is wrong
    learned = {clip.tobytes() for clip in found.learned}
    assert not learned & {clip.tobytes() for clip in found.judged}


def test_so_are_those_of_data_that_the_model_never_saw(world: World, tmp_path: Path) -> None:
    write_clip(tmp_path / "other", 90, seed=5)
    found = video_examples(world.model, open_data(tmp_path / "other"))
    learned = {clip.tobytes() for clip in found.learned}
    assert len(learned) > 20
    assert len(found.judged) > 20
    assert not learned & {clip.tobytes() for clip in found.judged}


def test_films_that_are_left_early_are_closed_and_not_left_to_be_collected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, left = open_data(world.data), list[Generator[Frame]]()
    read = Video.frames

    def frames(video: Video, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        left.append(read(video, start, stop))
        return left[-1]

    monkeypatch.setattr(Video, "frames", frames)
    paced = replace(world.model, provenance=world.model.provenance | {"rate_hz": 100.0})
    video_examples(paced, data)
    assert len(left) > 20
    assert all(one.gi_frame is None for one in left)  # type: ignore[attr-defined]


class Steep(torch.nn.Module):
    """Distances from a density, and their slope."""

    def __init__(self) -> None:
        super().__init__()
        self.density = GaussianDensity(256)
        self.density.fit(torch.randn(400, 256, generator=torch.Generator().manual_seed(0)))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.density(features), self.density.slope(features)


def test_a_wide_density_is_the_same_to_openvino() -> None:
    openvino = pytest.importorskip("openvino")
    steep, features = Steep().eval(), torch.randn(4, 256)
    program = torch.onnx.export(steep, (features,), dynamo=True, verbose=False)
    assert program is not None
    graph = openvino.Core().read_model(program.model_proto.SerializeToString())
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    found = openvino.compile_model(graph, "CPU", exact)(features.numpy())
    for i, wanted in enumerate(steep(features)):
        np.testing.assert_allclose(found[i], wanted.numpy(), rtol=1e-3, atol=1e-3)


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
    monkeypatch.setattr(agreement, "installed", lambda _facts: ["fake"])
    monkeypatch.setattr(agreement, "make_runtime", lambda exported, _name: runs[id(exported)])
    clips = np.zeros((len(before), 1, 1, 1, 1), np.uint8)
    return agree(whole, small, Examples(clips, clips, labels, "made"))["fake"]


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


def test_a_few_clips_tell_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.arange(23, dtype=float)
    with pytest.raises(ExportError, match=r"made has 23, expected 24 at least; name more normal"):
        compare(world, scores, scores, None, monkeypatch)


def test_a_changed_auroc_is_refused_even_where_the_order_holds_mostly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.arange(400, dtype=float)
    labels = scores >= 396
    after = scores.copy()
    after[396:] -= 20  # the four that matter fall among normal ones
    with pytest.raises(ExportError, match=r"AUROC over 400 clips goes from 1\.0000 to 0\.9"):
        compare(world, scores, after, labels, monkeypatch)


@pytest.mark.usefixtures("lenient")
@pytest.mark.parametrize("to", ["openvino", "onnx"])
def test_int8_is_quantised_checked_and_calibrated_anew(
    world: World, to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.exporting.to_onnx", lambda _detector: GRAPHS[0])
    GRAPHS[:] = [to_graph(world)]
    footage = footage_of(world.model, open_data(world.data))
    small = export_model(world.model, to, footage, precision="int8")
    assert small.facts.precision == "int8"
    assert small.digest != world.onnx.digest
    report = small.facts.report["int8"]
    runtimes = {"onnxruntime", "openvino"} if to == "onnx" else {"openvino"}
    assert set(report["agreement"]) == runtimes
    for found in report["agreement"].values():
        assert 0.5 <= found["rank_correlation"] < 1
        assert found["labelled"] > 50
    assert report["measured"]["ms"] > 0
    before, after = world.onnx.facts.calibration, small.facts.calibration
    assert before is not None
    assert after is not None
    assert after["rule"]["enter"] != before["rule"]["enter"]
    assert after["promised_per_day"] == before["promised_per_day"]


@pytest.mark.usefixtures("lenient")
def test_what_int8_computes_with_is_the_same_without_vnni(world: World) -> None:
    onnx = pytest.importorskip("onnx")
    footage = footage_of(world.model, open_data(world.data))
    small = export_model(world.model, "onnx", footage, precision="int8")
    graph = onnx.load_from_string(small.parts[0]).graph
    held = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    back = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    weights = [held[node.input[0]].astype(int) for node in back if node.input[0] in held]
    zeros = [held[node.input[2]] for node in back if node.input[0] not in held]
    assert {zero.dtype for zero in zeros} == {np.dtype(np.uint8)}
    assert len(weights) >= 4
    assert all(np.abs(weight).max() in (63, 64) for weight in weights)


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small a network has little to give."""
    pytest.importorskip("nncf")
    monkeypatch.setattr(agreement, "RANK_BOUND", 0.5)
    monkeypatch.setattr(agreement, "AUROC_BOUND", 0.2)


@pytest.fixture
def recalibrated(world: World, tmp_path: Path) -> Path:
    """The model with a threshold from other footage, as labels raised it half as far again."""
    write_clip(tmp_path / "other", 90, seed=5)
    model = calibrate_model(world.model, open_data(tmp_path / "other"), false_alarms_per_day=300)
    calibration = model.calibrated().further(1.5)
    provenance = model.provenance | {"raised_by": 1.5}
    path = tmp_path / "again.pt"
    save_model(replace(model, calibration=calibration, provenance=provenance), path)
    return path


@pytest.mark.usefixtures("lenient")
def test_int8_is_calibrated_on_what_the_model_was_calibrated_on(
    recalibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.oddwatch"
    answer = call(capsys, "export", recalibrated, "--to", "onnx", "--int8", "-o", out)
    assert answer.status == 0, answer.err
    assert f"set anew on {tmp_path / 'other'}" in answer.out
    before, small = load_model(recalibrated).calibrated(), load_model(out)
    after = small.calibrated()
    assert after.promised_per_day == 300
    assert after.footage_s == before.footage_s
    assert after.rule.enter == pytest.approx(before.rule.enter, rel=0.25)
    assert small.provenance["raised_by"] == 1.5
    assert "labels had raised the threshold 1.5 times" in after.notes[-1]


@pytest.mark.usefixtures("lenient")
def test_int8_is_not_calibrated_on_anything_else_unasked(
    recalibrated: Path, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").rename(tmp_path / "gone")
    out = tmp_path / "small.oddwatch"
    words = ("export", recalibrated, "--to", "onnx", "--int8", "-o", out)
    answer = call(capsys, *words)
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert f"thresholds were set on {tmp_path / 'other'}, which cannot be taken again" in answer.err
    assert not out.exists()
    assert call(capsys, *words, "--data", world.data).status == 0
    assert load_model(out).provenance["calibrated_on"] == str(world.data)


@pytest.mark.usefixtures("lenient")
def test_footage_to_compare_at_does_not_move_the_thresholds_elsewhere(
    recalibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "more", 90, seed=6)
    out = tmp_path / "small.oddwatch"
    words = ("export", recalibrated, "--to", "onnx", "--int8", "-o", out)
    answer = call(capsys, *words, "--data", tmp_path / "more")
    assert answer.status == 0, answer.err
    assert load_model(out).provenance["calibrated_on"] == str(tmp_path / "other")


def test_what_was_learned_from_is_known_by_another_name(world: World, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(world.data)
    whole = sum(video.n_frames or 0 for video in open_data(world.data).train)
    for name in (tmp_path / "link", world.data.parent / ".." / world.data.parent.name / "set"):
        found = calibrate_model(world.model, open_data(name), false_alarms_per_day=300)
        assert found.calibrated().readings < whole / 3  # what was kept apart


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
    assert small.facts.report["bf16"]["agreement"]["openvino"]["rank_correlation"] >= 0.98
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
    monkeypatch.setattr("monitor.cpu._cpuinfo", lambda _key: flags)
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


def test_without_what_exports_the_extra_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_detector: Any) -> Any:
        raise ModuleNotFoundError("No module named 'onnxscript'", name="onnxscript")

    monkeypatch.setattr("monitor.exporting.to_onnx", gone)
    hide(monkeypatch, "onnxscript")
    answer = call(capsys, "export", world.trained, "--to", "onnx", "-o", world.data / "x")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "--to onnx needs onnxscript, not installed here: pip install 'oddw" in answer.err


def test_wrong_use_of_the_command_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    answer = call(capsys, "export", world.trained, "--to", "tflite")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "expected onnx or openvino" in answer.err
    answer = call(capsys, "export", world.trained, "--to", "onnx", "-o", world.trained)
    assert (answer.status, "is MODEL itself" in answer.err) == (2, True)
    answer = call(capsys, "export", world.onnx_file, "--to", "onnx", "-o", world.data / "x")
    assert (answer.status, "can score, and no more" in answer.err) == (2, True)
