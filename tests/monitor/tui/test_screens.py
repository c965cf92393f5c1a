"""Every screen with a scripted engine, as a person at the keys goes through them."""

from datetime import timedelta

import pytest

from monitor.api.schema import Message, ScorePoint
from monitor.tui.screens.alert import AlertScreen
from monitor.tui.screens.alerts import AlertsScreen
from monitor.tui.screens.ask import ChoiceScreen
from monitor.tui.screens.camera import CameraScreen
from monitor.tui.screens.help import HelpScreen
from monitor.tui.screens.live import LiveScreen
from tests.monitor.tui.scripted import NOW, alert, busy_engine, camera, engine_status, scripted
from tests.monitor.tui.stage import dashboard, play, settle, text_of, toasts, until


def test_the_first_look_says_who_alerts_since_when_and_how_bad():
    async def body(app, pilot):
        await until(pilot, lambda: "▲ yard 10" in text_of(app))
        text = text_of(app)
        assert "ALERT 42 s" in text
        assert "BLIND" not in text
        assert app.screen.wall.chosen.name == "yard 10"

    play(dashboard(busy_engine(12)), body, (120, 40))


def test_an_alert_moves_its_camera_to_the_front_and_rings(monkeypatch):
    async def body(app, pilot):
        rung = []
        monkeypatch.setattr(app, "bell", lambda: rung.append(1))
        engine = app.links[0].engine
        await engine.later.put(
            Message(
                cameras=[camera("b", open_alert="x", score=3.0)],
                alerts=[alert(1, "b", 2, phase="new", revision=0)],
            )
        )
        await until(pilot, lambda: rung and "b since 14:02:29" in toasts(app))
        assert app.fleet.cameras()[0].name == "b"

    play(dashboard(scripted([camera("a"), camera("b")])), body)


def test_acknowledging_takes_one_key_and_undo_another():
    async def body(app, pilot):
        engine = app.links[0].engine
        await pilot.press("a")
        await until(pilot, lambda: len(engine.said) == 1)
        assert engine.said[0][1].acknowledged is True
        await until(pilot, lambda: "yard 10: acknowledged   (u takes it back)" in toasts(app))
        await pilot.press("2")
        await settle(app, pilot)
        await pilot.press("u")
        await until(pilot, lambda: len(engine.said) == 2)
        assert engine.said[1][1].acknowledged is False

    play(dashboard(busy_engine(12)), body)


def test_the_wall_is_walked_by_keys_and_filtered():
    async def body(app, pilot):
        wall = app.screen.wall
        cameras = app.fleet.cameras()
        await pilot.press("down", "down", "up", "end")
        assert wall.chosen is cameras[-1]
        await pilot.press("g")
        assert wall.chosen is cameras[0]
        await pilot.press("slash", *"gate", "enter")
        assert {one.name.split()[0] for one in app.fleet.cameras()} == {"gate"}
        assert app.focused is wall
        await pilot.press("slash", *"zzz")
        app.screen.repaint()
        await pilot.pause()
        assert "No camera matches" in text_of(app)
        await pilot.press("escape")
        assert len(app.fleet.cameras()) == 64

    play(dashboard(busy_engine(64)), body, (80, 24))


def test_a_cameras_page_shows_numbers_and_does_what_it_is_told():
    async def body(app, pilot):
        engine = app.links[0].engine
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, CameraScreen)
        text = text_of(app)
        assert "1 a day false alarms" in text
        assert "rate 1,204, stale 3" in text
        await pilot.press("p")
        await until(pilot, lambda: ("yard 10", "pause") in engine.done)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("enter")
        await until(pilot, lambda: engine.done[-1][1] == "mute")
        assert engine.done[-1][2] == (NOW + timedelta(minutes=15)).isoformat()
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("enter")  # the first answer is no
        await settle(app, pilot)
        assert ("yard 10", "relearn") not in engine.done
        await pilot.press("right_square_bracket")
        assert app.screen.camera.name == "north door 01"

    play(dashboard(busy_engine(12)), body, (120, 40))


def test_a_camera_removed_while_its_page_is_open_says_so():
    async def body(app, pilot):
        await pilot.press("enter")
        await settle(app, pilot)
        await app.links[0].engine.later.put(Message(removed=["a"]))
        await until(pilot, lambda: app.screen.camera.gone)
        app.screen.repaint()
        await pilot.pause()
        assert "REMOVED" in text_of(app)
        await pilot.press("right_square_bracket", "h", "escape")
        assert isinstance(app.screen, LiveScreen)

    play(dashboard(scripted([camera("a")])), body)


def test_alerts_are_filtered_searched_and_judged():
    async def body(app, pilot):
        engine = app.links[0].engine
        await pilot.press("2")
        await settle(app, pilot)
        screen = app.screen
        assert isinstance(screen, AlertsScreen)
        await until(pilot, lambda: screen.table.row_count == 9)
        await pilot.press("j", "t")
        await until(pilot, lambda: engine.said)
        assert engine.said[-1][1].label == "true"
        await until(pilot, lambda: "true" in str(screen.table.get_row_at(1)[5]))
        await pilot.press("slash", *"gate")
        await until(pilot, lambda: screen.table.row_count == 1)
        await pilot.press("escape")
        await until(pilot, lambda: screen.table.row_count == 9)
        await pilot.press("f", "f")
        await until(pilot, lambda: screen.table.row_count == 8)  # not seen
        assert "not seen" in text_of(app)

    play(dashboard(busy_engine(12)), body, (120, 30))


def test_a_new_alert_comes_into_the_table_without_moving_the_cursor():
    async def body(app, pilot):
        engine = app.links[0].engine
        await pilot.press("2")
        await settle(app, pilot)
        screen = app.screen
        await until(pilot, lambda: screen.table.row_count == 9)
        await pilot.press("j", "j")
        chosen = screen.chosen().alert.id
        fresh = alert(777, "gate 07", 1, phase="new", revision=0)
        engine.known[fresh.id] = fresh
        await engine.later.put(Message(alerts=[fresh]))
        await until(pilot, lambda: fresh.id in app.fleet.sites[0].alerts)
        screen.paint(app.palette, 0)
        await until(pilot, lambda: screen.table.row_count == 10)
        assert screen.chosen().alert.id == chosen

    play(dashboard(busy_engine(12)), body)


def test_a_picture_that_comes_after_its_alerts_page_was_opened_is_shown():
    async def body(app, pilot):
        engine = app.links[0].engine
        fresh = alert(777, "gate 07", 1, phase="new", revision=0, has_snapshot=False)
        await engine.later.put(Message(alerts=[fresh]))
        await until(pilot, lambda: fresh.id in app.fleet.sites[0].alerts)
        app.open_alert(app.fleet.newest()[0])
        await settle(app, pilot)
        assert "no snapshot" in text_of(app)
        ended = fresh.model_copy(update={"phase": "end", "revision": 1, "has_snapshot": True})
        await engine.later.put(Message(alerts=[ended]))
        await until(pilot, lambda: app.screen.picture._picture.display)

    play(dashboard(busy_engine(12)), body)


def test_an_alert_is_copied_to_where_the_dashboard_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def body(app, pilot):
        app.open_alert(app.fleet.newest()[0])
        await settle(app, pilot)
        await pilot.press("x")
        alert_id = app.screen.seen.alert.id
        folder = tmp_path / f"alert-{alert_id}"
        await until(pilot, (folder / "clip.mp4").is_file)
        await until(pilot, lambda: "alert.json, snapshot.jpg, clip.mp4 written" in said(app))
        assert str(folder) in said(app)
        assert f'"id": "{alert_id}"' in (folder / "alert.json").read_text()
        assert (folder / "snapshot.jpg").read_bytes()[:2] == b"\xff\xd8"

    def said(app):
        return " ".join(note.message for note in app._notifications)

    play(dashboard(busy_engine(12)), body)


def test_an_alerts_page_goes_on_to_what_nobody_has_seen():
    async def body(app, pilot):
        engine = app.links[0].engine
        await pilot.press("2")
        await settle(app, pilot)
        await until(pilot, lambda: app.screen.table.row_count == 9)
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, AlertScreen)
        first = app.screen.seen.alert.id
        await pilot.press("n")
        await until(pilot, lambda: engine.said)
        assert (engine.said[0][1].label, engine.said[0][1].acknowledged) == ("normal_here", True)
        await pilot.press("space")
        await settle(app, pilot)
        assert app.screen.seen.alert.id != first
        assert app.screen.seen.alert.acknowledged_at is None
        await pilot.press("e")
        await pilot.press(*"a van", "enter")
        await until(pilot, lambda: engine.said[-1][1].note == "a van")
        await pilot.press("o")
        await until(pilot, lambda: any("clip" in one for one in toasts(app)))

    play(dashboard(busy_engine(12)), body, (100, 30))


def test_health_tells_engine_troubles_and_log():
    async def body(app, pilot):
        await pilot.press("4")
        await settle(app, pilot)
        text = text_of(app)
        for part in (
            "torch 2.15 cpu",
            "412 GB free",
            "2 going on",
            "401: wrong user or password",
            "line 19",
        ):
            assert part in text
        await pilot.press("l", "l")  # errors only
        await pilot.pause()
        assert "line 19" in text_of(app)
        assert "line 18" not in text_of(app)

    play(dashboard(busy_engine(64)), body, (120, 40))


def test_stills_show_verdicts_and_an_empty_screen_says_what_to_do():
    async def empty(app, pilot):
        await pilot.press("3")
        await settle(app, pilot)
        assert "No product line is watched" in text_of(app)

    async def body(app, pilot):
        await pilot.press("3")
        await settle(app, pilot)
        text = text_of(app)
        assert "1,200" in text
        assert "1.00%" in text

    play(dashboard(scripted([camera("a")])), empty)
    line = camera("line", kind="stills", judged=1200, defective=12, score=1.4)
    play(dashboard(scripted([line], alerts=[alert(1, "line", 60)])), body, (120, 30))


def test_help_is_of_what_has_the_focus():
    async def body(app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.pause()
        assert "half-way up is always the threshold" in " ".join(text_of(app).split())
        await pilot.press("escape", "2", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.pause(0.1)
        assert "searches in camera" in " ".join(text_of(app).split())

    play(dashboard(busy_engine(6)), body, (100, 40))


ODD = (
    "[red]door[/red] [bold",
    "\N{CINEMA} caf\u00e9 \u5317\u95e8",
    "x" * 200,
    "[@click=app.bell]y[/]",
)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_odd_names_and_scores_break_nothing(size):
    async def body(app, pilot):
        engine = app.links[0].engine
        points = [ScorePoint(camera=name, at=NOW, score=None) for name in ODD]
        jumped = engine_status(now=NOW - timedelta(days=400))
        await engine.later.put(Message(scores=points, engine=jumped))
        await until(pilot, lambda: app.fleet.sites[0].now.year == 2025)
        for density in ("line", "large", "auto"):
            app.screen.wall.density = density
            app.screen.repaint()
            await pilot.pause()
            assert "[red]door[/red]" in text_of(app)
        for keys in (("enter",), ("2",), ("enter",), ("e",), ("escape", "4"), ("ctrl+p",)):
            await pilot.press(*keys)
            await pilot.pause(0.05)

    cameras = [
        camera(name, score=None if n % 2 else float("inf"), open_alert=f"01J{n:023d}", reason=name)
        for n, name in enumerate(ODD)
    ]
    alerts = [
        alert(n, name, 5, phase="new", reason=name, note=name, strength=None)
        for n, name in enumerate(ODD)
    ]
    play(dashboard(scripted(cameras, alerts=alerts)), body, size)


def test_every_page_is_drawn_without_colours(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def body(app, pilot):
        await pilot.press("enter")  # a camera, with its picture
        await settle(app, pilot)
        await until(pilot, lambda: app.screen.picture._bytes)
        for key in ("escape", "2", "enter", "escape", "3", "4", "question_mark"):
            await pilot.press(key)
            await pilot.pause(0.1)
        assert isinstance(app.screen, HelpScreen)

    play(dashboard(busy_engine(6)), body)
