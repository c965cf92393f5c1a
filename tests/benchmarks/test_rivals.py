"""What the comparisons with others stand on: turns are taken, and both sides compute the same."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.rivals.against_plain_loop import plain_of
from benchmarks.rivals.plain_loop import psnr_of_frames
from benchmarks.rivals.worker import Worker, WorkerError
from models.detectors.frame_prediction import FramePrediction, FramePredictionConfig
from monitor.datasets import open_data
from monitor.model import Model
from monitor.readings import readings_of

SERVING = """
import sys
from benchmarks.rivals.worker import serve

def double(value):
    print("libraries talk")
    return {"value": 2 * value}

serve({"double": double, "die": sys.exit})
"""


def test_a_worker_answers_orders_and_says_what_fails(tmp_path: Path) -> None:
    with Worker("one", [sys.executable, "-c", SERVING], tmp_path / "log", 1) as worker:
        assert worker.do("double", value=4) == {"value": 8}
        with pytest.raises(WorkerError, match=r"one failed at double:\n(.*\n)*TypeError"):
            worker.do("double", value={})
        assert worker.do("double", value="a") == {"value": "aa"}
        with pytest.raises(WorkerError, match=r"one ended at die; see .*log"):
            worker.do("die")
    assert "libraries talk" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("residual", [True, False])
def test_the_plain_loop_computes_what_oddwatch_does(tmp_path: Path, *, residual: bool) -> None:
    config = FramePredictionConfig(
        size=(32, 48), context=2, stride=2, gap=4, width=4, residual=residual
    )
    torch.manual_seed(0)
    detector = FramePrediction(config).eval()
    detector.fitted = True
    video = moving(tmp_path / "moving.avi")
    network, plan = plain_of(detector)
    plain = psnr_of_frames(video, network, plan, None)
    frames = open_data(video).train[0].frames()
    ours = [-one.terms["psnr"] for one in readings_of(frames, Model(detector))]
    assert len(plain) == 20 - 6
    assert np.ptp(plain) > 1
    assert plain == pytest.approx(ours, abs=0.1)  # they decode and round luma apart


def moving(path: Path) -> Path:
    """What grows faster and faster, without loss and at the detector's size."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), 10, (48, 32))
    for step in range(20):
        frame = np.full((32, 48, 3), 90, np.uint8)
        frame[8:24, : 4 + step * step // 9] = 200
        writer.write(frame)
    writer.release()
    return path
