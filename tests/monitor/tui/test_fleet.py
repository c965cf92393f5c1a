"""What the dashboard knows, without a terminal."""

import pytest

from monitor.api.schema import HealthView, LogLine, Message, ScorePoint
from monitor.tui.state.curve import Curve
from monitor.tui.state.fleet import STORM, Fleet, Ringing
from monitor.tui.state.plan import plan
from monitor.tui.state.settings import Remembered, load_settings, save_settings
from monitor.tui.state.site import Site
from monitor.tui.state.words import look_of
from tests.monitor.tui.scripted import NOW, ago, alert, busy, camera, engine_status


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def site(*messages, name="north", clock=None):
    made = Site(name, clock or Clock(), lambda: NOW)
    made.connected()
    for message in messages:
        made.take(message)
    return made


def whole(*cameras, **parts):
    return Message(engine=engine_status(), cameras=list(cameras), **parts)


def names(fleet):
    return [one.name for one in fleet.cameras()]


def test_who_needs_a_person_comes_first_and_the_rest_keeps_its_order():
    fleet = Fleet([site(whole(
        camera("quiet 1"), camera("learns", state="learning"), camera("quiet 2", score=0.9),
        camera("blind", state="blind"), camera("failed", state="failed"),
        camera("alert", open_alert="x"),
    ))])  # fmt: skip
    assert names(fleet) == ["alert", "blind", "failed", "learns", "quiet 1", "quiet 2"]


def test_the_order_follows_a_change_of_state():
    one = site(whole(camera("a"), camera("b")))
    fleet = Fleet([one])
    assert names(fleet) == ["a", "b"]
    one.take(Message(cameras=[camera("b", open_alert="x")]))
    assert names(fleet) == ["b", "a"]
    one.take(Message(cameras=[camera("b")]))
    assert names(fleet) == ["a", "b"]


def test_a_filter_looks_at_names_tags_and_states():
    fleet = Fleet(
        [
            site(
                whole(
                    camera("Yard"),
                    camera("door", tags=["ground floor"]),
                    camera("x", state="blind"),
                )
            )
        ]
    )
    for text, found in (("yar", ["Yard"]), ("floor", ["door"]), ("blind", ["x"]), ("no such", [])):
        fleet.filter = text
        assert names(fleet) == found


def test_a_camera_that_is_no_more_is_gone_for_pages_that_hold_it():
    one = site(whole(camera("a"), camera("b")))
    held = one.cameras["a"]
    one.take(Message(removed=["a"]))
    assert held.gone
    assert names(Fleet([one])) == ["b"]


def test_the_first_message_after_a_reconnect_replaces_everything_but_the_curves():
    one = site(whole(camera("a"), camera("b")))
    one.take(Message(scores=[ScorePoint(camera="a", at=ago(1), score=0.7)]))
    one.lost("no engine")
    one.connected()
    one.take(whole(camera("a"), camera("c")))
    assert sorted(one.cameras) == ["a", "c"]
    assert one.cameras["a"].curve.last == 0.7


def test_a_score_that_is_no_number_leaves_the_one_of_the_status():
    one = site(whole(camera("a", score=0.31)))
    one.take_scores(
        [ScorePoint(camera="a", at=NOW, score=None), ScorePoint(camera="?", at=NOW, score=1)]
    )
    assert one.cameras["a"].curve.last is None
    assert one.cameras["a"].score == 0.31


def test_a_camera_that_was_never_scored_is_not_called_normal():
    unscored = camera("a", score=None, scored_at=None)
    assert look_of(unscored).word == "no score yet"
    assert look_of(camera("a", score=0.2)).word == "normal"
    assert look_of(camera("a", kind="stills", score=None, scored_at=None)).word == "normal"


def test_a_camera_that_is_tried_again_and_again_is_out_since_the_first_failure():
    one = site(whole(camera("a"), camera("b", state="backoff", since=ago(5))))
    fleet, out = Fleet([one]), one.cameras["b"]
    for state, seconds in (("connecting", 4), ("backoff", 3), ("connecting", 1)):
        one.take(Message(cameras=[camera("b", state=state, since=ago(seconds))]))
        assert (out.look.word, out.since) == ("RETRYING", ago(5))
        assert names(fleet) == ["b", "a"]
    event = HealthView(
        id="1", camera="b", kind="offline", severity="warning", text="x", started_at=ago(7200)
    )
    one.take(Message(health=[event]))
    assert out.since == ago(7200)
    one.take(Message(cameras=[camera("b", since=ago(0))]))
    assert (out.look.word, out.since) == ("normal", ago(0))


def test_a_line_that_was_logged_while_the_stream_began_is_shown_once():
    lines = [LogLine(at=ago(n), level="info", text=f"line {n}") for n in (3, 2, 1)]
    one = site(whole())
    one.take(Message(log=lines[:2]))
    one.take(Message(log=lines[1:]))
    assert list(one.log) == lines


def test_an_older_revision_of_an_alert_is_left_out():
    one = site(whole(camera("a"), alerts=[alert(1, "a", 60, revision=4)]))
    one.take(Message(alerts=[alert(1, "a", 60, revision=2, phase="new")]))
    assert one.alerts[alert(1, "a", 0).id].phase == "end"


def test_ages_go_by_the_engines_clock():
    one = site(whole())
    one.take(Message(engine=engine_status(now=ago(3600))))
    assert one.now == ago(3600)


def test_what_is_wrong_is_said_the_worst_first():
    clock = Clock()
    low = site(whole(), name="low", clock=clock)
    low.take(Message(engine=engine_status(state="read_only", disk_free_bytes=900_000_000)))
    gone = site(whole(), name="gone")
    gone.lost("no engine at gone: refused")
    said = [one.text for one in Fleet([low, gone]).complaints()]
    assert said[0].startswith("low: the store is read-only")
    assert said[1].startswith("gone: engine lost at 14:02:31, trying again")
    assert said[2] == "low: the disk is nearly full: 900 MB free"
    clock.now = 7.5
    assert "nothing heard for 7.5 s" in Fleet([low]).complaints()[1].text


def test_an_engine_that_never_answered_is_told_by_its_reason():
    one = Site("x", Clock(), lambda: NOW)
    assert Fleet([one]).complaints()[0].text == "connecting to x …"
    one.lost("x answers, but is no oddwatch engine (status 200)")
    assert (
        Fleet([one]).complaints()[0].text
        == "x answers, but is no oddwatch engine (status 200); trying again"
    )


def test_each_new_alert_rings_once_and_old_ones_never():
    one = site(whole(camera("a"), alerts=[alert(1, "a", 5, phase="new")]))
    fleet, ringing = Fleet([one]), Ringing(Clock())
    assert ringing.tell(fleet) == []
    one.take(Message(alerts=[alert(2, "a", 1, phase="new", revision=0)]))
    one.take(Message(alerts=[alert(2, "a", 1, phase="update", revision=1)]))
    assert ringing.tell(fleet) == ["a since 14:02:30"]
    assert ringing.tell(fleet) == []


def test_a_muted_camera_does_not_ring():
    one = site(whole(camera("a", muted_until=ago(-60))))
    one.take(Message(alerts=[alert(2, "a", 1, phase="new", revision=0)]))
    assert Ringing(Clock()).tell(Fleet([one])) == []


def test_a_storm_rings_once():
    one = site(whole(*(camera(f"c{n}") for n in range(20))))
    clock = Clock()
    fleet, ringing = Fleet([one]), Ringing(clock)
    told = []
    for number in range(40):
        clock.now = number * 0.5
        one.take(Message(alerts=[alert(number, f"c{number % 20}", 1, phase="new", revision=0)]))
        told += ringing.tell(fleet)
    assert len(told) == STORM
    assert told[-1].startswith("alert storm: 8 alerts in the last minute on 8 cameras")
    assert fleet.storm().startswith("alert storm: 40 alerts")


@pytest.mark.parametrize(("width", "height"), [(80, 17), (120, 32), (240, 52), (60, 8)])
@pytest.mark.parametrize("cameras", [0, 1, 2, 6, 12, 64, 200])
def test_a_plan_shows_every_camera_within_the_wall(cameras, width, height):
    for density in ("auto", "large", "small", "line"):
        found = plan(cameras, width, height, density)
        assert found.columns * found.rows >= cameras
        assert found.columns * found.width <= width
        assert found.height >= 1
    if plan(cameras, width, height, "auto").height > 1:
        assert plan(cameras, width, height, "auto").total_height <= height


def test_sixty_four_cameras_fit_a_wall_screen_as_tiles_and_a_laptop_as_lines():
    assert plan(64, 240, 52, "auto").height == 5
    assert plan(64, 80, 17, "auto").height == 1


def test_settings_come_back_and_broken_ones_are_the_defaults(tmp_path):
    path = tmp_path / "deep" / "dashboard.json"
    save_settings(path, Remembered(theme="nord", span_s=900))
    assert load_settings(path) == Remembered(theme="nord", span_s=900)
    path.write_text('{"density": "huge"}')
    assert load_settings(path) == Remembered()
    path.write_text('{"later": 1, "bell": false}')
    assert load_settings(path).bell is False
    assert load_settings(tmp_path / "none.json") == Remembered()
    (tmp_path / "file").write_text("")
    save_settings(tmp_path / "file" / "x.json", Remembered())  # nowhere to write: no failure


def test_memory_stays_flat():
    one = site(busy(64)[0])
    for number in range(3000):
        one.take(Message(
            alerts=[alert(1000 + number, "yard 02", 5)],
            health=[HealthView(id=str(number), camera=None, kind="x", severity="info", text="", started_at=NOW)],  # noqa: E501
        ))  # fmt: skip
    assert len(one.alerts) == 500
    assert len(one.health) == 300
    assert isinstance(one.cameras["yard 02"].curve, Curve)
