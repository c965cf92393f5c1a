from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.detector import Budget, Detector, Findings
from models.detectors.frame_prediction import FramePrediction
from monitor.datasets import open_data
from monitor.errors import DeviceError, UsageError
from monitor.keeping import unfinished
from monitor.model import load_model
from monitor.pipeline import new_detector, train_model
from monitor.runtimes import choose_runtime, runtime_of
from monitor.runtimes.pytorch import HalfRuntime, TorchRuntime
from tests.models.learning import fitted
from tests.monitor.footage import TINY, write_set

GONE = "CUDA error: the device was lost\nCUDA kernel errors might be reported later"


def noise(detector: Detector, count: int = 6) -> np.ndarray[Any, Any]:
    spec = detector.spec
    shape = (count, spec.length, spec.channels, *spec.size)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_half_precision_is_taken_where_it_says_the_same(caplog: pytest.LogCaptureFixture) -> None:
    detector = fitted("frame_prediction paper")
    clips = noise(detector)
    whole, half = TorchRuntime(detector), HalfRuntime(detector, torch.bfloat16)
    wanted = whole.examine(clips).scores
    half.examine(half.batch(list(clips)))  # the first is held against full precision
    found = half.examine(half.batch(list(clips))).scores
    np.testing.assert_allclose(found, wanted, rtol=5e-3)
    assert (half.name, half.precision) == ("torch-half", "bf16")
    assert HalfRuntime(detector).precision == "fp16"
    assert not np.array_equal(found, wanted)
    assert caplog.text == ""


def test_half_precision_is_left_where_scores_differ(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("monitor.runtimes.pytorch.HALF_TOLERANCE", 1e-9)
    detector = fitted("frame_prediction paper")
    clips = noise(detector)
    wanted = TorchRuntime(detector).examine(clips).scores
    half = HalfRuntime(detector, torch.bfloat16)
    for _ in range(2):
        assert np.array_equal(half.examine(clips).scores, wanted)
    assert (half.name, half.precision) == ("torch", "fp32")
    assert "it is computed in full" in caplog.text
    assert len(caplog.records) == 1


def test_no_lane_goes_on_in_half_while_another_finds_that_scores_differ(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.runtimes.pytorch.HALF_TOLERANCE", 1e-9)
    detector = fitted("frame_prediction paper")
    whole, half = TorchRuntime(detector), HalfRuntime(detector, torch.bfloat16)
    batches = noise(detector, 4).reshape(4, 1, *noise(detector).shape[1:])
    with ThreadPoolExecutor(4) as lanes:
        for batch, found in zip(batches, lanes.map(half.examine, batches), strict=True):
            assert np.array_equal(found.scores, whole.examine(batch).scores)


def test_half_precision_is_for_a_gpu() -> None:
    with pytest.raises(UsageError, match="on a CUDA device, got cpu: take runtime auto"):
        choose_runtime(fitted("frame_prediction"), "torch-half")


def test_a_device_that_fails_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_self: Detector, _clips: Tensor) -> Findings:
        raise RuntimeError(GONE)

    detector = fitted("frame_prediction")
    monkeypatch.setattr(type(detector), "examine", gone)
    with pytest.raises(DeviceError) as told:
        runtime_of(detector).examine(noise(detector))
    assert str(told.value) == (
        "device cpu failed (CUDA error: the device was lost): try again, or --device cpu"
    )


def test_a_full_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Detector, _clips: Tensor) -> Findings:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    detector = fitted("frame_prediction")
    monkeypatch.setattr(type(detector), "examine", full)
    with pytest.raises(DeviceError, match=r"Tried to allocate 9 GiB.*: free some of it, or take"):
        runtime_of(detector).examine(noise(detector))


def test_a_device_that_fails_as_a_model_is_read_is_no_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_path: Path, _device: torch.device) -> None:
        raise RuntimeError(GONE)

    monkeypatch.setattr("models.checkpoint.load", gone)
    with pytest.raises(DeviceError, match="the device was lost"):
        load_model(tmp_path / "m.pt")


def test_another_fault_is_not_the_device_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_self: Detector, _clips: Tensor) -> Findings:
        raise RuntimeError("sizes do not match")

    detector = fitted("frame_prediction")
    monkeypatch.setattr(type(detector), "examine", wrong)
    with pytest.raises(RuntimeError, match="sizes do not match"):
        runtime_of(detector).examine(noise(detector))


def test_a_device_lost_in_learning_leaves_what_was_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.keeping.SAVE_EVERY_S", 0.0)
    data = open_data(write_set(tmp_path / "set", n_train=2))
    detector = new_detector("frame_prediction", "lite", TINY, data, seed=0)
    path, step = tmp_path / "m.pt", FramePrediction._generator_losses
    steps = iter(range(4))

    def failing(self: FramePrediction, clips: Tensor, *rest: Any) -> Any:
        if next(steps) == 3:
            raise RuntimeError(GONE)
        return step(self, clips, *rest)

    monkeypatch.setattr(FramePrediction, "_generator_losses", failing)
    with pytest.raises(DeviceError) as told:
        train_model(detector, data, budget=Budget(steps=9), path=path)
    assert str(told.value).endswith(f"is in {unfinished(path)}: --resume goes on")
    assert not path.exists()
    assert load_model(unfinished(path)).provenance["steps"] == 3


@pytest.mark.gpu
def test_a_gpu_says_what_the_cpu_says(tmp_path: Path) -> None:
    detector = fitted("frame_prediction paper")
    clips = noise(detector)
    wanted = TorchRuntime(detector).examine(clips).scores
    on_gpu = TorchRuntime(detector.to("cuda"))
    half = HalfRuntime(detector)
    try:
        for runtime in (on_gpu, half, half):
            found = runtime.examine(runtime.batch(list(clips))).scores
            np.testing.assert_allclose(found, wanted, rtol=5e-3)
    finally:
        detector.to("cpu")
