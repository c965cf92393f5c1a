"""`train` by two processes of torchrun: one model, one voice."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from monitor.model import load_model
from tests.monitor.footage import TINY_WORDS, write_set

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COMMAND = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "tiny")


def started(*words: object, together: bool = True) -> subprocess.Popen[str]:
    command = COMMAND if together else [sys.executable]
    return subprocess.Popen(
        [*command, "-m", "monitor", *map(str, words)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_model_comes_of_it_and_is_told_of_once(data: Path, tmp_path: Path) -> None:
    words = ("train", "frame_prediction", data, "--steps", 6, *TINY_WORDS)
    models = []
    for together in (True, False):
        path = tmp_path / f"{together}.pt"
        out, err = (run := started(*words, "-o", path, together=together)).communicate()
        assert run.returncode == 0, err
        assert out.count("learned 6 steps") == 1
        assert out.count("saved to") == 1
        models.append(load_model(path))
    assert models[0].calibration is not None
    one, two = (model.trained().state_dict() for model in models)
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=1e-2, atol=1e-4)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "False.losses.png", "False.pt", "True.losses.png", "True.pt"
    ]  # fmt: skip


def test_ctrl_c_keeps_what_was_learned(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    run = started("train", "frame_prediction", data, "--minutes", 9, *TINY_WORDS, "-o", path)
    assert run.stderr is not None
    assert any("frame_prediction: step" in line or "generator: step" in line for line in run.stderr)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate()
    assert err.count("stopped; now calibrating") == 1, err
    model = load_model(path)
    assert model.provenance["interrupted"]
    assert model.provenance["steps"] > 1


def test_what_fails_is_said_by_one(data: Path, tmp_path: Path) -> None:
    run = started("train", "motion", data, "--steps", 6, "-o", tmp_path / "m.pt")
    _, err = run.communicate()
    assert run.returncode == 1
    assert err.count("motion is not learned by gradients") == 1, err
    run = started("score", tmp_path / "m.pt", data, "-o", tmp_path / "out")
    _, err = run.communicate()
    assert err.count("torchrun is for train") == 1, err
