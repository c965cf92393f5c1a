import json
import os
import signal
import threading
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

import monitor.stills.model
from monitor.cli.inspect import _seconds
from monitor.computed import NAMES
from monitor.errors import SourceError, UsageError
from monitor.records import Frame, Image
from monitor.sources import Source
from monitor.stills import arrivals, snapping
from monitor.stills.model import StillModel
from monitor.store import Store
from monitor.store_schema import SCHEMA_VERSION
from tests.monitor.cli.calling import Answer, call
from tests.monitor.stills.spots import SIDE, plate, spots_model, write_plate

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def model() -> StillModel:
    return spots_model()


@pytest.fixture(autouse=True)
def known_model(monkeypatch: pytest.MonkeyPatch, model: StillModel, tmp_path: Path) -> None:
    """Any name of a model stands for the one that finds spots odd."""
    monkeypatch.setattr(monitor.stills.model, "load_still_model", lambda _path, _device: model)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    write_plate(tmp_path / "drop" / "bad.png", 1, spot=True)
    write_plate(tmp_path / "drop" / "good.png", 2)
    return tmp_path / "drop"


def inspect(capsys: Capsys, *words: object) -> Answer:
    return call(capsys, "inspect", "spots.pt", *words)


@pytest.mark.parametrize(("name", "status"), [("good.png", 1), ("bad.png", 3)])
def test_heat_maps_that_cannot_be_written_are_no_success(
    capsys: Capsys, drop: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = inspect(capsys, drop / name, "-o", "heat")
    assert answer.status == status
    assert "no heat map can be written: No space left on device" in answer.err


def test_a_line_for_each_picture_and_status_3(capsys: Capsys, drop: Path) -> None:
    answer = inspect(capsys, drop)
    bad, good, summary = answer.out.splitlines()
    assert answer.status == 3
    assert bad.split()[0] == "defective"
    assert "16x16 at 24,8" in bad
    assert bad.endswith("bad.png")
    assert float(bad.split()[1]) > 1 > float(good.split()[1])
    assert good.split() == ["ok", good.split()[1], "p", good.split()[3], "-", "good.png"]
    assert bad.index("bad.png") == good.index("good.png")
    assert summary.startswith("2 pictures: 1 ok, 1 defective; score 0 is typical, over 1 is defect")


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["good"], 0),
        (["good", "broken"], 1),
        (["good", "broken", "bad"], 3),
        (["broken"], 1),
        (["missing", "good"], 1),
    ],
)
def test_the_exit_status_says_what_there_was(
    capsys: Capsys, drop: Path, names: list[str], status: int
) -> None:
    (drop / "broken.png").write_bytes(b"broken")
    answer = inspect(capsys, *(drop / f"{name}.png" for name in names))
    assert answer.status == status
    assert len(answer.out.splitlines()) == len(names) + 1
    assert ("1 could not be judged" in answer.out) is not set(names).isdisjoint(
        {"broken", "missing"}
    )


def test_json_lines_and_heat_maps(capsys: Capsys, drop: Path, tmp_path: Path) -> None:
    answer = inspect(capsys, drop, "--json", "-o", tmp_path / "heat")
    bad, _good, summary = answer.lines
    assert (bad["type"], bad["name"], bad["verdict"]) == ("picture", "bad.png", "defective")
    assert bad["box"] == [24, 8, 40, 24]
    assert bad["size"] == [SIDE, SIDE]
    assert bad["p_value"] < 0.01
    assert Path(bad["heat"]).is_file()
    assert summary["defective"] == 1
    assert summary["promised_share"] == 0.01
    assert [summary[key] for key in NAMES] == ["cpu", "torch", "fp32"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "expected PATHs, --follow DIR or --camera SOURCE, got nothing"),
        (("a.png", "--camera", "0"), 2, "got more than one of them"),
        (("a.png", "--move-to", "x"), 2, "--move-to goes with --follow only"),
        (("a.png", "--every", "5s"), 2, "--every goes with --camera only"),
        (("a.png", "--store", "x.db"), 2, "--store goes with --follow or --camera only"),
        (("--camera", "0", "--every", "soon"), 2, "--every 'soon': expected a time such as"),
        (("--follow", ".", "--interval", "0s"), 2, "--interval '0s': expected a time"),
        (("--camera", "0", "--every", "1s", "--trigger", "x"), 2, "name one of them"),
        (("empty",), 1, "empty: expected pictures (.bmp, "),
        (("--follow", "nowhere"), 1, "nowhere: expected a folder to follow, found none"),
        (("--camera", "spots.mp4"), 1, "spots.mp4: expected a video file or a folder, found no"),
        (("drop", "-o", "drop/bad.png"), 1, "drop/bad.png: expected a folder, found a file"),
    ],
)
def test_wrong_use_is_one_line(
    capsys: Capsys, drop: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    (drop.parent / "empty").mkdir()
    answer = inspect(capsys, *words)
    assert (answer.status, answer.err.count("\n")) == (status, 1)
    assert said in answer.err


def test_a_model_without_a_threshold_is_refused(
    capsys: Capsys, drop: Path, monkeypatch: pytest.MonkeyPatch, model: StillModel
) -> None:
    bare = replace(model, calibration=None)
    monkeypatch.setattr(monitor.stills.model, "load_still_model", lambda _path, _device: bare)
    answer = inspect(capsys, drop)
    assert answer.status == 1
    assert "run: oddwatch calibrate MODEL NORMAL_PICTURES" in answer.err


def test_a_gray_model_says_how_it_takes_colour(
    capsys: Capsys, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gray = spots_model(1)
    monkeypatch.setattr(monitor.stills.model, "load_still_model", lambda _path, _device: gray)
    assert inspect(capsys, drop).err == ""
    image = plate()
    image[:8] = (250, 40, 40)
    (drop / "red.png").write_bytes(snapping._as_png(image))
    answer = inspect(capsys, drop)
    assert answer.err.count("\n") == 1
    assert "judged by their luma, 0.299 R + 0.587 G + 0.114 B" in answer.err


def test_a_store_of_a_newer_version_is_refused(
    capsys: Capsys, drop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from monitor import store_schema

    monkeypatch.setattr(store_schema, "SCHEMA_VERSION", 9)
    Store(tmp_path / "new.db").close()
    monkeypatch.undo()
    monkeypatch.setattr(
        monitor.stills.model, "load_still_model", lambda _path, _device: spots_model()
    )
    answer = inspect(capsys, "--follow", drop, "--store", tmp_path / "new.db", "-o", tmp_path)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert f"has schema 9, this version knows {SCHEMA_VERSION}: update oddwatch" in answer.err


def interrupt_when(there: Path, pattern: str, count: int) -> threading.Thread:
    """A thread that sends this process SIGTERM once so many files are there."""

    def wait() -> None:
        deadline_s = time.monotonic() + 60
        while len(list(there.rglob(pattern))) < count and time.monotonic() < deadline_s:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)  # which the command takes by then

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_a_folder_is_followed_until_sigterm_and_listed_among_the_events(
    capsys: Capsys, drop: Path, tmp_path: Path
) -> None:
    (drop / "junk.png").write_bytes(b"junk")
    signaller = interrupt_when(tmp_path / "done", "*.png", 3)
    answer = inspect(
        capsys, "--follow", drop, "--move-to", "done", "-o", "line", "--name", "line 1",
        "--interval", "5ms", "--patience", "20ms", "--json",
    )  # fmt: skip
    signaller.join()
    assert answer.status == 0
    found = {line["name"]: line for line in answer.lines if line["type"] == "picture"}
    assert {name: line["verdict"] for name, line in found.items()} == {
        "bad.png": "defective",
        "good.png": "ok",
        "junk.png": "unjudged",
    }
    assert answer.lines[-1]["unstored"] == 0
    listed = call(capsys, "events", "list", "--store", "line").out
    assert "line 1" in listed
    assert listed.rstrip().endswith("bad.png")
    event = found["bad.png"]["event"]
    shown = call(capsys, "events", "show", event, "--store", "line").out
    assert f"picture     {tmp_path / 'done' / 'defective' / 'bad.png'}" in shown
    assert "snapshot" in shown
    assert "length" not in shown
    exported = call(capsys, "events", "export", "--json", "--store", "line").out
    assert json.loads(exported)[0]["picture"].endswith("defective/bad.png")
    for left_by_readers in tmp_path.rglob("*.db-wal"):
        left_by_readers.unlink()
    signaller = interrupt_when(tmp_path, "*.db-wal", 1)
    again = inspect(capsys, "--follow", drop, "-o", "line", "--interval", "5ms", "--json")
    signaller.join()
    assert [line["type"] for line in again.lines] == ["summary"]


class Cell(Source):
    """A camera whose n-th opening shows plates, with a spot in every second picture taken."""

    opened = 0
    limit = 10**9
    rate_hz = 100.0
    size = (SIDE, SIDE)
    n_frames = None

    def __init__(self) -> None:
        super().__init__("cell", live=True, strict=False)
        Cell.opened += 1

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        for index in range(self.limit):
            time.sleep(0.002)
            yield Frame(self.image(), index, index / 100)
        raise SourceError("cell: stopped")

    spot = True

    def image(self) -> Image:
        return plate(1, spot=self.spot)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> type[Cell]:
    monkeypatch.setattr(snapping, "open_camera", lambda _address: Cell())
    Cell.opened, Cell.limit, Cell.spot = 0, 10**9, True
    return Cell


def test_a_camera_is_asked_at_an_interval(capsys: Capsys, cell: type[Cell]) -> None:
    answer = inspect(capsys, "--camera", "rtsp://cell", "--every", "10ms", "--count", 3, "--json")
    assert answer.status == 3
    pictures = [line for line in answer.lines if line["type"] == "picture"]
    assert [line["verdict"] for line in pictures] == ["defective"] * 3
    assert all(Path(line["now_at"]).is_file() and Path(line["heat"]).is_file() for line in pictures)
    listed = call(capsys, "events", "list", "--json").lines[0]
    assert [event["source"] for event in listed] == ["cell"] * 3
    assert cell.opened == 1


def test_good_pictures_of_a_camera_are_not_kept(
    capsys: Capsys, cell: type[Cell], tmp_path: Path
) -> None:
    cell.spot = False
    assert inspect(capsys, "--camera", "0", "--every", "5ms", "--count", 2).status == 0
    assert list(tmp_path.rglob("*.png")) == []


def test_a_camera_is_asked_by_a_trigger_file_that_is_removed(
    capsys: Capsys, cell: type[Cell], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapping, "LOOK_EVERY_S", 0.002)
    trigger = tmp_path / "snap"

    def pull() -> None:
        for _ in range(2):
            trigger.touch()
            while trigger.exists():
                time.sleep(0.002)

    puller = threading.Thread(target=pull)
    puller.start()
    answer = inspect(capsys, "--camera", "0", "--trigger", trigger, "--count", 2)
    puller.join()
    assert answer.status == 3
    assert answer.out.count("defective  ") == 2
    assert not trigger.exists()


def test_a_camera_is_asked_by_enter_and_ends_with_the_input(cell: type[Cell]) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"\n\n")
    os.close(writing)
    assert len(list(snapping.on_lines(reading, threading.Event()))) == 2
    os.close(reading)


def test_a_camera_that_ends_is_opened_again_for_the_next_picture(cell: type[Cell]) -> None:
    cell.limit = 1  # as http://camera/snapshot.jpg
    with snapping.Camera(Cell) as camera:
        for _ in range(3):
            assert camera.take(wait_s=5).shape == (SIDE, SIDE, 3)
    assert cell.opened >= 3


def test_a_camera_that_is_gone_is_said_and_asked_again(cell: type[Cell]) -> None:
    cell.limit = 0
    with (
        snapping.Camera(Cell) as camera,
        pytest.raises(SourceError, match="cell: stopped"),
    ):
        camera.take(wait_s=5)


def test_a_picture_is_of_after_it_was_asked_for(cell: type[Cell]) -> None:
    with snapping.Camera(Cell) as camera:
        camera.take()
        cell.spot = False
        time.sleep(0.01)
        assert camera.take().max() < 200


def test_even_intervals_leave_out_what_was_too_slow() -> None:
    stop = threading.Event()
    moments = snapping.every(0.02, stop)
    began_s = time.monotonic()
    next(moments)
    time.sleep(0.05)  # two moments pass
    next(moments)
    assert (time.monotonic() - began_s) >= 0.06
    stop.set()
    assert list(moments) == []


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5), ("2m", 120), ("3", 3)])
def test_spans_are_understood(text: str, seconds: float) -> None:
    assert _seconds("--every", text) == seconds
    with pytest.raises(UsageError, match="--every '-5s'"):
        _seconds("--every", "-5s")


def test_patience_is_long_enough_for_a_slow_share() -> None:
    assert arrivals.PATIENCE_S >= 10
