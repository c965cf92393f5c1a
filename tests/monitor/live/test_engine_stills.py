"""Product snapshots in the real engine: a drop folder beside a camera."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from benchmarks.live.servers import MjpegServer, free_port
from models.detector import Budget
from models.registry import DETECTORS, build
from monitor.errors import DeviceError, MonitorError
from monitor.live import still_worker
from monitor.live.still_worker import StillEnded, StillOrder, is_still_model, run_stills
from monitor.stills.model import save_still_model
from monitor.stills.opening import open_stills
from monitor.stills.pipeline import train_stills
from monitor.store import Store
from tests.monitor.live.engines import Plain, Ran, leaves_nothing, write_config
from tests.monitor.live.test_engine import camera
from tests.monitor.live.tiny import film, light_file
from tests.monitor.stills.spots import Spots, spots_model, write_plate


def still_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(DETECTORS, "spots", Spots)
    save_still_model(spots_model(), path)
    return path


def test_a_model_file_tells_its_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_still_model(still_file(tmp_path / "plate.pt", monkeypatch))
    assert not is_still_model(light_file(tmp_path / "light.pt", monkeypatch))
    assert not is_still_model(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no model")
    assert not is_still_model(tmp_path / "text.pt")


def test_a_drop_folder_beside_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plates, drop = still_file(tmp_path / "plate.pt", monkeypatch), tmp_path / "drop"
    dim, light = film(tmp_path / "dim.mp4", 8), light_file(tmp_path / "light.pt", monkeypatch)
    write_plate(drop / "a.png", 1)
    line = {"name": "line", "url": str(drop), "model": str(plates), "score_fps": 10.0}
    config = write_config(tmp_path, [line, camera("door", dim, light)])
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("line")["judged"] == 1)
        write_plate(drop / "b.png", 2, spot=True)
        ran.wait(lambda: ran.camera("line")["defective"] == 1)
        ran.wait(ran.alerts)
        status = ran.camera("line")
        assert (status["kind"], status["state"], status["judged"]) == ("stills", "running", 2)
        assert status["detector"] == "spots"
        assert status["score"] > 1
        (alert,) = ran.alerts()
        assert (alert["camera"], alert["phase"]) == ("line", "end")
        assert alert["strength"] is None or alert["strength"] > 1
        assert ran.ask(f"/api/alerts/{alert['id']}/snapshot")[:2] == b"\xff\xd8"
        assert ran.ask("/api/cameras/line/picture")[:2] == b"\xff\xd8"
        ran.wait(lambda: ran.camera("door")["fps_scored"] > 1)
        config = write_config(tmp_path, [camera("door", dim, light)])
        ran.reload()
        ran.wait(lambda: [c["name"] for c in ran.ask("/api/cameras")] == ["door"])
        write_config(tmp_path, [line, camera("door", dim, light)])
        ran.reload()
        ran.wait(lambda: len(ran.ask("/api/cameras")) == 2)
        ran.wait(lambda: ran.camera("line")["state"] == "running")
        write_plate(drop / "c.png", 3)
        ran.wait(lambda: ran.camera("line")["judged"] == 1)
        assert ran.stop() < 15
    with Store(tmp_path / "out" / "events.db", read_only=True) as store:
        assert store.count() == 1  # nothing was judged twice
        seen = store.seen_picture(str(drop / "b.png"))
        assert seen is not None
        assert seen.verdict == "defective"


def test_what_is_wrong_with_a_drop_folder_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = still_file(tmp_path / "good.pt", monkeypatch)
    (tmp_path / "drop").mkdir()
    cameras: list[Plain] = [
        {"name": "gone", "url": str(tmp_path / "nowhere"), "model": str(good)},
        {"name": "off", "url": str(tmp_path / "drop"), "model": str(good), "enabled": False},
    ]
    with leaves_nothing(tmp_path), Ran(write_config(tmp_path, cameras)) as ran:
        ran.wait(lambda: ran.camera("gone")["state"] == "backoff")
        assert "nowhere" in ran.camera("gone")["reason"]
        assert ran.camera("off")["state"] == "disabled"


@pytest.mark.parametrize(
    ("error", "hopeless"), [(DeviceError("device cuda failed"), False), (MonitorError("no"), True)]
)
def test_a_device_that_fails_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, *, error: Exception, hopeless: bool
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(still_worker, "_judge", fail)
    ours, theirs = multiprocessing.Pipe()
    order = StillOrder("line", "drop", "plate.pt", "auto", "auto", "events.db", ".", 1.0)
    run_stills(theirs, order)
    assert ours.recv() == StillEnded(str(error), hopeless=hopeless)


@pytest.mark.slow
def test_a_drop_folder_in_a_process_that_is_killed(tmp_path: Path) -> None:
    for number in range(40):
        write_plate(tmp_path / "good" / f"{number:03d}.png", number)
    model = tmp_path / "plate.pt"
    detector = build("cae", size=(32, 32), widths=(4, 8))
    train_stills(detector, open_stills(str(tmp_path / "good")), budget=Budget(steps=10), path=model)
    drop = tmp_path / "drop"
    write_plate(drop / "a.png", 300, spot=True)
    line: Plain = {"name": "line", "url": str(drop), "model": str(model), "score_fps": 10.0}
    config = write_config(tmp_path, [line], capture="process")
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("line")["judged"] == 1)
        worker = ran.engine.room.posts["line"].pid
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        ran.wait(lambda: ran.camera("line")["reconnects"] == 1)
        write_plate(drop / "b.png", 301)
        ran.wait(lambda: ran.camera("line")["judged"] == 2)
        ran.wait(lambda: len(ran.alerts()) == ran.camera("line")["defective"])
        assert ran.stop() < 15


@pytest.mark.slow
def test_a_product_camera_that_gives_no_picture_is_said_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plates = still_file(tmp_path / "plate.pt", monkeypatch)
    with MjpegServer(port=free_port(), size=(96, 96)) as server:
        line = {"name": "line", "url": server.url(), "model": str(plates), "score_fps": 2.0}
        with leaves_nothing(tmp_path), Ran(write_config(tmp_path, [line])) as ran:
            ran.wait(lambda: ran.camera("line")["judged"] > 1)
            server.stop()
            ran.wait(lambda: ran.camera("line")["state"] == "stalled")
            assert "expected a stream" in ran.camera("line")["reason"]
            ran.wait(lambda: [h["kind"] for h in ran.ask("/api/health-events", open=True)])
            server.start()
            judged = ran.camera("line")["judged"]
            ran.wait(lambda: ran.camera("line")["state"] == "running")
            ran.wait(lambda: ran.camera("line")["judged"] > judged)
