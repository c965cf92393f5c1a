"""`oddwatch status` against a real server in another thread."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from monitor.api.client import EngineGone
from monitor.api.schema import Learning
from monitor.cli.status import camera_row, is_ill, remark_on, status
from tests.monitor.api.scripted import START, ScriptedEngine, serving_script


@contextmanager
def running(engine: ScriptedEngine) -> Iterator[None]:
    ready, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with serving_script(engine):
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        done.set()
        thread.join()
        engine.store.close()


def exit_status(folder: Path, *, as_json: bool = False) -> int:
    with pytest.raises(typer.Exit) as left:
        status(folder=folder, as_json=as_json)
    return left.value.exit_code


def test_all_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = ScriptedEngine(tmp_path, ["door", "yard"])
    with running(engine):
        assert exit_status(tmp_path) == 0
        printed = capsys.readouterr().out.splitlines()
        assert exit_status(tmp_path, as_json=True) == 0
    assert printed[0].endswith(": running, 2 cameras, 0 open, 0 unseen")
    assert printed[2].split() == ["door", "running", "0.20", "10.0", "0.1", "s", "-"]
    plain = json.loads(capsys.readouterr().out)
    assert plain["well"] is True
    assert [camera["name"] for camera in plain["cameras"]] == ["door", "yard"]


def test_an_alert_is_seen_in_the_exit_status(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path, ["door"])
    engine.raise_alert("door")
    with running(engine):
        assert exit_status(tmp_path) == 3


def test_an_engine_that_can_store_nothing_is_not_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = ScriptedEngine(tmp_path, ["door"])
    engine.set_engine(state="read_only", unstored="events.db cannot grow, the disk is full")
    with running(engine):
        assert exit_status(tmp_path) == 3
        printed = capsys.readouterr().out.splitlines()
        assert exit_status(tmp_path, as_json=True) == 3
    assert printed[1] == "nothing can be stored: events.db cannot grow, the disk is full"
    assert json.loads(capsys.readouterr().out)["well"] is False


def test_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineGone) as error:
        status(folder=tmp_path)
    assert error.value.exit_status == 1


@pytest.mark.parametrize(
    ("state", "ill"),
    [("running", False), ("learning", False), ("paused", False), ("blind", True), ("failed", True)],
)
def test_which_states_want_a_person(tmp_path: Path, state: str, *, ill: bool) -> None:
    camera = ScriptedEngine(tmp_path, 1).set_camera("camera-1", state=state)
    assert is_ill(camera) is ill


def test_a_camera_in_one_line(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path, ["door"])
    alert = engine.raise_alert("door")
    now = START + timedelta(minutes=5)
    door = engine.set_camera("door", score=1.5, reason="a reason")
    assert camera_row(door, now) == ["door", "alert", "1.50", "10.0", "0.1 s", "5.0 min ago"]
    assert remark_on(door, now) == "a reason"
    engine.end_alert(alert.id)
    step = Learning(step="training", share=0.5, text="fusion")
    door = engine.set_camera("door", score=None, learning=step)
    assert camera_row(door, now)[1:3] == ["running", "-"]
    assert remark_on(door, now) == "training 50%, fusion"
    assert camera_row(engine.set_camera("door", score=-0.01), now)[2] == "0.00"  # less than usual


def test_a_mute_of_days_is_told_with_its_date(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path, ["door"])
    noon = START.astimezone().replace(hour=12, minute=0)
    today = engine.set_camera("door", muted_until=noon + timedelta(hours=2))
    assert remark_on(today, noon) == "muted until 14:00"
    later = engine.set_camera("door", muted_until=noon + timedelta(days=3, hours=2))
    assert remark_on(later, noon) == f"muted until {noon + timedelta(days=3):%Y-%m-%d} 14:00"
    assert remark_on(later, noon + timedelta(days=4)) == ""
    engine.store.close()


def test_a_folder_may_be_named_as_for_the_dashboard_and_remarks_stand_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = ScriptedEngine(tmp_path, ["door", "yard"])
    engine.set_camera(
        "yard", state="backoff", reason="rtsp://y/1: refused; next try 9 s after the last"
    )
    with running(engine), pytest.raises(typer.Exit) as left:
        status(str(tmp_path))
    assert left.value.exit_code == 3
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "yard: rtsp://y/1: refused; next try 9 s after the last"
    assert printed[3].split() == ["yard", "backoff", "0.20", "10.0", "0.1", "s", "-"]


def test_learning_that_failed_says_why_and_not_how_far_it_came(tmp_path: Path) -> None:
    engine = ScriptedEngine(tmp_path, ["door"])
    step = Learning(step="collecting", share=1.0, text="1 of 1 min of normal footage")
    why = "learning failed: there is no room"
    failed = engine.set_camera("door", state="failed", reason=why, learning=step)
    assert remark_on(failed, START) == why
    assert remark_on(engine.set_camera("door", state="learning"), START).endswith(step.text)
    engine.store.close()
