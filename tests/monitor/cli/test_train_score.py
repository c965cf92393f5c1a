"""`train`, `calibrate` and `score` as a user calls them, on a world that takes seconds to learn."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from models.checkpoint import load
from monitor.cli.calibrate import calibrate
from monitor.cli.score import score
from monitor.cli.train import train
from monitor.errors import MonitorError, SourceNotFoundError, StoreError, UsageError
from monitor.keeping import unfinished
from monitor.model import load_model, save_model
from tests.monitor.footage import TINY_WORDS, write_clip, write_set

app = typer.Typer(rich_markup_mode=None)
for command in (train, calibrate, score):
    app.command(command.__name__)(command)


def call(*words: object) -> str:
    """What a command prints on stdout; its error is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def learn(data: Path, out: Path, *words: object) -> str:
    return call("train", "frame_prediction", data, "-o", out, "--steps", 5, *TINY_WORDS, *words)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "tiny", n_frames=240)


@pytest.fixture(scope="module")
def model(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.pt"
    learn(root, path)
    return path


def test_training_says_what_was_learned_and_what_is_next(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "m.pt"
    said = learn(root, out, "--false-alarms-per-day", 12)
    assert "frame_prediction (lite) learned 5 steps" in said
    assert "from 414 frames (0.7 minutes) of 3 videos" in said
    assert "for 12 false alarms per day" in said
    assert f"saved to {out}" in said
    assert f"next: oddwatch score '{out}'" in said
    assert (out.parent / "m.losses.png").read_bytes().startswith(b"\x89PNG")


def test_train_calibrate_score_end_to_end(root: Path, model: Path, tmp_path: Path) -> None:
    quiet = tmp_path / "quiet"
    write_clip(quiet, 200, seed=1)
    other = tmp_path / "other.pt"
    said = call("calibrate", model, quiet, "--false-alarms-per-day", 5, "-o", other)
    assert "for 5 false alarms per day" in said
    said = call("score", other, root, "-o", tmp_path / "out")
    assert "frame_prediction (lite), 2 videos, 156 frames" in said
    assert "promised 5.0" in said
    assert f"open {tmp_path / 'out' / 'report.html'}" in said
    assert (tmp_path / "out" / "scores.csv").exists()


def test_the_first_alerts_are_said_and_how_many_more(
    root: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_model(model)
    rule = replace(loaded.calibrated().rule, enter=1e-6, exit=1e-6)
    eager = replace(loaded, calibration=replace(loaded.calibrated(), rule=rule, median=0.0))
    save_model(eager, tmp_path / "eager.pt")
    lines = call("score", tmp_path / "eager.pt", root, "-o", tmp_path / "out").splitlines()
    assert lines[1] == "2 alerts in 16 s of footage"
    assert re.fullmatch(
        r"  0:00:0\d\.\d to 0:00:07\.9  00  highest \S+ at \S+  p \S+  cut short by end of source",
        lines[2],
    )
    assert lines[3].startswith("  0:00:0")
    monkeypatch.setattr("monitor.cli.score.ALERTS_TOLD", 1)
    lines = call("score", tmp_path / "eager.pt", root, "-o", tmp_path / "out").splitlines()
    assert lines[3] == "  and 1 more, see alerts.csv"


def test_json_is_one_object_and_nothing_else(root: Path, model: Path, tmp_path: Path) -> None:
    facts = json.loads(learn(root, tmp_path / "m.pt", "--json"))
    assert facts["model"] == str(tmp_path / "m.pt")
    assert facts["provenance"]["steps"] == 5
    assert facts["calibration"]["promised_per_day"] == 24
    assert "scores" not in facts["calibration"]
    found = json.loads(call("calibrate", model, root, "-o", tmp_path / "c.pt", "--json"))
    assert found["calibration"]["rule"]["enter"] > 0
    report = json.loads(call("score", model, root, "-o", tmp_path / "out", "--json"))
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())


def test_the_rate_of_folders_is_asked_for_once(tmp_path: Path) -> None:
    root = write_set(tmp_path / "tiny", n_train=1, n_frames=300, n_test=1)
    learn(root, tmp_path / "m.pt", "--folder-fps", 30)
    facts = load(tmp_path / "m.pt").provenance
    assert (facts["rate_hz"], facts["folder_rate_hz"]) == (10, 30)
    call("train", "frame_prediction", root, "-o", tmp_path / "m.pt", "--steps", 1, "--resume")
    assert load(tmp_path / "m.pt").provenance["folder_rate_hz"] == 30
    call("calibrate", tmp_path / "m.pt", root)
    call("score", tmp_path / "m.pt", root, "-o", tmp_path / "out")
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[1]) for row in rows[:2]] == [6, 9]
    assert float(rows[1].split(",")[2]) == pytest.approx(0.3)
    call("score", tmp_path / "m.pt", root, "-o", tmp_path / "out", "--folder-fps", 10)
    assert len((tmp_path / "out" / "scores.csv").read_text().splitlines()) > 2 * len(rows)


def test_without_a_threshold_calibrating_is_next(tmp_path: Path) -> None:
    write_clip(tmp_path / "short", 60, seed=0)
    said = learn(tmp_path / "short", tmp_path / "m.pt")
    assert "no threshold yet" in said
    assert f"next: oddwatch calibrate {tmp_path / 'm.pt'} NORMAL_DATA" in said


def test_resuming_goes_on(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    learn(root, out)
    said = call("train", "frame_prediction", root, "-o", out, "--steps", 3, "--resume")
    assert "learned 8 steps" in said
    assert load(out).detector.training_state["step"] == 8


def test_resuming_takes_up_what_was_left_unfinished(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    learn(root, out)
    out.rename(unfinished(out))
    call("train", "frame_prediction", root, "-o", out, "--steps", 1, "--resume")
    assert load(out).detector.training_state["step"] == 6
    assert not unfinished(out).exists()


def test_resuming_keeps_rate_and_promise(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.pt"
    learn(root, out, "--fps", 5, "--false-alarms-per-day", 300)
    again = ("train", "frame_prediction", root, "-o", out, "--steps", 1, "--resume")
    assert "for 300 false alarms per day" in call(*again)
    assert load(out).provenance["rate_hz"] == 5
    with pytest.raises(UsageError, match=r"m\.pt learned 5 per second, not 8; the rate cannot"):
        call(*again, "--fps", 8)
    assert "for 12 false alarms per day" in call(*again, "--fps", 5, "--false-alarms-per-day", 12)
    assert load(out).provenance["rate_hz"] == 5
    out.rename(unfinished(out))
    assert "for 12 false alarms per day" in call(*again)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["conv_autoencoder", "--resume"], "holds a frame_prediction, not a conv_autoencoder"),
        (["frame_prediction", "--resume", "--set", "width=8"], "has width=4, not 8; options can"),
        (["frame_prediction", "--resume", "--preset", "paper"], "has preset lite, not paper"),
        (["frame_prediction", "--resume", "--fps", "5"], "learned at the pictures' own rate, not"),
        (["frame_prediction", "--set", "widht=8"], "did you mean width?"),
        (["frame_prediction", "--set", "width=big"], "width: expected a whole number, got 'big'"),
        (["frame_prediction", "--set", "size=30,30"], "multiples of"),
        (["frame_predicton"], "did you mean 'frame_prediction'?"),
        (["frame_prediction", "--preset", "huge"], "has no preset 'huge'; it has lite, paper"),
        (["frame_prediction", "--minutes", "0"], "--minutes 0: expected a number over 0"),
        (["frame_prediction", "--steps", "0"], "--steps 0: expected a whole number over 0"),
        (["frame_prediction", "--fps", "0"], "--fps 0"),
        (["frame_prediction", "--folder-fps", "0"], "folders at 0 frames per second: expected a"),
        (["frame_prediction", "--false-alarms-per-day", "0"], "expected over 0"),
        (["frame_prediction", "--device", "tpu"], "known are auto, cpu, cuda"),
        (["frame_prediction", "--layout", "avenu"], "did you mean avenue?"),
    ],
)
def test_wrong_use_is_one_line_and_harms_nothing(
    words: list[str], said: str, root: Path, model: Path
) -> None:
    before = model.read_bytes()
    with pytest.raises(UsageError) as caught:
        call("train", words[0], root, "-o", model, *words[1:])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert model.read_bytes() == before


def test_going_on_with_another_cameras_footage_is_refused(model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    (tmp_path / "tall").mkdir()
    for index in range(60):
        cv2.imwrite(str(tmp_path / "tall" / f"{index}.png"), np.zeros((48, 32, 3), np.uint8))
    with pytest.raises(UsageError, match=r"--resume: .*tall is 32x48, the model learned on 48x32"):
        call("train", "frame_prediction", tmp_path / "tall", "-o", model, "--resume", "--steps", 1)
    assert model.read_bytes() == before


def test_what_is_missing_is_named(root: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"nothing\.mp4"):
        learn(tmp_path / "nothing.mp4", tmp_path / "m.pt")
    with pytest.raises(SourceNotFoundError, match=r"no\.pt: no such model file"):
        call("score", tmp_path / "no.pt", root, "-o", tmp_path / "out")
    with pytest.raises(SourceNotFoundError, match=r"no\.pt: no such model file"):
        call("train", "frame_prediction", root, "-o", tmp_path / "no.pt", "--resume")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MonitorError, match="empty: no known layout: the folder is empty"):
        call("score", model, tmp_path / "empty", "-o", tmp_path / "out")


def test_a_full_disk_leaves_the_old_model_whole(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.pt"
    learn(root, out)
    before = out.read_bytes()

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StoreError, match="No space left on device"):
        learn(root, out)
    assert out.read_bytes() == before


def test_ctrl_c_keeps_what_was_learned_and_says_how_to_go_on(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.cli.progress import LongWork

    def stop(_self: LongWork, _step: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LongWork, "step", stop)
    said = learn(root, tmp_path / "m.pt")
    assert "learned 1 steps" in said
    again = f"oddwatch train frame_prediction {root} -o {tmp_path / 'm.pt'} --resume"
    assert f"stopped early; to go on: {again}" in said
    assert load(tmp_path / "m.pt").calibration is not None


@pytest.mark.parametrize("name", ["train", "calibrate", "score"])
def test_help_has_an_example(name: str) -> None:
    assert f"oddwatch {name} " in call(name, "--help")


def test_sigterm_leaves_no_empty_results(
    model: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_given: object, **_more: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("monitor.scored.score_video", ended)
    with pytest.raises(SystemExit) as left:
        call("score", model, root, "-o", tmp_path / "out")
    assert left.value.code == 143
    assert not (tmp_path / "out").exists()
    assert signal.getsignal(signal.SIGTERM) is before
