import asyncio
import json

import pytest

from monitor.api.schema import AlertWanted, Said
from monitor.errors import DataSetError, UsageError
from monitor.files import write_together
from monitor.tui.commands import Commands
from monitor.tui.replay import Replay
from monitor.tui.replay_app import ReplayDashboard
from monitor.tui.state.recording import ORIGIN
from monitor.tui.state.result import read_result
from tests.monitor.tui.stage import play, settle, text_of, until


@pytest.fixture
def folder(tmp_path):
    """Two videos of 60 s at 2 Hz: one calm, one over the threshold of 3 from 20 s to 30 s."""
    rows = ["video,frame,time_s,score,p_value,label"]
    for name, peak in (("calm", 1.0), ("loud", 5.0)):
        for frame in range(120):
            at = frame / 2
            score = peak if 20 <= at <= 30 else 1.0
            rows.append(f"{name},{frame},{at},{score},0.5,{int(score > 3)}")
    (tmp_path / "scores.csv").write_text("\n".join(rows) + "\n")
    report = {
        "kind": "video",
        "detector": "fusion",
        "threshold": 3.0,
        "false_alarm_rate_promised": 1.0,
        "versions": {"oddwatch": "0.1.0"},
        "notes": ["a note"],
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_scores_are_times_the_threshold_and_alerts_are_found(folder):
    recording = read_result(folder)
    assert [track.name for track in recording.tracks] == ["calm", "loud"]
    loud = recording.tracks[1]
    assert (loud.levels.min(), loud.levels.max()) == (0.0, 2.0)  # typical 1, threshold 3, peak 5
    (alert,) = loud.alerts
    assert (alert.started_at - ORIGIN).total_seconds() == 20
    assert (alert.ended_at - ORIGIN).total_seconds() == 30
    assert alert.strength == 2.0


def test_alerts_are_those_that_the_result_tells(folder):
    report = json.loads((folder / "report.json").read_text())
    told = {
        "video": "loud",
        "start_s": 21.0,
        "end_s": 40.0,
        "peak_s": 25.0,
        "peak_score": 5.0,
        "peak_p_value": 0.01,
        "reason": "motion",
        "ended_by": "end_of_source",
    }
    (folder / "report.json").write_text(json.dumps(report | {"alerts": [told]}))
    calm, loud = read_result(folder).tracks
    (alert,) = loud.alerts
    assert calm.alerts == []
    assert (alert.started_at - ORIGIN).total_seconds() == 21
    assert (alert.ended_at - ORIGIN).total_seconds() == 40
    assert (alert.peak_at - ORIGIN).total_seconds() == 25
    assert (alert.strength, alert.p_value, alert.reason) == (2.0, 0.01, "motion")
    (folder / "report.json").write_text(json.dumps(report | {"alerts": []}))
    assert read_result(folder).tracks[1].alerts == []


def test_alerts_are_found_by_names_that_are_no_utf8(folder):
    table = (folder / "scores.csv").read_text().replace("loud,", "\udcff,")
    report = json.loads((folder / "report.json").read_text())
    told = {"video": "\udcff", "start_s": 21.0, "end_s": 40.0, "peak_s": 25.0, "peak_score": 5.0}
    text = json.dumps(report | {"alerts": [told]}, ensure_ascii=False)
    write_together(folder, {"scores.csv": table, "report.json": text})
    assert [len(track.alerts) for track in read_result(folder).tracks] == [0, 1]


def test_a_moment_shows_only_what_has_happened(folder):
    recording = read_result(folder)
    early, during, late = (recording.at(s, s - 5, speed=1) for s in (10, 25, 59.5))
    assert early.alerts == []
    assert during.alerts[0].phase == "update"
    assert during.cameras[1].open_alert == during.alerts[0].id
    assert during.cameras[1].score == 2.0
    assert late.alerts[0].phase == "end"
    assert late.cameras[1].open_alert is None
    assert all(20 < (p.at - ORIGIN).total_seconds() <= 25 for p in during.scores)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "report.json").unlink(), "no result of oddwatch score"),
        (lambda f: (f / "report.json").write_text("{"), "it is no JSON"),
        (lambda f: (f / "report.json").write_text("{}"), "not calibrated"),
        (lambda f: (f / "scores.csv").unlink(), "cannot be read"),
        (lambda f: (f / "scores.csv").write_text("path,score\na,1\n"), "no column 'video'"),
        (
            lambda f: (f / "scores.csv").write_text("video,frame,time_s,score,p_value,label\n"),
            "no scores",
        ),
        (
            lambda f: (f / "scores.csv").write_text(
                "video,frame,time_s,score,p_value,label\na,0,x,1,,\n"
            ),
            "no number",
        ),
    ],
)
def test_a_folder_that_is_no_result_says_what_is_missing(folder, spoil, said):
    spoil(folder)
    with pytest.raises(DataSetError, match=said):
        read_result(folder)


def test_nothing_can_be_said_in_a_replay(folder):
    replay = Replay(read_result(folder))
    with pytest.raises(UsageError, match="this is a replay"):
        asyncio.run(replay.say("x", Said(acknowledged=True)))
    replay.seek(1e9)
    assert replay.position_s == 59.5
    page = asyncio.run(replay.alerts(AlertWanted(text="loud")))
    assert page.total == 1


def test_the_line_of_time_is_scrubbed(folder):
    async def body(app, pilot):
        site = app.fleet.sites[0]
        app.replay.playing = False
        app.seek(25)
        await until(pilot, lambda: site.alerting() == 1)
        app.screen.repaint()
        await pilot.pause()
        assert "▲ loud" in text_of(app)
        await until(pilot, lambda: "‖ 00:25 / 00:59" in text_of(app))
        await pilot.press("comma", "comma")
        await until(pilot, lambda: site.alerting() == 0)
        assert app.replay.position_s == 15
        assert not site.alerts
        await pilot.press("greater_than_sign", "plus", "4")
        assert app.replay.position_s == 45
        assert app.replay.speed == 2.0
        app.deeds.acknowledge(app.fleet.newest()[0])
        await until(pilot, lambda: any("replay" in n.message for n in app._notifications))

    play(ReplayDashboard(read_result(folder)), body, (100, 30))


def test_the_footer_has_room_for_what_a_replay_does_and_none_for_what_it_refuses(folder):
    async def body(app, pilot):
        app.replay.playing = False
        app.seek(25)
        await until(pilot, lambda: app.fleet.sites[0].alerting() == 1)
        for keys, others in ((), 4), (("2",), 4), (("3",), 4), (("4",), 4), (("1", "enter"), 3):
            for key in keys:
                await pilot.press(key)
                await settle(app, pilot)
            await until(pilot, lambda: "q Quit" in text_of(app).splitlines()[-1])
            footer = text_of(app).splitlines()[-1]
            told = ("space Play", ", Back", ". On", "] Next alert")[:others]
            for part in (*(told if keys != ("2",) else told[::3]), "? Help", "q Quit"):
                assert part in footer
            for word in ("Ack", "Mute", "True", "Note", "Pause"):
                assert word not in footer
        await pilot.press("m")  # told all the same, to who presses it
        await pilot.press("enter")
        await until(pilot, lambda: any("replay" in n.message for n in app._notifications))

    play(ReplayDashboard(read_result(folder)), body, (80, 24))


def test_the_palette_offers_nothing_that_a_replay_refuses(folder):
    async def names(app):
        commands = Commands(app.screen)
        return [hit.text async for hit in commands.discover()]

    async def body(app, pilot):
        found = await names(app)
        assert "Export the alerts that match as CSV" in found
        assert not [one for one in found if "label" in one.lower() or "Mute" in one]

    play(ReplayDashboard(read_result(folder)), body)
