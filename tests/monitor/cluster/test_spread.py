"""Scoring on workers of a real Ray on this machine: the same files whatever happens to one."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from models.registry import build
from monitor.alert_rule import AlertRule
from monitor.calibration import Recording, calibrate
from monitor.cluster import pieces
from monitor.cluster.ray_link import connected
from monitor.cluster.spread import Spread
from monitor.cluster.workers import How
from monitor.datasets import DataSet, open_data
from monitor.model import Model, load_model, save_model
from monitor.scored import score_data
from tests.monitor.footage import TINY, write_set

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def ray() -> Iterator[ModuleType]:
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  its name; on a busy machine workers would hardly start
    with connected("local") as found:
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return open_data(write_set(tmp_path_factory.mktemp("set") / "tiny", n_frames=60, masks=True))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY)
    detector.fitted = True
    place = tmp_path_factory.mktemp("model") / "tiny.pt"
    large = {"notes": ["x" * 1_000_000]}  # Ray hands small arguments over in another way
    quiet = Recording(np.linspace(0, 1e-6, 4000), np.arange(4000) / 10)  # so: all is over it
    calibration = calibrate([quiet], AlertRule(), false_alarms_per_day=24)
    save_model(Model(detector, calibration=calibration, provenance=large), place)
    return place


@pytest.fixture(scope="module")
def alone(data: DataSet, path: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("alone")
    score_data(load_model(path, "cpu"), data, out, pictures=False)
    return files(out)


def files(out: Path) -> dict[str, bytes]:
    names = ("scores.csv", "terms.csv", "alerts.csv")
    found = {name: (out / name).read_bytes() for name in names}
    assert found["alerts.csv"].count(b"end_of_source") == 2
    return found


def far(ray: ModuleType, data: DataSet, path: Path, out: Path, workers: int) -> Spread:
    model = load_model(path, "cpu")
    videos = data.test or data.train
    how = How("cpu", workers=workers)
    return Spread(ray, path, model, videos, how=how, kept=out / ".pieces")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_files_as_alone(  # noqa: PLR0917
    ray: ModuleType,
    data: DataSet,
    path: Path,
    alone: dict[str, bytes],
    tmp_path: Path,
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pieces.cut, "__kwdefaults__", {"clips": 24})
    spread = far(ray, data, path, tmp_path, workers)
    score_data(load_model(path, "cpu"), data, tmp_path, pictures=False, look=spread)
    assert len(list((tmp_path / ".pieces").iterdir())) > len(data.test)
    spread.close(done=True)
    assert files(tmp_path) == alone
    assert not (tmp_path / ".pieces").exists()


def test_a_worker_killed_in_the_middle_changes_nothing(
    ray: ModuleType, data: DataSet, path: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    spread = far(ray, data, path, tmp_path, 2)
    pids = [pid_of(ray, worker) for worker in spread._workers]
    killed: list[int] = []

    def progress(_what: str, done: int, _total: int | None) -> None:
        if not killed and done > 5:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    model = load_model(path, "cpu")
    score_data(model, data, tmp_path, pictures=False, look=spread, progress=progress)
    assert killed
    assert pid_of(ray, spread._workers[0]) != pids[0]
    spread.close(done=False)
    assert files(tmp_path) == alone


def test_what_is_kept_is_not_scored_again(
    ray: ModuleType, data: DataSet, path: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    model = load_model(path, "cpu")
    first = far(ray, data, path, tmp_path, 1)
    score_data(model, data, tmp_path, pictures=False, look=first)
    first.close(done=False)
    again = far(ray, data, path, tmp_path, 1)
    again._workers = []  # nobody could
    again._busy = {0: 0}
    score_data(model, data, tmp_path, pictures=False, look=again)
    assert files(tmp_path) == alone


def pid_of(ray: ModuleType, worker: Any) -> int:
    found: int = ray.get(worker.pid.remote())
    return found
