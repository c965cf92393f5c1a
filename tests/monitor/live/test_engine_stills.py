"""Product snapshots in the real engine: a drop folder beside a camera."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from benchmarks.live.servers import MjpegServer, free_port
from models.detector import Budget
from models.registry import DETECTORS, build
from monitor.config.settings import CameraSettings
from monitor.errors import DeviceError, DeviceFullError, MonitorError
from monitor.live import still_worker
from monitor.live.backoff import MOST_S
from monitor.live.still_post import FEW, StillPost
from monitor.live.still_worker import (
    StillEnded,
    StillJudged,
    StillOrder,
    StillReady,
    is_still_model,
    run_stills,
)
from monitor.stills.model import save_still_model
from monitor.stills.opening import open_stills
from monitor.stills.pipeline import train_stills
from monitor.store import Store
from tests.monitor.live.engines import Plain, Ran, leaves_nothing, write_config
from tests.monitor.live.failing import REASON
from tests.monitor.live.test_engine import camera, open_health
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


ADVISED = f"{REASON}: try again, or --device cpu"


def order_on(device: str, runtime: str = "torch-half") -> StillOrder:
    return StillOrder("line", "drop", "plate.pt", device, runtime, "events.db", ".", 1.0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DeviceError(ADVISED), StillEnded(REASON, hopeless=False, device=True)),
        (DeviceFullError(ADVISED), StillEnded(REASON, hopeless=False, device=True)),
        (MonitorError("no"), StillEnded("no", hopeless=True)),
    ],
)
def test_a_device_that_fails_is_not_hopeless_and_said_to_be_it(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: StillEnded
) -> None:
    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(still_worker, "_judge", fail)
    ours, theirs = multiprocessing.Pipe()
    run_stills(theirs, order_on("auto"))
    assert ours.recv() == said


@pytest.mark.parametrize(
    ("order", "later"),
    [
        (order_on("auto"), order_on("cpu", "auto")),
        (order_on("auto", "torch"), order_on("cpu", "torch")),
        (order_on("cuda"), order_on("cuda")),
    ],
)
def test_a_device_that_fails_is_left_for_the_cpu_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, order: StillOrder, later: StillOrder
) -> None:
    asked: list[StillOrder] = []

    def fail(_link: Connection, order: StillOrder, _stop: threading.Event) -> str:
        asked.append(order)
        raise DeviceError(ADVISED)

    monkeypatch.setattr(still_worker, "_judge", fail)
    post = StillPost(CameraSettings(name="line", url="drop"), order, Random(0), "thread")
    post.start(0.0)
    now_s = 0.0
    while len(asked) < 3:
        now_s += MOST_S
        post.poll(now_s)
        time.sleep(0.01)
    post.bury(10.0)
    assert asked == [order, later, later]
    moved = f"{REASON}; pictures are judged on the CPU until the engine is restarted"
    assert post.slower == (moved if order.device == "auto" else "")


OK = StillJudged("ok", 0.1, 0.5, "")
OTHER_SHAPE = StillJudged("unjudged", None, None, "64x128; the model learned on 64x64")
NO_PICTURE = StillJudged("unjudged", None, None, "no picture came", seen=False)


def test_a_post_tells_pictures_that_are_refused_from_pictures_that_do_not_come() -> None:
    post = StillPost(CameraSettings(name="line", url="drop"), order_on("cpu"), Random(0), "thread")

    def after(*news: StillJudged) -> tuple[str, str, float]:
        for one in news:
            post._note(one, 2.0)
        return post.state, post.reason, post.since_s

    post._go(1.0, "connecting")
    post._note(StillReady("spots", "", 0.01, ()), 1.0)
    refused = "failed", f"its pictures are not judged: {OTHER_SHAPE.why}", 1.0
    assert after(*[OTHER_SHAPE] * (FEW - 1)) == ("running", "", 1.0)
    assert after(OK, *[OTHER_SHAPE] * (FEW - 1)) == ("running", "", 1.0)
    assert after(OTHER_SHAPE) == refused
    assert after(replace(OTHER_SHAPE, why="9x9"))[1] == "its pictures are not judged: 9x9"
    assert after(OK) == ("running", "", 1.0)
    assert after(NO_PICTURE) == ("stalled", "no picture came", 2.0)
    assert after(replace(NO_PICTURE, why="it is gone")) == ("stalled", "it is gone", 2.0)
    assert after(OTHER_SHAPE) == ("running", "", 2.0)
    post.pause(3.0, "paused by a person")
    assert after(*[OTHER_SHAPE] * FEW)[0] == "paused"


def test_pictures_of_another_shape_are_said_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "spots", Spots)
    model = spots_model()
    model.provenance["source_size"] = [64, 64]
    save_still_model(model, tmp_path / "plate.pt")
    drop = tmp_path / "drop"
    drop.mkdir()
    for number in range(FEW):
        assert cv2.imwrite(str(drop / f"{number}.png"), np.full((64, 128, 3), 128, np.uint8))
    with MjpegServer(port=free_port(), size=(96, 160)) as server:
        cameras: list[Plain] = [
            {"name": name, "url": url, "model": str(tmp_path / "plate.pt"), "score_fps": 10.0}
            for name, url in (("drop", str(drop)), ("line", server.url()))
        ]
        with leaves_nothing(tmp_path), Ran(write_config(tmp_path, cameras)) as ran:
            names = "drop", "line"
            ran.wait(lambda: {ran.camera(name)["state"] for name in names} == {"failed"})
            for name, shape in zip(names, ("128x64", "160x96"), strict=True):
                said = f"its pictures are not judged: {shape}; the model learned on 64x64"
                assert ran.camera(name)["reason"].startswith(said)
            ran.wait(lambda: open_health(ran) == ["stills", "stills"])
            write_plate(drop / "good.png", 1)
            ran.wait(lambda: ran.camera("drop")["state"] == "running")
            ran.wait(lambda: open_health(ran) == ["stills"])


def test_judging_goes_on_where_its_device_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = still_worker._judge

    def fail(link: Connection, order: StillOrder, stop: threading.Event) -> str:
        if order.device != "cpu":
            raise DeviceError(ADVISED)
        return judge(link, order, stop)

    monkeypatch.setattr(still_worker, "_judge", fail)
    plates, drop = still_file(tmp_path / "plate.pt", monkeypatch), tmp_path / "drop"
    write_plate(drop / "a.png", 1)
    line = {"name": "line", "url": str(drop), "model": str(plates), "score_fps": 10.0}
    with leaves_nothing(tmp_path), Ran(write_config(tmp_path, [line])) as ran:
        ran.wait(lambda: ran.camera("line")["judged"] == 1)
        ran.wait(lambda: open_health(ran) == ["device"])
        texts = {h["kind"]: h["text"] for h in ran.ask("/api/health-events")}
        assert texts["stills"] == REASON
        assert texts["device"].startswith(f"{REASON}; pictures are judged on the CPU")
        assert ran.stop() < 15


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
