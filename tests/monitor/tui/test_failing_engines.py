"""Engines that are lost, refuse or hang, as a person at the keys hears of them."""

import asyncio

import pytest

from monitor.api.client import (
    Denied,
    EngineGone,
    NotAnEngine,
    OtherVersion,
    Refused,
    Unanswered,
)
from monitor.errors import StoreError
from tests.monitor.tui.scripted import alert, busy_engine, camera, scripted
from tests.monitor.tui.stage import dashboard, play, settle, text_of, toasts, until


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("the engine is not ready yet: it is brought up", 503), "nothing need be done"),
        (Denied("the token is wrong"), "the token is wrong; trying again"),
        (OtherVersion("7", "http://x"), "speaks API 7"),
        (NotAnEngine("http://x answers, but is no oddwatch engine"), "is no oddwatch engine"),
    ],
)
def test_an_engine_that_cannot_be_followed_is_one_line(error, said):
    async def body(app, pilot):
        assert said in text_of(app)
        await pilot.press("2", "3", "4", "1", "enter", "a", "m")

    engine = scripted()
    engine.refusal = error
    play(dashboard(engine), body)


def test_a_lost_engine_is_told_and_found_again():
    async def body(app, pilot):
        engine, site = app.links[0].engine, app.fleet.sites[0]
        await engine.later.put(EngineGone("the engine has stopped"))
        await until(pilot, lambda: site.link == "lost")
        app.screen.repaint()
        await pilot.pause()
        assert "engine lost at 14:02:31, trying again" in text_of(app)
        assert "no engine" in text_of(app)
        await until(pilot, lambda: site.link == "live")
        app.screen.repaint()
        await pilot.pause()
        assert "engine lost" not in text_of(app)

    play(dashboard(busy_engine(6)), body)


def test_an_engine_that_says_no_costs_a_line():
    async def body(app, pilot):
        engine = app.links[0].engine
        engine.refusal = StoreError("the store is read-only")
        await pilot.press("a")
        await until(pilot, lambda: "the store is read-only" in toasts(app))
        assert app.fleet.newest()[0].alert.acknowledged_at is None

    play(dashboard(busy_engine(12)), body)


def test_what_was_said_to_an_engine_that_hangs_is_not_told_as_failed(monkeypatch):
    async def body(app, pilot):
        engine = app.links[0].engine
        say = engine.say

        async def hung(alert_id, said):
            await say(alert_id, said)
            raise Unanswered("no answer: it may be done all the same")

        monkeypatch.setattr(engine, "say", hung)
        monkeypatch.setattr("monitor.tui.state.desk.AGAIN_S", 0.01)
        await pilot.press("2")
        await settle(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: any("it may be done all the same" in t for t in toasts(app)))
        assert any(t.endswith("(u takes it back)") for t in toasts(app))
        await until(pilot, lambda: app.desk.rows[0].alert.label == "true")
        monkeypatch.setattr(engine, "say", say)
        await pilot.press("u")
        await until(pilot, lambda: engine.known[app.desk.rows[0].alert.id].label is None)

    play(dashboard(busy_engine(12)), body)


async def _turn_to_the_last_of_three_pages(app, pilot):
    await pilot.press("2")
    await settle(app, pilot)
    await until(pilot, lambda: app.screen.table.row_count == 100)
    await pilot.press("full_stop", "full_stop")
    await until(pilot, lambda: app.screen.table.row_count == 50)


def _three_pages():
    return scripted([camera("door")], alerts=[alert(n, "door", 60 + n) for n in range(250)])


@pytest.mark.parametrize(("key", "rows"), [("pageup", [99, 98]), ("pagedown", [0, 1])])
def test_a_key_that_is_held_while_a_page_is_on_its_way_turns_one_page(key, rows, monkeypatch):
    async def body(app, pilot):
        async def slowly(wanted):
            await going.wait()
            return await answer(wanted)

        await _turn_to_the_last_of_three_pages(app, pilot)
        table, desk, engine = app.screen.table, app.desk, app.links[0].engine
        answer, going = engine.alerts, asyncio.Event()
        if key == "pagedown":
            await pilot.press("comma", "comma", "G")
            await until(pilot, lambda: (desk.loaded, table.row_count) == (0, 100))
            await pilot.press("G")
        monkeypatch.setattr(engine, "alerts", slowly)
        await pilot.press(*[key] * 12)
        going.set()
        await until(pilot, lambda: desk.loaded == desk.page == 1 and not app.screen._waiting)
        assert table.cursor_row == rows[0]
        await pilot.press("up" if key == "pageup" else "down")
        assert (table.cursor_row, desk.page) == (rows[1], 1)

    play(dashboard(_three_pages()), body)


def test_a_page_that_does_not_come_is_turned_to_again_from_where_one_was(monkeypatch):
    async def body(app, pilot):
        async def gone(wanted):
            raise EngineGone("no engine there")

        await _turn_to_the_last_of_three_pages(app, pilot)
        table, desk, engine = app.screen.table, app.desk, app.links[0].engine
        answer = engine.alerts
        monkeypatch.setattr(engine, "alerts", gone)
        await pilot.press("pageup")
        await until(pilot, lambda: "no engine there" in toasts(app))
        await pilot.pause()
        assert (desk.page, table.cursor_row, table.row_count) == (2, 0, 50)
        monkeypatch.setattr(engine, "alerts", answer)
        await pilot.press("pageup")
        await until(pilot, lambda: desk.loaded == 1 and table.cursor_row == 99)

    play(dashboard(_three_pages()), body)
