"""The real engine from its configuration to its API, on films that loop as if they were live."""

import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import av
import cv2
import numpy as np
import pytest

from monitor.api.listening import ServerError
from monitor.config.changes import Reloader
from monitor.errors import StoreError
from monitor.files import digest_of
from monitor.live.watched import FILE, read_watched
from monitor.store import Store, StoreUnavailableError
from monitor.store_database import Database
from monitor.store_writer import Measured
from tests.monitor.live.engines import Plain, Ran, leaves_nothing, write_config
from tests.monitor.live.failing import GOOD, REASON, run_failing
from tests.monitor.live.tiny import RATE_HZ, SIDE, SIZE, film, light_file, light_model, trained

LOOP_S = 12.0
FLASH = (7.0, 9.5)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {
        "dim": film(folder / "dim.mp4", LOOP_S),
        "flash": film(folder / "flash.mp4", LOOP_S, flash=FLASH),
    }


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return light_file(tmp_path / "light.pt", monkeypatch)


def camera(name: str, url: Path, model: Path, **more: object) -> Plain:
    return {
        "name": name, "url": str(url), "model": str(model), "loop": True, "score_fps": 10.0,
        "pre_s": 2.0, "post_s": 1.0, "gate": False,
    } | more  # fmt: skip


def test_an_alert_from_the_film_to_the_store(
    tmp_path: Path, films: dict[str, Path], model: Path
) -> None:
    with leaves_nothing(tmp_path):
        config = write_config(tmp_path, [camera("door", films["flash"], model)])
        with Ran(config) as ran:
            ran.wait(lambda: ran.camera("door")["state"] == "running")
            ran.wait(ran.alerts)
            alert_id = ran.alerts()[0]["id"]
            ran.wait(lambda: ran.alerts()[-1]["phase"] == "end")
            ran.wait(lambda: ran.alerts()[-1]["has_snapshot"] and ran.alerts()[-1]["has_clip"])
            alert = ran.alerts()[-1]
            assert alert["id"] == alert_id
            assert alert["strength"] > 1
            picture = np.frombuffer(ran.ask(f"/api/alerts/{alert_id}/snapshot"), np.uint8)
            decoded = cv2.imdecode(picture, cv2.IMREAD_COLOR)
            assert decoded is not None
            assert decoded.shape == (*SIZE, 3)
            clip = tmp_path / "clip.mp4"
            clip.write_bytes(ran.ask(f"/api/alerts/{alert_id}/clip"))
            assert bright_seconds(clip) == pytest.approx(FLASH[1] - FLASH[0], abs=0.5)
            ran.patch(f"/api/alerts/{alert_id}", acknowledged=True, label="true")
            seconds = ran.stop()
        assert seconds < 15
    with Store(tmp_path / "out" / "events.db", read_only=True) as store:
        stored = store.get(alert_id)
        assert (stored.label, stored.alert.phase) == ("true", "end")
        assert stored.acknowledged_at is not None
        (label,) = store.labelled("door", digest_of(model))
        calibration = light_model().calibrated()
        assert label.threshold == pytest.approx(calibration.rule.enter)
        assert label.peak_level is not None
        assert label.peak_level > calibration.rule.enter
        assert Path(stored.snapshot).is_file()
        assert Path(stored.clip).is_file()
        assert stored.strength is not None
        curve = store.curves.find(stored.started_at, stored.ended_at, "door")
        assert np.nanmax([minute.levels for minute in curve]) >= stored.strength - 0.01
    assert read_watched(tmp_path / "out" / FILE)[digest_of(model)]["door"] > 5


def bright_seconds(clip: Path) -> float:
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return sum(int((frame > 200).sum() > SIDE * SIDE * 0.8) for frame in frames) / RATE_HZ


def test_what_is_open_at_the_end_is_whole(
    tmp_path: Path, films: dict[str, Path], model: Path
) -> None:
    nowhere = camera("nowhere", tmp_path / "none.mp4", model)
    config = write_config(tmp_path, [camera("door", films["flash"], model), nowhere])
    with Ran(config) as ran:
        ran.wait(lambda: any(alert["phase"] != "end" for alert in ran.alerts()))
        ran.wait(lambda: ran.ask("/api/health-events"))
        assert ran.stop() < 15
    with Store(tmp_path / "out" / "events.db", read_only=True) as store:
        (stored,) = store.find()
        assert (stored.alert.phase, stored.alert.ended_by) == ("end", "shutdown")
        clips = list((tmp_path / "out").rglob("*.mp4"))
        assert [str(path) for path in clips] == ([stored.clip] if stored.clip else [])
        assert store.health.find()
        assert not store.health.find(open_only=True)


def test_a_reload_changes_what_changed_and_keeps_the_last_good_one(
    tmp_path: Path,
    films: dict[str, Path],
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cameras = [camera("door", films["dim"], model)]
    config = write_config(tmp_path, cameras)
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("door")["state"] == "running")
        before = ran.camera("door")["epoch"]
        write_config(tmp_path, [*cameras, camera("yard", films["dim"], model)])
        ran.reload()
        ran.wait(lambda: "yard" in names(ran) and ran.camera("yard")["state"] == "running")
        for wrong in ('[[camera]]\nname = "x"\nurll = "y"\n', '[[camera]]\nname="x"\n'):
            config.write_text(wrong)
            ran.reload()
            ran.wait(lambda: open_health(ran) == ["configuration"])
        assert names(ran) == ["door", "yard"]
        with monkeypatch.context() as patched:
            patched.setattr(Reloader, "reload", lambda _: 1 // 0)  # a fault of our own
            ran.reload()
            ran.wait(lambda: "unexpected ZeroDivisionError" in caplog.text)
        assert names(ran) == ["door", "yard"]
        write_config(tmp_path, [camera("door", films["dim"], model, schedule=["sometimes"])])
        ran.reload()
        time.sleep(1)
        assert names(ran) == ["door", "yard"]
        assert open_health(ran) == ["configuration"]
        write_config(tmp_path, [camera("door", films["dim"], model, cooldown_s=1.0, tags=["a"])])
        ran.reload()
        ran.wait(lambda: names(ran) == ["door"] and open_health(ran) == [])
        now = ran.camera("door")
        assert (now["epoch"], now["state"], now["tags"]) == (before, "running", ["a"])


def test_a_person_keeps_a_picture_and_pauses_over_a_reload_that_changes_the_camera(
    tmp_path: Path, films: dict[str, Path], model: Path
) -> None:
    config = write_config(tmp_path, [camera("door", films["dim"], model)])
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("door")["state"] == "running")
        ran.act("door", "snapshot")
        (kept,) = (tmp_path / "out" / "pictures").iterdir()
        assert kept.read_bytes()[:2] == b"\xff\xd8"
        ran.act("door", "pause")
        ran.wait(lambda: ran.camera("door")["state"] == "paused")
        write_config(tmp_path, [camera("door", films["dim"], model, floor_s=2.0)])
        ran.reload()
        stations = ran.engine.crew.stations  # the changed one leaves before it comes
        ran.wait(lambda: "door" in stations and stations["door"].settings.floor_s == 2.0)
        assert ran.camera("door")["state"] == "paused"
        ran.act("door", "resume")
        ran.wait(lambda: ran.camera("door")["state"] == "running")


def names(ran: Ran) -> list[str]:
    return [str(one["name"]) for one in ran.ask("/api/cameras")]


def open_health(ran: Ran) -> list[str]:
    return [
        str(one["kind"]) for one in ran.ask("/api/health-events", open=True) if not one["ended_at"]
    ]


def test_a_model_calibrated_anew_is_read_at_a_reload(
    tmp_path: Path, films: dict[str, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from monitor.model import load_model, save_model

    with Ran(write_config(tmp_path, [camera("door", films["dim"], model)])) as ran:
        ran.wait(lambda: ran.camera("door")["state"] == "running")
        loaded = load_model(model)
        other = replace(loaded.calibrated(), promised_per_day=7.0)
        save_model(replace(loaded, calibration=other), model)
        ran.reload()
        ran.wait(lambda: ran.camera("door")["promised_per_day"] == 7.0)
        ran.wait(lambda: ran.camera("door")["state"] == "running")


def test_a_model_of_another_shape_fails_alone(
    tmp_path: Path, films: dict[str, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.live.engine.HOUSE_S", 0.2)
    wide = film(tmp_path / "wide.mp4", 5, width=64)
    cameras = [camera("door", films["dim"], model), camera("wide", wide, model)]
    cameras.append(camera("none", films["dim"], tmp_path / "missing.pt"))
    with Ran(write_config(tmp_path, cameras)) as ran:
        ran.wait(lambda: ran.camera("wide")["state"] == "failed")
        ran.wait(lambda: ran.camera("none")["state"] == "failed")
        assert "64x96, the model learned on 128x96" in ran.camera("wide")["reason"]
        assert "no such model file" in ran.camera("none")["reason"]
        ran.wait(lambda: len(ran.ask("/api/health-events")) == 2)
        events = {found["camera"]: found for found in ran.ask("/api/health-events")}
        assert {name: found["kind"] for name, found in events.items()} == {
            "wide": "model",
            "none": "model",
        }
        assert events["none"]["text"] == ran.camera("none")["reason"]
        ran.wait(lambda: ran.camera("door")["fps_scored"] > 1)
        assert ran.camera("door")["state"] == "running"


def test_a_webhook_that_cannot_be_reached_delays_nothing(
    tmp_path: Path, films: dict[str, Path], model: Path
) -> None:
    notices: list[Plain] = [{"kind": "webhook", "url": "http://192.0.2.1:9/"}]
    config = write_config(tmp_path, [camera("door", films["flash"], model)], notices)
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(ran.alerts)
        ran.wait(lambda: ran.camera("door")["fps_scored"] > 1)
        assert ran.ask("/api/status")["state"] == "running"
        assert ran.stop() < 15
    with sqlite3.connect(tmp_path / "out" / "events.db") as database:
        assert database.execute("select count(*) from outbox").fetchone()[0] >= 1


def test_a_database_that_is_gone_is_told(
    tmp_path: Path, films: dict[str, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.live.engine.HOUSE_S", 0.2)
    with Ran(write_config(tmp_path, [camera("door", films["dim"], model)])) as ran:
        written = Database.write

        def gone(_database: Database) -> NoReturn:
            raise StoreUnavailableError("it is gone")

        def stuck() -> list[Plain]:
            return [found for found in ran.ask("/api/health-events") if found["kind"] == "store"]

        monkeypatch.setattr(Database, "write", gone)
        ran.engine.writer.put(Measured(()))
        ran.wait(stuck)
        assert "it is gone; events are held in memory" in stuck()[0]["text"]
        told = ran.ask("/api/status")
        assert (told["state"], told["unstored"]) == ("read_only", "it is gone")
        assert ran.camera("door")["state"] != "failed"
        monkeypatch.setattr(Database, "write", written)
        ran.wait(lambda: stuck()[0]["ended_at"])


def test_two_engines_on_one_folder(tmp_path: Path, films: dict[str, Path], model: Path) -> None:
    config = write_config(tmp_path, [camera("door", films["dim"], model)])
    with Ran(config) as ran:
        words = [sys.executable, "-m", "monitor", "watch", str(config), "--headless"]
        second = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
        assert second.returncode == 1
        (line,) = [x for x in second.stderr.splitlines() if x.startswith("oddwatch: ")]
        assert "engine" in line
        assert "Traceback" not in second.stderr
        assert ran.ask("/api/status")["state"] == "running"


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, model: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StoreError, match="expected a folder, found a file"):
        Ran(write_config(tmp_path, [camera("door", tmp_path, model)])).__enter__()


def test_where_the_port_is_taken_no_camera_is_opened(tmp_path: Path, model: Path) -> None:
    config = write_config(tmp_path, [camera("door", tmp_path / "no film", model)])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(
            config.read_text().replace("port = 0", f"port = {taken.getsockname()[1]}")
        )
        ran = Ran(config)
        with (
            leaves_nothing(tmp_path),
            pytest.raises(ServerError, match=r"^port \d+ .* is in use: "),
        ):
            ran.__enter__()
    assert not hasattr(ran.engine, "crew")
    assert list((tmp_path / "out").iterdir()) == []  # it may be the wrong folder


@pytest.mark.slow
def test_scoring_goes_on_where_its_device_fails(tmp_path: Path, films: dict[str, Path]) -> None:
    own = trained(tmp_path / "tiny.pt")
    config = write_config(tmp_path, [camera("door", films["dim"], own)], capture="process")
    with leaves_nothing(tmp_path), Ran(config, run_failing) as ran:
        ran.wait(lambda: "device" in open_health(ran))
        ran.wait(lambda: open_health(ran) == ["device"])  # scoring is back
        before = ran.engine.crew.scored
        ran.wait(lambda: ran.engine.crew.scored > before + 2 * GOOD)
        texts = {h["kind"]: h["text"] for h in ran.ask("/api/health-events")}
        assert f"the scoring process ended ({REASON}); nothing is judged" in texts["scoring"]
        assert texts["device"].startswith(f"{REASON}; models are computed on the CPU")
        assert ran.camera("door")["state"] == "running"
        assert ran.stop() < 15


@pytest.mark.slow
def test_in_processes(tmp_path: Path, films: dict[str, Path]) -> None:
    own = trained(tmp_path / "tiny.pt")
    cameras = [camera("door", films["flash"], own), camera("yard", films["dim"], own)]
    config = write_config(tmp_path, cameras, capture="process")
    with leaves_nothing(tmp_path), Ran(config) as ran:
        ran.wait(lambda: ran.camera("yard")["fps_scored"] > 0)
        ran.wait(lambda: any(a["has_clip"] for a in ran.alerts()))
        assert {a["camera"] for a in ran.alerts()} == {"door"}
        assert ran.stop() < 15
