"""The dashboard around its screens: sizes, settings, themes, leaving, several engines."""

import os

import pytest

from monitor.api.client import EngineGone
from monitor.api.schema import Message, ScorePoint
from monitor.tui.screens.alert import AlertScreen
from monitor.tui.screens.alerts import AlertsScreen
from monitor.tui.screens.ask import ChoiceScreen, LineScreen, TooSmallScreen
from monitor.tui.screens.camera import CameraScreen
from monitor.tui.screens.live import LiveScreen
from monitor.tui.state.settings import load_settings
from monitor.tui.widgets.chart import TEXTURE
from tests.monitor.tui.scripted import NOW, alert, busy_engine, camera, scripted, wave
from tests.monitor.tui.stage import dashboard, play, settle, text_of, until


def test_a_terminal_that_is_too_small_says_so_and_recovers():
    async def body(app, pilot):
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))

    play(dashboard(busy_engine(6)), body)


def test_nothing_is_seen_through_what_says_that_it_is_too_small():
    async def body(app, pilot):
        app.open_alert(app.fleet.newest()[0])
        await settle(app, pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, LineScreen))
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: "too small" in text_of(app))
        words = " ".join(text_of(app).split())
        assert words == "This terminal is too small. oddwatch needs 60 by 15 cells."
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: isinstance(app.screen, LineScreen))

    play(dashboard(busy_engine(6)), body, (60, 20))


@pytest.mark.parametrize("number", [9, 100], ids=["open", "ended"])
@pytest.mark.parametrize("page", [CameraScreen, AlertScreen])
def test_a_curve_with_its_alerts_is_resized_up_and_down(page, number):
    async def body(app, pilot):
        seen = next(one for one in app.fleet.newest() if one.alert.id.endswith(f"{number:03d}"))
        if page is AlertScreen:
            app.open_alert(seen)
        else:
            app.open_camera(seen.site.cameras[seen.alert.camera])
        await settle(app, pilot)
        if page is CameraScreen:
            await pilot.press("s")  # fifteen minutes, so that both are on it
        for size in ((200, 50), (80, 24), (200, 24), (61, 50), (120, 40)):
            await pilot.resize_terminal(*size)
            app.screen.repaint()
            await pilot.pause()
            assert isinstance(app.screen, page)
            assert TEXTURE in text_of(app)

    engine = busy_engine(12)
    engine.history = [*wave("yard 10"), *wave("north door 01", 1000)]
    play(dashboard(engine), body, (80, 24))


def test_what_is_chosen_is_remembered(tmp_path):
    path = tmp_path / "dashboard.json"

    async def body(app, pilot):
        await pilot.press("s", "d")
        app.theme = "nord"
        await until(pilot, lambda: load_settings(path).theme == "nord")

    play(dashboard(busy_engine(6), settings=path), body)
    kept = load_settings(path)
    assert (kept.theme, kept.span_s, kept.density) == ("nord", 900, "large")
    assert dashboard(busy_engine(6), settings=path).theme == "nord"


def test_filters_and_order_come_back_and_can_be_seen(tmp_path):
    path = tmp_path / "dashboard.json"

    async def choose(app, pilot):
        await pilot.press("slash", *"gate", "enter", "2")
        await settle(app, pilot)
        await pilot.press("f", "f", "s", "s", "d", "c")
        await until(pilot, lambda: load_settings(path).days == 1)

    async def find(app, pilot):
        assert {one.name.split()[0] for one in app.fleet.cameras()} == {"gate"}
        assert app.screen.input.display  # nobody is left to think that these are all
        assert app.screen.input.value == "gate"
        await pilot.press("2")
        await settle(app, pilot)
        kept = app.desk.filters
        assert (kept.phase, kept.sort, kept.days, kept.camera) == ("new", "strongest", 1, "")
        assert "not seen" in text_of(app)
        await pilot.press("escape", "1", "escape")
        assert len(app.fleet.cameras()) == 12

    play(dashboard(busy_engine(12), settings=path), choose)
    play(dashboard(busy_engine(12), settings=path), find)
    kept = load_settings(path)
    assert (kept.filter, kept.phase, kept.days, kept.sort) == ("", "all", 0, "strongest")


def test_every_builtin_theme_can_be_drawn():
    async def body(app, pilot):
        for name in app.available_themes:
            app.theme = name
            await pilot.pause()
            app.screen.repaint()
        await pilot.pause()

    play(dashboard(busy_engine(6)), body)


def test_closing_asks_where_an_engine_would_end_with_it():
    async def body(app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("down", "down", "enter")

    app = dashboard(busy_engine(6), ended=lambda: "")
    play(app, body)
    assert app.return_value == "stop"
    app = dashboard(busy_engine(6))

    async def leave(app, pilot):
        await pilot.press("q")

    play(app, leave)
    assert app.return_value == "leave"
    ended = dashboard(
        busy_engine(6), ended=lambda: "the engine has ended"
    )  # nothing to ask about any more
    play(ended, leave)
    assert ended.return_value == "leave"
    assert ("closed",) in app.links[0].engine.done  # type: ignore[attr-defined]


def test_an_own_engine_that_ended_is_not_said_to_be_tried_again():
    how: list[str] = []

    async def body(app, pilot):
        assert "nothing is watched" not in text_of(app)
        how.append("the engine has ended (status -9), nothing is watched; see ow/engine.log")
        gone = EngineGone("no engine at http://127.0.0.1:8737: connection refused")
        app.links[0].engine.refusal = gone
        await app.links[0].engine.later.put(gone)
        await until(pilot, lambda: how[0] in text_of(app))
        assert "trying again" not in text_of(app)
        await pilot.press("q")

    app = dashboard(busy_engine(6), ended=lambda: "".join(how))
    play(app, body)
    assert app.return_value == "leave"


def test_several_engines_stand_side_by_side():
    async def body(app, pilot):
        text = text_of(app)
        assert "north:1 / door" in text
        assert "south:2 / door" in text
        await pilot.press("2")
        await settle(app, pilot)
        await until(pilot, lambda: app.screen.table.row_count == 2)

    engines = [scripted([camera("door")], alerts=[alert(n, "door", 60)]) for n in (1, 2)]
    engines[0].url, engines[1].url = "http://north:1", "http://south:2"
    play(dashboard(*engines), body, (120, 30))


def test_an_export_says_which_engine_is_missing_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def body(app, pilot):
        app.fleet.sites[1].lost("gone")
        app.deeds.export(app.desk)
        await until(pilot, lambda: any("written" in note.message for note in app._notifications))
        (file,) = tmp_path.glob("alerts-*.csv")
        told = f"1 alert written to {file}; without those of south:2: engine lost"
        assert told in [note.message for note in app._notifications]

    engines = [scripted([camera("door")], alerts=[alert(n, "door", 60)]) for n in (1, 2)]
    engines[0].url, engines[1].url = "http://north:1", "http://south:2"
    play(dashboard(*engines), body)


def test_a_storm_of_updates_leaves_the_keys_answering():
    async def body(app, pilot):
        engine = app.links[0].engine
        names = [one.name for one in app.fleet.cameras()]
        for _ in range(150):
            await engine.later.put(
                Message(scores=[ScorePoint(camera=name, at=NOW, score=0.5) for name in names])
            )
        await pilot.press("2")
        await settle(app, pilot)
        assert isinstance(app.screen, AlertsScreen)
        await until(pilot, engine.later.empty)

    play(dashboard(busy_engine(64)), body, (120, 40))


def test_the_module_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys, monitor.tui.app, monitor.tui.replay_app\n"
        "heavy = {'torch', 'av', 'cv2', 'sqlalchemy', 'models', 'kornia'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TERM": "dumb"})
