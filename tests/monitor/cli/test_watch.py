import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import monitor.model
import monitor.sources
from monitor.model import Model
from monitor.records import Alert
from monitor.store import Store
from tests.monitor.cli.calling import call
from tests.monitor.watched import FLASH, Scripted, film, light_model

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model() -> Model:
    return light_model()


@pytest.fixture(scope="module")
def flashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "room.mp4", 23, flash=FLASH)


@pytest.fixture(autouse=True)
def known_model(monkeypatch: pytest.MonkeyPatch, model: Model, tmp_path: Path) -> None:
    """Any name of a model stands for the one that finds light odd."""
    monkeypatch.setattr(monitor.model, "load_model", lambda _path, _device: model)
    monkeypatch.chdir(tmp_path)


WATCH = ("watch", "--model", "light.pt", "--headless")


def test_a_line_for_every_phase_and_a_summary(capsys: Capsys, flashing: Path) -> None:
    answer = call(capsys, *WATCH, flashing)
    assert (answer.status, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0].startswith("0:00:08.")
    for cell in ("room.mp4  NEW", "x the threshold  p ", "above  oddwatch-events/room.mp4/"):
        assert cell in lines[0]
    assert len({line.index("x the threshold") for line in lines if "x the" in line}) == 1
    end = next(line for line in lines if "  END  " in line)
    assert Path(end.split()[-1]).is_file()
    assert "room.mp4: 230 frames, 23 s of footage in " in answer.out
    assert answer.out.count("1 alert") == 1
    assert "at most 24 false alarms per day; 23 s cannot show whether it is kept" in answer.out
    assert "evidence  oddwatch-events; see: oddwatch events list\n" in answer.out
    assert "room.mp4" in call(capsys, "events", "list").out


def test_json_lines_parse(capsys: Capsys, flashing: Path, tmp_path: Path) -> None:
    answer = call(
        capsys, *WATCH, flashing, "--json", "-o", tmp_path / "out", "--origin", "2026-03-01T12:00Z"
    )
    assert answer.status == 0
    kinds = [line["type"] for line in answer.lines]
    assert (kinds[0], kinds[-1]) == ("alert", "summary")
    assert kinds.count("clip") == 1
    new, *_ = (line for line in answer.lines if line["type"] == "alert")
    assert new["phase"] == "new"
    assert new["started_at"].startswith("2026-03-01T12:00:08")
    assert new["strength"] > 1
    assert answer.lines[-1]["frames"] == 230


def test_names_that_are_no_utf8_are_watched(capsys: Capsys, flashing: Path, tmp_path: Path) -> None:
    source = flashing.rename(tmp_path / "room\udcff.mp4")
    words = ("watch", "--model", "\udcff.pt", "--headless", source, "-o", tmp_path / "o\udcff")
    answer = call(capsys, *words)
    source.rename(flashing)
    assert (answer.status, answer.err) == (0, "")
    with Store(tmp_path / "o\udcff" / "events.db", read_only=True) as store:
        (found,) = store.find()
    assert (found.alert.source, found.model) == (r"room\udcff.mp4", r"\udcff.pt")
    assert "/o%FF/" in found.snapshot


def test_files_are_watched_one_after_another(
    capsys: Capsys, flashing: Path, tmp_path: Path
) -> None:
    film(tmp_path / "calm.mp4", 3)
    answer = call(capsys, *WATCH, "calm.mp4", flashing, "--json", "--until-s", "15")
    summaries = [line for line in answer.lines if line["type"] == "summary"]
    assert [(line["source"], line["frames"]) for line in summaries] == [
        ("calm.mp4", 30),
        ("room.mp4", 151),
    ]


def test_files_of_one_name_are_told_apart(capsys: Capsys, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        film(tmp_path / folder / "room.mp4", 1)
    answer = call(capsys, *WATCH, "a/room.mp4", "b/room.mp4", "--json")
    assert [line["source"] for line in answer.lines] == ["a/room.mp4", "b/room.mp4"]
    assert call(capsys, *WATCH, "a/room.mp4", "a/room.mp4").status == 2


def test_a_source_that_breaks_off_is_a_failure(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = Scripted(9.5, breaks="camera: stopped after 95 frames")
    monkeypatch.setattr(monitor.sources, "open_source", lambda _, **__: camera)
    answer = call(capsys, *WATCH, "rtsp://camera/stream")
    assert (answer.status, answer.err) == (1, "oddwatch: camera: stopped after 95 frames\n")
    assert "  END  " in answer.out


SIGNALLED = """
import os, signal, sys
import monitor.model, monitor.sources
from monitor.cli import main
from tests.monitor.watched import Scripted, light_model

number, model = int(sys.argv[1]), light_model()

class Signalled(Scripted):
    def frames(self, start=0, stop=None):
        for frame in super().frames():
            if frame.index == 95:
                os.kill(os.getpid(), number)
            yield frame

before = signal.getsignal(number)
monitor.model.load_model = lambda _path, _device: model
monitor.sources.open_source = lambda _, **__: Signalled(20)
try:
    main(["watch", "--model", "light.pt", "--headless", "rtsp://camera/stream", "--json"])
finally:
    assert signal.getsignal(number) == before
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    root = Path(__file__).parents[3]
    ran = subprocess.run(  # not this process, which runs all the other tests
        [sys.executable, "-c", SIGNALLED, str(int(number))],
        check=False, capture_output=True, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert lines[-1]["frames"] == 95
    assert [line["phase"] for line in lines if line["type"] == "alert"][-1] == "end"


def test_a_file_is_told_in_lines_on_a_terminal_too(
    capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.cli.watch.on_terminal", lambda: True)
    film(tmp_path / "calm.mp4", 1)
    answer = call(capsys, "watch", "calm.mp4", "--model", "light.pt")
    assert answer.status == 0
    assert answer.err == ""


def test_what_an_earlier_run_left_open_is_ended(capsys: Capsys, tmp_path: Path) -> None:
    film(tmp_path / "calm.mp4", 1)
    with Store(tmp_path / "mine.db") as store:
        store.record(
            Alert("01HAAA", "door", "new", 1, 5.0, 5.5, 5.2, 0.9, 0.1), origin=datetime.now(UTC)
        )
    answer = call(capsys, *WATCH, "calm.mp4", "--store", "mine.db")
    assert "ended 1 alert(s) that an earlier run left open" in answer.err
    with Store(tmp_path / "mine.db") as store:
        assert store.get("01HAAA").alert.ended_by == "engine_restart"


def test_wrong_use_is_said_before_anything_is_watched(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Model
) -> None:
    film(tmp_path / "calm.mp4", 1)
    cases: list[tuple[tuple[str, ...], int, str]] = [
        (("nowhere.mp4",), 1, "nowhere.mp4: expected a video file or a folder"),
        (("watch.toml",), 2, "a configuration is watched by itself"),
        (("calm.mp4", "--origin", "soon"), 2, "'soon': expected"),
        (
            ("calm.mp4", "-o", "calm.mp4"),
            1,
            "calm.mp4: expected a folder for evidence, found a file",
        ),
    ]
    for words, status, text in cases:
        answer = call(capsys, *WATCH, *words)
        assert (answer.status, answer.err.count("\n")) == (status, 1)
        assert text in answer.err
    bare = replace(model, calibration=None)
    monkeypatch.setattr(monitor.model, "load_model", lambda _path, _device: bare)
    answer = call(capsys, *WATCH, "calm.mp4")
    assert answer.status == 1
    assert "oddwatch calibrate" in answer.err


@pytest.mark.parametrize(
    ("words", "instead"),
    [
        (("-o", "there"), "set folder in its [engine]"),
        (("--store", "there.db"), "set store in its [engine]"),
        (("--device", "cuda"), "set device in its [engine]"),
        (("--runtime", "bogus"), "set runtime in its [engine]"),
        (("--json",), "oddwatch events list --follow --json gives lines for programs"),
        (("--until-s", "3"), "it is watched until the engine is stopped"),
        (("--origin", "2026-03-01"), "it is watched now"),
    ],
)
def test_an_option_that_a_configuration_does_not_heed_is_refused(
    capsys: Capsys, words: tuple[str, ...], instead: str
) -> None:
    answer = call(capsys, "watch", "watch.toml", "--headless", *words)
    line = f"{words[0]}: goes with SOURCE, watch.toml is a configuration: {instead}"
    assert answer.status == 2
    if "--json" in words:
        assert answer.lines == [{"error": line, "exit_status": 2}]
    else:
        assert answer.err == f"oddwatch: {line}\n"


def test_a_source_is_not_waited_for(capsys: Capsys) -> None:
    answer = call(capsys, *WATCH, "calm.mp4", "--idle")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "--idle: goes with CONFIG" in answer.err


def test_several_sources_with_a_camera_among_them_are_refused(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.sources, "open_source", lambda _, **__: Scripted(3))
    answer = call(capsys, *WATCH, "0", "1")
    assert answer.status == 2
    assert "one camera at a time" in answer.err
