"""One tiny model, trained once, and its exports."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from models.detector import Budget
from monitor.datasets import open_data
from monitor.exporting import export_model, footage_of
from monitor.model import Model
from monitor.pipeline import new_detector, train_model
from monitor.runtimes import Exported, write_export
from tests.monitor.footage import TINY, write_set


@dataclass(frozen=True)
class World:
    """A data set, what learned from it, and its exports, each also as a file."""

    data: Path
    model: Model
    trained: Path
    onnx: Exported
    onnx_file: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    pytest.importorskip("onnxscript")
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    root = tmp_path_factory.mktemp("world")
    place = write_set(root / "set", n_train=2)
    data = open_data(place)
    detector = new_detector("frame_prediction", "lite", TINY, data, seed=0)
    model = train_model(detector, data, budget=Budget(steps=30), path=root / "tiny.pt")
    onnx = export_model(model, "onnx", footage_of(model, data))
    write_export(onnx, root / "tiny.oddwatch")
    return World(place, model, root / "tiny.pt", onnx, root / "tiny.oddwatch")
