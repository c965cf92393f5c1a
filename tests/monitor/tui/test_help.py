"""What help says of keys is what they do."""

import re
from collections import Counter

import pytest

from monitor.tui.screens.help import GENERAL, HelpScreen
from tests.monitor.tui.scripted import alert, camera, scripted
from tests.monitor.tui.stage import dashboard, play, settle, text_of, until

NAMES = {"/": "slash", ",": "comma", ".": "full_stop", "PgUp": "pageup", "PgDn": "pagedown"} | {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
}
KEY = re.compile(r"\*\*(\S|PgUp|PgDn|enter|space|backspace|end|escape|ctrl\+p)\*\*")
JUDGING = {
    "a": "acknowledge",
    "t": "label('true')",
    "n": "label('normal_here')",
    "y": "label('unsure')",
    "e": "note",
    "u": "undo",
}
LIVE = {"enter": "choose", "a": "acknowledge", "m": "mute", "d": "density", "s": "span"}
CAMERA = {"h": "heat", "m": "mute", "p": "pause", "R": "relearn", "x": "snapshot"}
ALERTS = {"/": "search", "f": "phase", "c": "camera", "d": "days", "s": "sort"}
ALERTS |= {"PgUp": "page_up", "PgDn": "page_down", ",": "turn(-1)", ".": "turn(1)"}
ALERTS |= {"enter": "select_cursor", "o": "open_clip", "x": "export"}
ALERT = {"P": "pin", "o": "open_clip", "x": "export_alert", "space": "beside(1, True)"}
ALERT |= {"[": "beside(-1)", "]": "beside(1)", "backspace": "beside(-1, True)"}
LOG = {"l": "level", "/": "search"}
PAGES = {
    "live": ((), LIVE | {"/": "filter"}),
    "camera": (("enter",), CAMERA | {"[": "beside(-1)", "]": "beside(1)"}),
    "alerts": (("2",), ALERTS | JUDGING),
    "alert": (("2", "enter"), ALERT | JUDGING),
    "stills": (("3",), {"h": "heat", "enter": "select_cursor"}),
    "health": (("4",), LOG),
    "log": (("4", "escape"), LOG | {"end": "scroll_end"}),
}


def engine():
    line = camera("line", kind="stills", judged=1200, defective=12, score=1.4)
    return scripted([line, camera("door")], alerts=[alert(1, "line", 60), alert(2, "door", 90)])


@pytest.mark.parametrize("page", PAGES)
def test_every_key_does_what_help_says_and_is_told_once(page):
    keys, meant = PAGES[page]
    letters = {"live": "hjkl", "alerts": "jk"}.get(page, "")

    async def body(app, pilot):
        for key in keys:
            await pilot.press(key)
            await settle(app, pilot)
        focused, active = app.screen.focused, app.screen.active_bindings
        text = (focused.HELP if focused is not None else None) or app.screen.HELP
        assert set(KEY.findall(text)) == set(meant)
        done = {key: active[NAMES.get(key, key)].binding.action for key in meant}
        assert done == meant
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        told = cells(app.screen._table())
        moving = next(keys for keys, what in told if what == "move")
        assert set("hjkl") & set(moving) == set(letters)
        counted = Counter(key for keys, _ in told for key in keys.split())
        assert not [key for key, times in counted.items() if times > 1]

    play(dashboard(engine()), body, (100, 46))


def cells(table):
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (None, "quit; no engine ends with it"),
        (lambda: "", "quit; asks what becomes of the engine"),
        (lambda: "the engine has ended", "quit; no engine ends with it"),
    ],
)
def test_what_quitting_does_to_the_engine_is_told(ended, said):
    async def body(app, pilot):
        await pilot.press("question_mark")
        await until(pilot, lambda: said in text_of(app))

    play(dashboard(engine(), ended=ended), body, (100, 46))


def test_general_help_names_keys_that_are_everywhere():
    async def body(app, pilot):
        active = app.screen.active_bindings
        assert set(KEY.findall(GENERAL)) == {"1", "4", "ctrl+p", "escape", "q"}
        assert set(KEY.findall(GENERAL)) <= set(active)

    play(dashboard(engine()), body)


def test_the_table_of_alerts_is_turned_at_its_ends():
    alerts = [alert(n, "door", 60 + n) for n in range(250)]

    async def body(app, pilot):
        await pilot.press("2")
        await settle(app, pilot)
        table, desk = app.screen.table, app.desk
        await until(pilot, lambda: table.row_count == 100)
        await pilot.press("pageup", "G", "pagedown")
        await until(pilot, lambda: desk.page == 1 and app.screen.chosen() is desk.rows[0])
        await until(pilot, lambda: desk.rows[0].alert.id.endswith("100"))
        await settle(app, pilot)
        await pilot.press("pageup")
        await until(pilot, lambda: desk.page == 0 and table.cursor_row == 99)
        await pilot.press("pageup")
        assert (desk.page, table.cursor_row < 99, table.cursor_row > 0) == (0, True, True)

    play(dashboard(scripted([camera("door")], alerts=alerts)), body, (100, 30))
