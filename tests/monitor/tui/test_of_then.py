"""What is not of now does not look as if it were: paused, lost, learning anew, connecting."""

from datetime import timedelta

import pytest

from monitor.api.schema import Learning
from monitor.tui.deeds import _answer
from monitor.tui.renderables.tile import Frame, draw_line, draw_tile, state_words
from monitor.tui.screens.live import _refused, _waiting
from monitor.tui.state.fleet import Fleet
from monitor.tui.state.site import Site
from monitor.tui.state.telling import of_camera
from monitor.tui.state.words import TIMES
from monitor.tui.themes import OWN, palette
from tests.monitor.tui.scripted import NOW, ago, camera
from tests.monitor.tui.test_fleet import site, whole

COLOURS = palette(OWN[0].to_color_system().generate())
AT = ago(300).astimezone().strftime("%H:%M:%S")


def one(**changes):
    return site(whole(camera("gate", **changes))).cameras["gate"]


def tile(of):
    lines = draw_tile(of, Frame(60, 8, 300, selected=False, title="gate"), COLOURS)
    return "\n".join("".join(part.text for part in line) for line in lines)


def line(of, width=100):
    drawn = draw_line(of, Frame(width, 1, 300, selected=False, title="gate"), COLOURS)
    return "".join(part.text for part in drawn)


def facts(of):
    return {said.name: said.value for said in of_camera(of) if said.name}


@pytest.mark.parametrize("state", ["paused", "backoff", "stalled", "ended"])
def test_a_score_that_was_left_is_told_as_such(state):
    left = one(state=state, score=1.8, scored_at=ago(300), fps_in=12.0)
    assert f"was 1.80{TIMES} at {AT}" in tile(left)
    assert "fps" not in tile(left) + line(left)
    assert f"at {AT}" in line(left)
    assert facts(left)["score"] == f"was 1.80{TIMES} threshold at {AT}"
    now = one(score=1.8, scored_at=ago(300), fps_in=12.0)
    assert f"1.80{TIMES} threshold" in tile(now)
    assert "12 fps" in tile(now)


@pytest.mark.parametrize("state", ["blind", "warmup"])
def test_a_camera_that_is_not_scored_still_tells_that_pictures_come(state):
    shown = tile(one(state=state, score=0.3, fps_in=12.0))
    assert "12 fps" in shown
    assert f"was 0.30{TIMES}" in shown


def test_a_lost_engine_leaves_what_was():
    left = one(score=0.5, scored_at=ago(300), fps_in=12.0)
    left.site.lost("gone")
    assert f"was 0.50{TIMES} at {AT}" in tile(left)
    assert "fps" not in tile(left)


def test_learning_anew_is_told_while_the_old_model_judges():
    learning = Learning(step="collecting", share=0.4, text="6 of 15 min of normal footage")
    again = one(learning=learning, model="gate.pt")
    assert state_words(again) == "normal, relearning 40%"
    assert facts(again)["relearning"] == "collecting 40%, 6 of 15 min of normal footage"
    assert list(facts(again)).index("relearning") == 1  # before numbers that may be out of sight


def test_a_camera_says_to_what_it_connects_and_what_to_do():
    soon = one(state="connecting", since=ago(2), address="rtsp://gate/1", reason="")
    assert "to rtsp://gate/1 " in tile(soon)
    assert "--probe" not in tile(soon)
    long = one(state="connecting", since=ago(20), address="rtsp://gate/1", reason="")
    assert state_words(long) == "connecting 20 s"
    assert "oddwatch check CONFIG --probe" in tile(long)


def test_an_engine_says_for_how_long_it_is_waited_for():
    moment = [NOW]
    asked = Site("north:1", lambda: 0.0, lambda: moment[0])
    asked.connected()
    fleet = Fleet([asked])
    assert fleet.complaints()[0].text == "connecting to north:1 …"
    moment[0] += timedelta(seconds=12)
    assert fleet.complaints()[0].text == "connecting to north:1 for 12 s, no answer yet"
    assert "oddwatch status URL" in _waiting(fleet)


def test_why_there_is_nothing_to_see_is_said_whole_and_with_what_to_do():
    where = Site("north:1", lambda: 0.0, lambda: NOW)
    where.lost("no engine at http://north:1: refused")
    assert _refused(Fleet([where])).startswith("No engine answers.\nno engine at http://north:1")
    assert "oddwatch watch CONFIG" in _refused(Fleet([where]))
    where.lost("the token is wrong", "refused")
    said = _refused(Fleet([where]))
    assert said.startswith("the token is wrong\n")
    assert "--token file:PATH" in said
    assert "oddwatch watch" not in said
    where.lost("the engine is not ready yet: events.db is copied", "busy")
    said = _refused(Fleet([where]))
    assert said.startswith("the engine is not ready yet: events.db is copied\n")
    assert said.endswith("nothing need be done here.")


def test_an_answer_names_its_camera_once():
    gate = one()
    assert _answer(gate, "gate learns anew") == "gate learns anew"
    assert _answer(gate, "kept") == "gate: kept"


@pytest.mark.parametrize("width", [58, 60, 80, 120])
def test_a_reason_and_a_score_in_one_line_do_not_touch(width):
    reason = "its model is being loaded: " + "a file with a name that fills the line " * 3
    said = line(one(state="warmup", score=None, scored_at=None, reason=reason), width)
    assert (len(said), "… no score " in said) == (width, True)
