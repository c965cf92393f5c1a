"""The part of a stream that is about cameras with some tags."""

from datetime import UTC, datetime

from monitor.api.narrowing import Narrowing
from monitor.api.schema import CameraStatus, HealthView, LogLine, Message, ScorePoint

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def camera(name: str, *tags: str) -> CameraStatus:
    return CameraStatus(name=name, state="running", since=NOON, tags=list(tags))


def test_only_what_is_about_cameras_with_all_tags_is_left() -> None:
    narrowing = Narrowing(["site:a", "roof"])
    first = Message(cameras=[camera("x", "site:a", "roof"), camera("y", "site:a")])
    assert [c.name for c in narrowing(first).cameras] == ["x"]
    points = [ScorePoint(camera=name, at=NOON, score=0.1) for name in "xyz"]
    lines = [LogLine(at=NOON, level="info", camera=c, text="") for c in ("x", "y", None)]
    health = [
        HealthView(id=str(c), camera=c, kind="k", severity="info", text="", started_at=NOON)
        for c in ("y", None)
    ]
    left = narrowing(Message(scores=points, log=lines, health=health))
    assert [p.camera for p in left.scores] == ["x"]
    assert [line.camera for line in left.log] == ["x", None]
    assert [event.camera for event in left.health] == [None]


def test_a_camera_that_loses_its_tag_is_removed_once() -> None:
    narrowing = Narrowing(["node:n1"])
    narrowing(Message(cameras=[camera("x", "node:n1"), camera("y", "node:n2")]))
    moved = narrowing(Message(cameras=[camera("x", "node:n2")]))
    assert (moved.cameras, moved.removed) == ([], ["x"])
    assert narrowing(Message(cameras=[camera("x", "node:n2")])) == Message()
    assert narrowing(Message(removed=["y"])) == Message()
