"""The files of the demo, and the judgement of a watch of them."""

from pathlib import Path

import numpy as np
import pytest

from monitor.demo import PlantedEvent, Scene, demo_scene, judge
from monitor.demo.programme import PASSES
from monitor.records import Alert
from monitor.sources import open_source


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return demo_scene(tmp_path_factory.mktemp("demo"))


def test_the_files_hold_what_they_are_for(scene: Scene) -> None:
    lengths = [open_source(p).n_frames for p in (scene.learn, scene.calibrate, scene.watch)]
    assert lengths == [640, 420, sum(p.stop - p.start for p in PASSES)]


def test_the_watched_file_keeps_the_times_of_its_passes(scene: Scene) -> None:
    times = np.array([frame.time_s for frame in open_source(scene.watch).frames()])
    starts = times[np.flatnonzero(np.diff(times, prepend=-99) > 1)]
    assert starts == pytest.approx([p.begins_s for p in PASSES], abs=1e-3)


def test_nothing_else_is_left_in_the_folder(scene: Scene) -> None:
    names = sorted(path.name for path in scene.watch.parent.iterdir())
    assert names == ["calibrate.mp4", "learn.mp4", "watch.mp4"]


def test_labels_are_true_from_an_events_start_to_its_end_only(scene: Scene) -> None:
    event = next(e for e in scene.events if e.kind == "stopped")
    sham = next(e for e in scene.events if e.kind == "nothing wrong")
    times = np.array([event.shown_from_s, event.start_s, event.end_s, sham.start_s + 1])
    assert scene.labels(times).tolist() == [False, True, True, False]


def event(kind: str, start_s: float, end_s: float) -> PlantedEvent:
    return PlantedEvent(kind, kind, start_s, end_s, start_s, end_s, ())  # type: ignore[arg-type]


def alert(name: str, start_s: float, end_s: float) -> Alert:
    return Alert(name, "demo", "end", 2, start_s, end_s, start_s, 1.0, None)


def test_found_missed_and_false_are_told_apart() -> None:
    events = [
        event("too fast", 10, 12),
        event("wrong way", 20, 22),
        event("stopped", 30, 33),
        event("nothing wrong", 40, 45),
    ]
    alerts = [
        alert("b", 13.4, 14),  # within the tolerance after the first event
        alert("a", 11, 11.5),
        alert("c", 23.6, 24),  # 1.6 s after the second: too late
        alert("d", 29, 31),  # open before the third
        alert("e", 41, 42),  # on the car that does nothing wrong
    ]
    verdict = judge(events, alerts)
    assert [(f.event.kind, f.alert.id, f.delay_s) for f in verdict.found] == [
        ("too fast", "a", 1.0),
        ("stopped", "d", 0.0),
    ]
    assert [e.kind for e in verdict.missed] == ["wrong way"]
    assert [a.id for a in verdict.false_alerts] == ["c", "e"]


def test_one_alert_over_two_events_finds_both() -> None:
    verdict = judge([event("too fast", 1, 2), event("stopped", 4, 6)], [alert("a", 1, 7)])
    assert [f.event.kind for f in verdict.found] == ["too fast", "stopped"]
    assert verdict.false_alerts == ()


def test_without_alerts_all_is_missed(tmp_path: Path) -> None:
    assert judge([event("too fast", 1, 2)], []).missed[0].kind == "too fast"
