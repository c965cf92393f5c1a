"""Pictures of the main states, compared cell by cell; looked at by a person when they change.

New ones: pytest tests/monitor/tui/test_snapshots.py --snapshot-update
"""

import numpy as np
import pytest

from monitor.api.client import EngineGone
from monitor.api.schema import Learning
from monitor.tui.replay_app import ReplayDashboard, Timeline
from monitor.tui.state.recording import Recording, Track
from tests.monitor.tui.scripted import ago, alert, busy_engine, camera, many, scripted
from tests.monitor.tui.stage import dashboard, settle, until

pytest.importorskip("pytest_textual_snapshot")
SMALL, MIDDLE, WALL = (80, 24), (120, 40), (240, 60)


def picture_of(snap_compare, app, size, *, keys=(), before=None, last=None):
    async def run(pilot):
        await settle(app, pilot)
        if before is not None:
            await before(app, pilot)
            await settle(app, pilot)
        for key in keys:
            await pilot.press(key)
            await settle(app, pilot)
        if last is not None:
            await last(app, pilot)

    return snap_compare(app, terminal_size=size, run_before=run)


async def _light(app, pilot):
    app.theme = "oddwatch-light"


async def _lose(app, pilot):
    engine = app.links[0].engine
    engine.refusal = EngineGone("no engine at http://127.0.0.1:8737: connection refused")
    await engine.later.put(engine.refusal)
    await until(pilot, lambda: app.fleet.sites[0].link == "lost")


async def _table(app, pilot):
    await pilot.press("2")
    await settle(app, pilot)
    await until(pilot, lambda: app.screen.table.row_count)


async def _alert(app, pilot):
    await _table(app, pilot)
    await pilot.press("enter")
    await settle(app, pilot)
    await until(pilot, lambda: app.screen.picture._bytes)


async def _camera(app, pilot):
    await pilot.press("enter")
    await settle(app, pilot)
    await until(pilot, lambda: app.screen.picture._bytes)


@pytest.mark.parametrize("size", [SMALL, MIDDLE, WALL], ids=["80x24", "120x40", "240x60"])
def test_sixty_four_cameras(snap_compare, size):
    assert picture_of(snap_compare, dashboard(busy_engine(64)), size)


def test_six_cameras(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(6)), SMALL)


def test_no_camera(snap_compare):
    assert picture_of(snap_compare, dashboard(scripted()), SMALL)


def test_one_camera_that_learns(snap_compare):
    learning = Learning(step="collecting", share=0.43, text="6 of 15 min")
    one = camera("north door", state="learning", score=None, learning=learning)
    assert picture_of(snap_compare, dashboard(scripted([one])), SMALL)


def test_an_alert_storm(snap_compare):
    cameras = many(24)
    alerts = [
        alert(n, cameras[n % 24].name, 2 + n, phase="new" if n < 3 else "end") for n in range(30)
    ]
    assert picture_of(snap_compare, dashboard(scripted(cameras, alerts=alerts)), MIDDLE)


def test_an_engine_that_is_lost(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(6)), SMALL, before=_lose)


def test_light(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(12)), MIDDLE, before=_light)


def test_no_colour(snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert picture_of(snap_compare, dashboard(busy_engine(12)), SMALL)


def test_a_camera(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(12)), SMALL, before=_camera)


def test_alerts(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(12)), SMALL, before=_table)


def test_an_alert(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(12)), MIDDLE, before=_alert)


def test_health(snap_compare):
    assert picture_of(snap_compare, dashboard(busy_engine(64)), MIDDLE, keys=("4",))


def test_one_camera_on_a_wall(snap_compare):
    assert picture_of(snap_compare, dashboard(scripted([camera("north door")])), WALL)


def test_cameras_that_cannot_be_judged(snap_compare):
    refused = "rtsp://192.0.2.7/stream: Connection refused; next try 45 s after the last"
    cameras = [
        camera("never scored", score=None, scored_at=None),
        camera("gone", state="backoff", since=ago(7200), reason=refused, score=None),
        camera("covered", state="blind", since=ago(40), reason="the lens is covered"),
        camera("no model fits", state="failed", since=ago(90), reason="another shape of picture"),
    ]
    assert picture_of(snap_compare, dashboard(scripted(cameras)), SMALL)


def test_no_alerts(snap_compare):
    assert picture_of(snap_compare, dashboard(scripted([camera("a")])), SMALL, keys=("2",))


def test_stills(snap_compare):
    line = camera("bottles", kind="stills", judged=1_204, defective=7, score=0.31)
    engine = scripted([line], alerts=[alert(n, "bottles", 60 * n) for n in range(1, 4)])

    async def gallery(app, pilot):
        await pilot.press("3")
        await settle(app, pilot)
        await until(pilot, lambda: app.screen.defects[2]._bytes)

    assert picture_of(snap_compare, dashboard(engine), MIDDLE, before=gallery)


def test_help(snap_compare):
    async def ask(app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()

    assert picture_of(snap_compare, dashboard(busy_engine(6)), MIDDLE, last=ask)


def test_a_replay(snap_compare):
    levels = np.where((np.arange(600) // 60) == 5, 2.5, 0.3).astype(np.float32)
    raised = alert(1, "door", 0).model_copy(
        update={"started_at": ago(300), "ended_at": ago(240), "strength": 2.5}
    )
    track = Track("door", np.arange(600.0), levels, [raised])
    app = ReplayDashboard(Recording("oddwatch/events.db", ago(600), 600.0, [track]))

    async def seek(app, pilot):
        app.replay.playing = False
        app.seek(330.0)
        await until(pilot, app.fleet.sites[0].alerting)
        app.screen.query_one(Timeline).refresh()

    assert picture_of(snap_compare, app, MIDDLE, before=seek)
