"""The whole crew against scripted cameras: hours in seconds, every fault of the table."""

import asyncio
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from models.spec import ClipSpec
from monitor.capture.records import Connect, PictureStats, Tune
from monitor.live import crew
from monitor.live.clock import Clock
from monitor.live.health import Closed, Opened
from monitor.live.messages import LoadModel, ScorerEnds
from monitor.live.school import School
from tests.monitor.live.scripted import FPS, SPEC, ScriptedScorer, World, usual


def busy(camera: str, at_s: float) -> PictureStats:
    """Something always moves."""
    return usual(motion=0.05)


def test_cameras_run_and_are_scored_at_their_rate() -> None:
    world = World(stats=busy)
    world.run(30)
    assert set(world.states().values()) == {"running"}
    scored = [camera for cameras in world.scorers[0].rounds for camera in cameras]
    for name in world.names:
        assert scored.count(name) == pytest.approx(2 * 27, abs=4)
    assert world.desk.alerts == []
    assert world.desk.kinds() == []


@pytest.mark.parametrize(
    ("masks", "takes"),
    [({}, SPEC), ({"exclude": [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)]]}, None)],
)
def test_capture_makes_what_the_model_takes_unless_places_are_to_be_held_still_first(
    masks: dict[str, object], takes: ClipSpec | None
) -> None:
    world = World(names=("gate",), settings=masks)
    world.run(5)
    tuned = [it for it in world.feeds["gate"].commands if isinstance(it, Tune)]
    assert set(tuned) == {Tune(fps=FPS, takes=takes)}


def test_a_slow_model_gets_short_rounds_and_every_camera_its_turn() -> None:
    world = World(names=tuple(f"cam{i}" for i in range(12)), stats=busy)
    world.scorers[0].each_s = 0.1
    world.run(12)  # they start one after the other
    before = len(world.scorers[0].rounds)
    world.run(60)
    rounds = world.scorers[0].rounds[before:]
    assert max(map(len, rounds)) == 2  # of the quarter of a second that a round may take
    scored = [camera for cameras in rounds for camera in cameras]
    counts = [scored.count(name) for name in world.names]
    assert min(counts) > 0.9 * max(counts)


def test_cameras_start_one_after_the_other_as_soon_as_it_is_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew, "cores", lambda: 4)  # a start each 0.2 s, and half of that by chance
    world = World(names=tuple(f"cam{i}" for i in range(12)))
    started: list[tuple[float, int]] = []
    world.run(3, each=lambda at_s: started.append((at_s, len(world.opened))))
    counts = [count for _, count in started]
    assert max(b - a for a, b in pairwise(counts)) == 1
    assert counts[-1] == 12
    assert next(at_s for at_s, count in started if count) <= 0.2


def test_a_camera_paused_before_its_turn_is_not_started() -> None:
    world = World(names=tuple(f"cam{i}" for i in range(12)), stats=busy)
    world.crew.pause("cam11", "paused by a person", world.time.now_s)
    world.run(30)
    assert world.states().pop("cam11") == "paused"
    assert set(world.states().values()) == {"running", "paused"}


def test_a_model_file_that_turns_bad_leaves_the_model_of_before_and_is_read_again(
    tmp_path: Path,
) -> None:
    world = World(names=("gate",), settings={"model": str(tmp_path / "m.pt")}, stats=busy)
    school = School(world.crew, Clock())
    school.admit("gate")
    world.run(10)
    station = world.crew.stations["gate"]
    world.scorers[0].fails = True
    station.judged.unread = "as if it had changed"
    world.crew.forget_model(str(tmp_path / "m.pt"))
    asyncio.run(school.refresh())
    world.run(1)
    before = len(world.scorers[0].rounds)
    world.run(10)
    assert station.state == "running"
    assert len(world.scorers[0].rounds) > before
    assert station.judged.told.endswith("m.pt is no model; the model read before judges on")
    world.scorers[0].fails = False
    asyncio.run(school.refresh())
    world.run(1)
    assert station.judged.told == ""


def test_a_model_file_that_was_bad_at_the_start_is_read_at_a_reload(tmp_path: Path) -> None:
    world = World(names=("gate",), settings={"model": str(tmp_path / "m.pt")}, stats=busy)
    world.scorers[0].fails = True
    school = School(world.crew, Clock())
    school.admit("gate")
    world.run(10)
    assert world.states() == {"gate": "failed"}
    world.scorers[0].fails = False
    asyncio.run(school.refresh())
    world.run(5)
    assert world.states() == {"gate": "running"}


def test_an_anomaly_is_alerted_within_two_seconds_and_ends() -> None:
    def score(camera: str, at_s: float) -> float:
        return 5.0 if camera == "gate" and 20 <= at_s < 26 else 1.0

    world = World(score=score, stats=busy)
    world.run(60)
    assert world.desk.phases("yard") == []
    assert world.desk.phases("gate")[0] == "new"
    assert world.desk.phases("gate")[-1] == "end"
    told_s, first = world.desk.alerts[0]
    assert world.at(told_s) - 20 <= 2
    assert world.at(first.alert.start_s) == pytest.approx(20, abs=1)
    assert first.strength > 1
    assert first.peak is not None
    assert [clip.alert_id for clip in world.desk.clips] == [first.alert.id]


def test_a_picture_without_motion_is_scored_at_the_floor_rate_only() -> None:
    world = World(stats=lambda _c, at_s: usual(motion=0.0 if at_s > 10 else 0.05))
    world.run(20)
    before = sum(map(len, world.scorers[0].rounds))
    world.run(60)
    scored = sum(map(len, world.scorers[0].rounds)) - before
    assert scored <= len(world.names) * (60 / 5 + 2)
    assert world.crew.stations["gate"].counters.drops["gate"] > 60


def test_an_anomaly_after_a_long_still_is_alerted_as_fast() -> None:
    def anomalous(at_s: float) -> bool:
        return 60 <= at_s < 70

    world = World(
        names=("gate",),
        stats=lambda _c, at_s: usual(motion=0.06 if at_s < 10 or anomalous(at_s) else 0.0),
        score=lambda _c, at_s: 5.0 if anomalous(at_s) else 1.0,
    )
    world.run(75)
    assert world.desk.phases()[0] == "new"
    assert world.at(world.desk.alerts[0][0]) <= 62


def test_a_silent_stall_is_found_and_its_return_raises_nothing() -> None:
    world = World(up=lambda c, at_s: c != "gate" or not 20 <= at_s < 50, stats=busy)
    world.run(40)
    assert world.states() == {"gate": "stalled", "yard": "running"} or world.states()["gate"] in (
        "backoff",
        "connecting",
    )
    assert ("gate", "stalled") in world.desk.kinds()
    world.run(100)
    assert set(world.states().values()) == {"running"}
    assert world.desk.alerts == []
    assert world.crew.stations["gate"].epoch >= 2


def test_a_refused_camera_is_tried_with_patience_and_leaves_the_others_alone() -> None:
    world = World(up=lambda c, _at_s: c != "gate", stats=busy)
    world.run(60)
    tries = sum(isinstance(command, Connect) for command in world.feeds["gate"].commands)
    assert 3 <= tries <= 15
    assert world.states()["yard"] == "running"


def test_an_open_alert_ends_when_its_camera_goes() -> None:
    world = World(
        names=("gate",),
        stats=busy,
        score=lambda _c, at_s: 5.0 if at_s >= 20 else 1.0,
        up=lambda _c, at_s: at_s < 25,
    )
    world.run(50)
    last = world.desk.alerts[-1][1].alert
    assert (last.phase, last.ended_by) == ("end", "reconnect")
    assert world.crew.stations["gate"].open_alert == ""


def test_a_worker_that_dies_is_replaced() -> None:
    world = World(stats=busy)

    def kill_once(at_s: float) -> None:
        if 20 <= at_s < 20.05:
            world.feeds["gate"].alive = False

    world.run(60, each=kill_once)
    assert world.opened.count("gate") == 2
    assert set(world.states().values()) == {"running"}
    assert world.desk.alerts == []


def test_a_scorer_that_dies_is_replaced_and_everything_is_attached_again() -> None:
    world = World(stats=busy)

    def kill_once(at_s: float) -> None:
        if 20 <= at_s < 20.05:
            world.scorers[0].alive = False

    world.run(40, each=kill_once)
    assert len(world.scorers) == 2
    assert sorted(set(world.scorers[1].attached)) == sorted(world.names)
    assert sum(map(len, world.scorers[1].rounds)) > 40
    assert (None, "scoring") in world.desk.kinds()


LOST = ScorerEnds("device cuda failed (CUDA error: unknown)", device=True)


def lost(world: World) -> list[tuple[str, str]]:
    """What is said where its device fails 20 s from the beginning; the rest of a minute passes."""

    def fail_once(at_s: float) -> None:
        if 20 <= at_s < 20.05:
            world.scorers[0].end(LOST)

    world.run(60, each=fail_once)
    assert len(world.scorers) == 2
    assert sum(map(len, world.scorers[1].rounds)) > 60
    return [(n.kind, n.text) for _, _, n in world.desk.health if isinstance(n, Opened)]


def test_a_device_that_fails_is_left_for_the_cpu_and_both_are_said() -> None:
    world = World(stats=busy, load=partial(LoadModel, runtime="torch-half"))
    assert lost(world) == [
        ("scoring", f"the scoring process ended ({LOST.text}); nothing is judged until it is back"),
        ("device", f"{LOST.text}; models are computed on the CPU until the engine is restarted"),
    ]
    assert world.scorers[1].asked == [LoadModel("model.pt", "cpu", "auto")]
    assert [n.kind for _, _, n in world.desk.health if isinstance(n, Closed)][-1] == "scoring"


def test_a_device_that_was_asked_for_is_tried_again() -> None:
    world = World(stats=busy, load=partial(LoadModel, device="cuda"))
    assert [kind for kind, _ in lost(world)] == ["scoring"]
    assert world.scorers[1].asked == [LoadModel("model.pt", "cuda")]


def test_a_scorer_that_ends_by_another_fault_says_it_and_keeps_its_device() -> None:
    world = World(stats=busy)

    def fail_once(at_s: float) -> None:
        if 20 <= at_s < 20.05:
            world.scorers[0].end(ScorerEnds("a bug", device=False))

    world.run(30, each=fail_once)
    assert world.scorers[1].asked == [LoadModel("model.pt", "auto")]
    (told,) = [n.text for _, _, n in world.desk.health if isinstance(n, Opened)]
    assert told.startswith("the scoring process ended (a bug)")


def test_a_scorer_that_hangs_is_killed() -> None:
    world = World(stats=busy)

    def hang(at_s: float) -> None:
        if 20 <= at_s < 20.05:
            world.scorers[0].silent = True

    world.run(120, each=hang)
    assert len(world.scorers) == 2
    assert isinstance(world.scorers[1], ScriptedScorer)
    assert world.scorers[1].rounds


def test_a_scorer_that_always_dies_is_not_restarted_in_a_loop() -> None:
    world = World(stats=busy)

    def kill(_at_s: float) -> None:
        world.scorers[-1].alive = False

    world.run(120, each=kill)
    assert 5 <= len(world.scorers) <= 14


def test_a_blind_camera_is_not_scored_and_says_so() -> None:
    dark = replace(usual(), mean=1.0, std=0.5, sharpness=1.0, motion=0.0, change=0.0, edges=0.0)
    world = World(
        names=("gate",),
        stats=lambda _c, at_s: dark if 90 <= at_s < 130 else busy("", at_s),
        score=lambda _c, at_s: 9.0 if 90.5 <= at_s < 130 else 1.0,
    )
    world.run(120)
    assert world.states()["gate"] == "blind"
    assert world.desk.phases() == []
    world.run(40)
    assert world.states()["gate"] == "running"
    assert world.desk.phases() == []


def test_a_light_switch_raises_nothing() -> None:
    def stats(_camera: str, at_s: float) -> PictureStats:
        if 90 <= at_s < 90.2:
            return replace(usual(), mean=180, motion=0.9, change=60)
        return replace(usual(motion=0.03), mean=180 if at_s >= 90 else 100)

    world = World(
        names=("gate",), stats=stats, score=lambda _c, at_s: 9.0 if 90 <= at_s < 91.5 else 1.0
    )
    world.run(120)
    assert world.desk.phases() == []


def test_the_wall_clock_may_jump() -> None:
    world = World(stats=busy, score=lambda _c, at_s: 5.0 if 30 <= at_s < 36 else 1.0)

    def jump(at_s: float) -> None:
        if 32 <= at_s < 32.05:
            world.time.set_by_s = -3600

    world.run(60, each=jump)
    ends = [news.alert for _, news in world.desk.alerts if news.alert.phase == "end"]
    assert all(4 <= alert.end_s - alert.start_s <= 9 for alert in ends)
    assert len(ends) == 2


def test_everything_stopping_at_once_is_one_event_about_the_host() -> None:
    names = tuple(f"c{i}" for i in range(8))
    world = World(names=names, stats=busy, up=lambda _c, at_s: not 30 <= at_s < 80)
    world.run(100)
    kinds = world.desk.kinds()
    assert kinds.count((None, "host")) == 1
    world.run(200)
    assert set(world.states().values()) == {"running"}
    assert world.desk.alerts == []


def test_removing_a_camera_ends_its_alert_and_its_worker() -> None:
    world = World(stats=busy, score=lambda c, at_s: 5.0 if c == "gate" and at_s > 20 else 1.0)
    world.run(25)
    station = world.crew.remove("gate", world.time.now_s)
    station.bury(0)
    assert world.desk.phases("gate")[-1] == "end"
    assert not world.feeds["gate"].alive
    world.run(5)
    assert world.states() == {"yard": "running"}


def test_pausing_and_resuming() -> None:
    world = World(stats=busy)
    world.run(20)
    world.crew.pause("gate", "paused by a person", world.time.now_s)
    world.run(10)
    assert world.states()["gate"] == "paused"
    world.crew.resume("gate", world.time.now_s)
    world.run(30)
    assert world.states()["gate"] == "running"
    assert world.desk.alerts == []
