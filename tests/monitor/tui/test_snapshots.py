"""Pictures of the main states, compared cell by cell; looked at by a person when they change.

New ones: pytest tests/monitor/tui/test_snapshots.py --snapshot-update
"""

import pytest

from monitor.api.client import EngineGone
from monitor.api.schema import Learning
from tests.monitor.tui.scripted import alert, busy_engine, camera, many, scripted
from tests.monitor.tui.stage import dashboard, settle, until

pytest.importorskip("pytest_textual_snapshot")
SMALL, MIDDLE, WALL = (80, 24), (120, 40), (240, 60)


def picture_of(snap_compare, app, size, *, keys=(), before=None):
    async def run(pilot):
        await settle(app, pilot)
        if before is not None:
            await before(app, pilot)
            await settle(app, pilot)
        for key in keys:
            await pilot.press(key)
            await settle(app, pilot)

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
