"""What the fleet's API knows: cameras on nodes that come, go and hand over."""

from datetime import UTC, datetime, timedelta

from monitor.api.schema import (
    AlertView,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
)
from monitor.cluster.board import HANDOVER, MOST_HEALTH, Board
from monitor.cluster.reports import FleetStatus
from monitor.config.settings import CameraSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CAMERAS = [CameraSettings(name=n, url=f"rtsp://u:pw@h/{n}", tags=["site:a"]) for n in "abc"]
ENGINE = EngineStatus(version="1", state="running", started_at=NOON, now=NOON, cameras=1)


def camera(name: str) -> CameraStatus:
    return CameraStatus(name=name, state="running", since=NOON, tags=["site:a"])


def first(*names: str, **more: object) -> Message:
    return Message(engine=ENGINE, cameras=[camera(n) for n in names], **more)  # type: ignore[arg-type]


def states(board: Board) -> dict[str, str]:
    return {camera.name: camera.state for camera in board.cameras}


def test_cameras_of_nodes_have_their_tag_and_the_order_of_the_configuration() -> None:
    board = Board(CAMERAS, NOON)
    assert states(board) == dict.fromkeys("abc", "connecting")
    assert "pw" not in board.cameras[0].address
    told = board.take("n2", first("c", "a"), NOON)
    assert {c.name: c.tags[-1] for c in told.cameras} == {"c": "node:n2", "a": "node:n2"}
    board.take("n1", first("b"), NOON)
    assert [(c.name, c.tags[-1]) for c in board.cameras] == [
        ("a", "node:n2"), ("b", "node:n1"), ("c", "node:n2"),
    ]  # fmt: skip


def test_a_lost_node_is_an_error_until_it_is_back() -> None:
    board = Board(CAMERAS, NOON)
    dark = HealthView(
        id="h", camera="a", kind="dark", severity="warning", text="dark", started_at=NOON
    )
    board.take("n1", first("a", "b", health=[dark]), NOON)
    lost = board.lost("n1", "no engine at n1", NOON)
    assert {c.name: c.state for c in lost.cameras} == {"a": "connecting", "b": "connecting"}
    assert [(e.kind, e.ended_at is None) for e in lost.health] == [("node", True), ("dark", False)]
    assert lost.health[0].text == "node n1 is not heard: no engine at n1"
    assert board.lost("n1", "still none", NOON) == Message()
    board.hear(None, NOON + HANDOVER + timedelta(seconds=1))
    assert states(board) == {"a": "failed", "b": "failed", "c": "failed"}
    back = board.take("n1", first("a"), NOON)
    assert [(e.kind, e.ended_at) for e in back.health] == [("node", NOON)]
    assert states(board) == {"a": "running", "b": "failed", "c": "failed"}


def test_a_camera_that_moves_belongs_to_the_node_that_spoke_last() -> None:
    board = Board(CAMERAS, NOON)
    board.take("n1", first("a"), NOON)
    board.take("n2", first("a"), NOON)
    late = board.take("n1", Message(removed=["a"]), NOON)
    assert (late.cameras, late.removed) == ([], [])
    assert board.on == {"a": "n2"}
    gone = board.take("n2", Message(removed=["a"]), NOON)
    assert [c.state for c in gone.cameras] == ["connecting"]


def test_what_waits_says_why() -> None:
    board = Board(CAMERAS, NOON)
    board.take("n1", first("a"), NOON)
    told = FleetStatus(
        1,
        "d",
        gathering=False,
        nodes=(),
        where={},
        waiting={"b": "no room: it takes 2 frames/s"},
    )
    changed = board.hear(told, NOON)
    assert [(c.name, c.state, c.reason) for c in changed.cameras] == [
        ("b", "failed", "waits: no room: it takes 2 frames/s")
    ]
    assert board.hear(told, NOON) == Message()


def test_a_node_without_cameras_is_no_fault() -> None:
    board = Board(CAMERAS, NOON)
    board.take("n1", first("a"), NOON)
    assert board.lost("n1", "", NOON).health == []
    assert states(board)["a"] == "connecting"


def test_old_alerts_of_a_node_that_comes_back_are_no_news() -> None:
    def alert(ended: datetime) -> AlertView:
        return AlertView(
            id="x", camera="a", phase="end", revision=1, started_at=NOON, ended_at=ended,
            peak_at=NOON, clip_path="a/x.mp4",
        )  # fmt: skip

    board = Board(CAMERAS, NOON)
    later = NOON + timedelta(hours=1)
    assert board.take("n1", first("a", alerts=[alert(NOON)]), later).alerts == []
    fresh = board.take("n1", Message(alerts=[alert(later)]), later).alerts
    assert [one.clip_path for one in fresh] == ["n1:a/x.mp4"]
    line = LogLine(at=NOON, level="info", text="running")
    assert board.take("n1", Message(log=[line]), later).log[0].text == "n1: running"


def test_another_configuration() -> None:
    board = Board(CAMERAS, NOON)
    board.take("n1", first("a", "b"), NOON)
    more = CameraSettings(name="d", url="rtsp://h/d")
    told = board.change([CAMERAS[1], more], NOON)
    assert ([c.name for c in told.cameras], told.removed) == (["d"], ["c"])
    assert [c.name for c in board.cameras] == ["b", "d", "a"]  # a until its node lets go
    gone = board.take("n1", Message(removed=["a"]), NOON)
    assert (gone.cameras, gone.removed) == ([], ["a"])


def test_health_is_kept_in_bounds_and_what_goes_on_stays() -> None:
    board = Board(CAMERAS, NOON)
    open_one = HealthView(
        id="first", camera="a", kind="dark", severity="info", text="", started_at=NOON
    )
    board.take("n1", first("a", health=[open_one]), NOON)
    for number in range(MOST_HEALTH + 50):
        over = open_one.model_copy(
            update={"id": str(number), "ended_at": NOON, "started_at": NOON + timedelta(hours=1)}
        )
        board.take("n1", Message(health=[over]), NOON)
    assert len(board.health) == MOST_HEALTH
    assert "first" in {event.id for event in board.health}
