"""A camera that learns its own model: when it wants one, over restarts, and what it says."""

import asyncio
from pathlib import Path

import pytest

from monitor.capture.records import ClipFailed, ClipWritten, EndClip, StartClip
from monitor.errors import UsageError
from monitor.live.clock import Clock
from monitor.live.learner import Learner
from monitor.live.school import School, learner_of
from monitor.live.station import Station
from tests.monitor.hidden import hide
from tests.monitor.live.scripted import World


def learner(folder: Path, wanted_s: float = 900.0) -> Learner:
    return Learner(folder, "gate", wanted_s, "fusion", 1.0)


def begin(one: Learner, now_s: float = 1000.0) -> StartClip:
    """A segment that is being written."""
    command = one.collect(now_s)
    assert isinstance(command, StartClip)
    return command


def write(one: Learner, seconds: float, now_s: float = 1000.0) -> Path:
    """A whole segment."""
    command = begin(one, now_s)
    command.path.write_bytes(b"footage")
    assert one.written(ClipWritten(command.alert_id, command.path, seconds))
    return command.path


def test_footage_up_to_a_lost_connection_counts(tmp_path: Path) -> None:
    one = learner(tmp_path, wanted_s=30.0)
    kept = write(one, 9.0)  # the worker ended it, before anybody was told to
    short = write(one, 2.0)
    assert (kept.exists(), short.exists()) == (True, False)
    assert one.progress(1020.0).text == "9 of 30 s of normal footage"
    write(one, 20.0)
    assert not one.enough
    write(one, 5.0)
    assert one.enough


def test_a_segment_is_asked_for_a_little_longer_than_is_wanted(tmp_path: Path) -> None:
    one = learner(tmp_path, wanted_s=30.0)
    begin(one)
    assert one.due(1030.0) is None
    assert one.due(1031.0) == EndClip("learning-0000-1000", 1031.0)
    assert one.due(1032.0) is None


def test_a_restart_takes_up_what_counts_and_removes_the_rest(tmp_path: Path) -> None:
    first = learner(tmp_path)
    kept = write(first, 60.0)
    half = begin(first, 1100.0)
    half.path.write_bytes(b"ended by the worker, told to nobody")
    (first.own / ".0123.part").write_bytes(b"")
    again = learner(tmp_path)
    again.take_up()
    assert again.collected_s == 60.0
    assert sorted(path.name for path in again.own.iterdir()) == [kept.name, "collected.json"]


def test_notes_that_cannot_be_read_remove_no_footage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = write(learner(tmp_path), 60.0)
    (kept.parent / "collected.json").write_text("[1")
    again = learner(tmp_path)
    again.take_up()
    assert (again.collected_s, kept.exists()) == (0.0, True)
    assert "collecting begins anew" in caplog.text


def test_learning_anew_leaves_nothing_of_what_was(tmp_path: Path) -> None:
    one = learner(tmp_path)
    write(one, 60.0)
    (one.own / "0000-7.mp4").write_bytes(b"of a crash")
    command = begin(one, 1100.0)
    one.forget()
    ended = one.due(1101.0)  # at once: it shows the old scene
    assert isinstance(ended, EndClip)
    command.path.write_bytes(b"footage")
    assert one.written(ClipWritten(command.alert_id, command.path, 60.0))
    assert one.collected_s == 0.0
    assert [path.name for path in one.own.iterdir()] == ["anew"]


def test_footage_that_cannot_be_written_is_said_and_tried_again_later(tmp_path: Path) -> None:
    one = learner(tmp_path)
    command = begin(one)
    assert one.written(ClipFailed(command.alert_id, "x.mp4: No space left on device"))
    assert one.fault == "footage to learn from is lost: x.mp4: No space left on device"
    assert one.progress(1001.0).text.endswith(one.fault)
    assert one.collect(1001.0) is None
    assert one.collect(1030.0) is None
    write(one, 60.0, 1031.0)
    assert one.fault == ""


def test_a_folder_that_cannot_be_made_is_a_fault_of_this_camera_alone(tmp_path: Path) -> None:
    (tmp_path / "learning").write_text("a file")
    one = learner(tmp_path)
    one.take_up()
    assert one.collect(1000.0) is None
    assert "gate cannot be made: " in one.fault


class Trained:
    """A training process that ends at once."""

    returncode: int | None = 0

    async def communicate(self) -> tuple[bytes, bytes]:
        return b"", b""


def train(one: Learner, monkeypatch: pytest.MonkeyPatch) -> str | None:
    async def start(*words: str, **_: object) -> Trained:
        assert words[4:7] == ("-m", "monitor.cli.child", "train")  # it ends with the engine
        Path(words[-1]).write_bytes(b"a model")
        return Trained()

    monkeypatch.setattr("asyncio.create_subprocess_exec", start)
    return asyncio.run(one.train(0.0))


def test_what_was_learned_is_not_learned_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = learner(tmp_path)
    assert first.wanting
    assert train(first, monkeypatch) == ""
    assert not first.wanting
    assert not learner(tmp_path).wanting


def test_learning_anew_goes_on_over_a_restart_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(learner(tmp_path), monkeypatch)
    learner(tmp_path).forget()
    again = learner(tmp_path)
    assert again.wanting
    assert again.model.exists()  # it judges until then
    train(again, monkeypatch)
    assert not learner(tmp_path).wanting


class Trains(Trained):
    """One that is told to learn anew in its middle."""

    def __init__(self, one: Learner) -> None:
        self.one, self.returncode = one, None

    def terminate(self) -> None:
        self.returncode = -15

    async def communicate(self) -> tuple[bytes, bytes]:
        self.one.forget()
        return b"", b"Terminated"


def test_learning_anew_breaks_off_the_training_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = learner(tmp_path)

    async def start(*words: str, **_: object) -> Trains:
        Path(words[-1]).write_bytes(b"a model of what was")
        return Trains(one)

    monkeypatch.setattr("asyncio.create_subprocess_exec", start)
    assert asyncio.run(one.train(0.0)) is None
    assert one.wanting
    assert not one.training
    assert [file.name for file in tmp_path.rglob("*.pt")] == []
    assert train(one, monkeypatch) == ""  # the next one stands
    assert not one.wanting


def test_a_camera_whose_model_is_being_loaded_neither_learns_nor_trains(tmp_path: Path) -> None:
    asyncio.run(_loads(tmp_path))


async def _loads(folder: Path) -> None:
    done = learner(folder, wanted_s=0.0)
    done.model.parent.mkdir(parents=True)
    done.model.write_bytes(b"a model")
    world = World()
    world.run(5)
    station = world.crew.stations["gate"]
    station.learner, station.model = learner(folder, wanted_s=0.0), None
    school = School(world.crew, Clock())
    assert station.learner.enough
    school.look_round()
    assert (station.state, school.busy) == ("running", False)
    _relearn(school, station)
    assert station.state == "learning"  # nothing judges it meanwhile


class Fails(Trained):
    """A training process that cannot write its model."""

    returncode = 1

    async def communicate(self) -> tuple[bytes, bytes]:
        return b"", b"a warning\noddwatch: cannot write the model: No space left on device\n"


def test_a_training_that_failed_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    async def start(*words: str, **_: object) -> Fails:
        tried.append(words[-1])
        return Fails()

    monkeypatch.setattr("asyncio.create_subprocess_exec", start)
    asyncio.run(_fails(learner(tmp_path, wanted_s=0.0), tried))


async def _fails(one: Learner, tried: list[str]) -> None:
    world = World()
    world.run(5)
    station = world.crew.stations["gate"]
    station.learner, station.model = one, None
    now_s = [0.0]
    school = School(world.crew, Clock(now_s=lambda: now_s[0]))

    async def look() -> str:
        school.look_round()
        await asyncio.gather(*school._training.values())
        return station.judged.fault

    failed = "learning failed: cannot write the model: No space left on device; the footage is "
    assert await look() == f"{failed}kept, and learned from again in 10 min"
    now_s[0] = 599.0
    await look()
    assert len(tried) == 1
    now_s[0] = 601.0
    assert (await look()).endswith("in 20 min")
    assert len(tried) == 2
    station.learner.forget()
    assert not station.learner.tries_again(1e9)


def test_without_torch_it_is_said_before_anything_is_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(settings={"learn": "15 min"})
    station = world.crew.stations["gate"]
    assert learner_of(station.settings, tmp_path) is not None
    hide(monkeypatch, "torch")
    assert learner_of(station.settings, tmp_path) is None
    school = School(world.crew, Clock())
    school.admit("gate")
    assert station.judged.fault.startswith("torch is not installed here, and learning needs it: ")
    with pytest.raises(UsageError, match="gate: torch is not installed here"):
        school.relearn("gate")


def _relearn(school: School, station: Station) -> None:
    assert school.relearn("gate").endswith(" of footage")
    assert station.wants_model


def test_relearning_says_that_the_old_model_judges_until_then(tmp_path: Path) -> None:
    world = World()
    world.run(10)
    station = world.crew.stations["gate"]
    station.learner = learner(tmp_path)
    said = School(world.crew, Clock()).relearn("gate")
    assert said.endswith("its old model judges until then")
    assert station.state == "running"


@pytest.mark.parametrize(
    ("wanted_s", "text"),
    [(20.0, "0 of 20 s of normal footage"), (900.0, "0 of 15 min of normal footage")],
)
def test_progress_is_said_in_a_unit_that_moves(tmp_path: Path, wanted_s: float, text: str) -> None:
    assert learner(tmp_path, wanted_s).progress(0.0).text == text


def test_a_camera_that_collected_enough_says_that_it_waits_for_its_turn(tmp_path: Path) -> None:
    said = learner(tmp_path, wanted_s=0.0).progress(0.0)
    assert (said.step, said.share) == ("collecting", 1.0)
    assert said.text.endswith("of normal footage; waits for its turn to be trained")
