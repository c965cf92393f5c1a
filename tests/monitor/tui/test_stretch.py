"""A stretch of an engine's store, played."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import DataSetError, UsageError
from monitor.records import Alert
from monitor.store import Facts, HealthEvent, Store
from monitor.store_curves import minutes_of
from monitor.tui.replay import Replay
from monitor.tui.replay_app import ReplayDashboard
from monitor.tui.state import stretch
from monitor.tui.state.recording import Recording
from monitor.tui.state.stretch import read_stretch
from tests.monitor.tui.scripted import picture
from tests.monitor.tui.stage import play, text_of, until

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Ten minutes: the door over its threshold from 60 s to 70 s, the yard black from 200 s on."""
    with Store(tmp_path / "events.db") as opened:
        door = [(at(s), 2.5 if 60 <= s < 70 else 0.25) for s in range(600)]
        yard = [(at(s), 0.5) for s in range(200)]
        opened.curves.keep([*minutes_of("door", door), *minutes_of("yard", yard)])
        alert = Alert("01HAAA", "door", "end", 3, 60, 70, 65, 9.0, 0.001, "motion")
        opened.record(alert, origin=NOON, facts=Facts(strength=2.5))
        (tmp_path / "a.jpg").write_bytes(picture())
        opened.attach("01HAAA", snapshot="a.jpg")
        dark = HealthEvent("01HB", "yard", "dark", "warning", "the picture is black", at(200))
        opened.health.open(dark)
        opened.health.open(HealthEvent("01HC", "roof", "offline", "warning", "refused", at(-900)))
        yield opened


def whole(store: Store, home: Path) -> Recording:
    return read_stretch(store, home, NOON, None)


def test_scores_alerts_and_states_are_as_they_were(store: Store, tmp_path: Path) -> None:
    recording = whole(store, tmp_path)
    assert (recording.origin, recording.end_s) == (NOON, 600)
    early, during, dark = (recording.at(s, s - 5, speed=1) for s in (30, 65, 300))
    assert {one.name: (one.state, one.score) for one in early.cameras} == {
        "door": ("running", 0.25),
        "yard": ("running", 0.5),
        "roof": ("backoff", None),
    }
    assert [point.score for point in during.scores if point.camera == "door"] == [2.5] * 5
    (alert,) = during.alerts
    assert (alert.phase, alert.strength, alert.started_at) == ("update", 2.5, at(60))
    assert alert.ended_by == ""
    assert during.cameras[0].open_alert == alert.id
    yard = dark.cameras[2]
    assert (yard.state, yard.since, yard.reason) == ("blind", at(200), "the picture is black")
    assert dark.alerts[0].phase == "end"
    assert [event.kind for event in dark.health] == ["offline", "dark"]
    assert [event.kind for event in early.health] == ["offline"]


def test_where_nothing_was_scored_that_is_said(store: Store, tmp_path: Path) -> None:
    store.health.close("01HB", at(300))
    yard = whole(store, tmp_path).at(400, 0, speed=1).cameras[2]
    assert (yard.state, yard.score) == ("paused", None)
    assert yard.reason == "no scores were kept of this time"


def test_the_last_hour_is_played_where_nobody_says_which(store: Store, tmp_path: Path) -> None:
    store.curves.keep(minutes_of("door", [(at(s), 0.25) for s in range(600, 5000)]))
    recording = read_stretch(store, tmp_path, None, None)
    assert (recording.origin, recording.end_s) == (at(5000 - 3600), 3600)
    recording = read_stretch(store, tmp_path, None, at(4000))
    assert (recording.origin, recording.end_s) == (at(400), 3600)


def test_a_younger_store_is_played_from_its_first_score_to_its_last(tmp_path: Path) -> None:
    with Store(tmp_path / "young.db") as young:
        scored = [(at(s), 0.25) for s in range(10, 1388)]
        young.curves.keep([*minutes_of("door", scored), *minutes_of("yard", scored[5:-5])])
        recording = read_stretch(young, tmp_path, None, None)
        assert (recording.origin, recording.moment(recording.end_s)) == (at(10), at(1388))
        for second in (5, recording.end_s):
            states = {one.state for one in recording.at(second, 0, speed=1).cameras}
            assert states == {"running"}
        named = read_stretch(young, tmp_path, at(-60), None)
        assert (named.origin, named.moment(named.end_s)) == (at(-60), at(1388))


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        (at(3600), None, "its newest score is of"),
        (at(-7200), at(-3600), "no scores from"),
        (at(60), at(60), "nothing between"),
    ],
)
def test_a_stretch_without_scores_is_said(
    store: Store, tmp_path: Path, since: datetime, until: datetime | None, said: str
) -> None:
    with pytest.raises(DataSetError, match=said):
        read_stretch(store, tmp_path, since, until)


def test_what_is_too_long_and_what_is_empty(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretch, "MOST_MINUTES", 13)
    with pytest.raises(DataSetError, match="choose a shorter stretch"):
        whole(store, tmp_path)
    with Store(tmp_path / "new.db") as new, pytest.raises(DataSetError, match="no scores yet"):
        whole(new, tmp_path)


def test_snapshots_are_shown_and_nothing_can_be_said(store: Store, tmp_path: Path) -> None:
    replay = Replay(whole(store, tmp_path))
    assert asyncio.run(replay.snapshot("01HAAA")) == picture()
    (tmp_path / "a.jpg").unlink()
    assert asyncio.run(replay.snapshot("01HAAA")) is None
    with pytest.raises(UsageError, match="this is a replay"):
        asyncio.run(replay.mute("door", None))


def test_it_is_played_by_the_clock_and_from_alert_to_alert(store: Store, tmp_path: Path) -> None:
    async def body(app, pilot):
        app.replay.playing = False
        await pilot.press("right_square_bracket")
        assert app.replay.position_s == 60
        await until(pilot, lambda: app.fleet.sites[0].alerting() == 1)
        app.screen.repaint()
        await pilot.pause()
        assert "▲ door" in text_of(app)
        here, end = (f"{at(second).astimezone():%H:%M:%S}" for second in (60, 600))
        await until(pilot, lambda: f"‖ {here} / {end}" in text_of(app))
        await pilot.press("greater_than_sign")
        assert app.replay.position_s == 90
        await pilot.press("left_square_bracket", "enter")
        assert app.replay.position_s == 60

    play(ReplayDashboard(whole(store, tmp_path)), body, (100, 30))
