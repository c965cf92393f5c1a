"""`oddwatch calibrate --from-labels` on a small model and a real store."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.files import digest_of
from monitor.live.watched import FILE
from monitor.model import load_model
from monitor.records import Alert
from monitor.store import Facts, Label, Store
from tests.monitor.cli.calling import call
from tests.monitor.live.tiny import light_file

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return light_file(tmp_path / "door.pt", monkeypatch)


def labelled(
    folder: Path, levels: list[float], digest: str, label: Label | None = "normal_here"
) -> None:
    with Store(folder / "events.db") as store:
        for level in levels:
            alert_id = f"01H{label}{digest[:4]}{level:.6f}"
            alert = Alert(alert_id, "door", "end", 2, 1.0, 2.0, 1.5, level, None)
            store.record(alert, origin=NOON, facts=Facts(1.5, level, 1.0, digest))
            store.label(alert_id, label)


def test_labels_raise_the_threshold_and_what_is_lost_is_said(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter = load_model(model).calibrated().rule.enter
    own = digest_of(model)
    labelled(tmp_path, [enter * f for f in (1.1, 1.2, 1.3)], own)
    labelled(tmp_path, [enter * 1.05, enter * 9], own, "true")
    labelled(tmp_path, [enter * 7], "another")
    labelled(tmp_path, [enter * 3, enter * 4], own, None)
    (tmp_path / FILE).write_text(json.dumps({own: {"door": 600.0}}))
    answer = call(capsys, "calibrate", model, "--from-labels", tmp_path)
    assert answer.status == 0, answer.err
    after = load_model(model).calibrated()
    assert after.rule.enter == pytest.approx(enter * 1.3)
    further = (after.rule.enter - after.median) / (enter - after.median)
    assert load_model(model).provenance["raised_by"] == pytest.approx(further)
    assert f"{enter:.4g} -> {after.rule.enter:.4g}" in answer.out
    assert "3 normal taken; left out: 1 of another model" in answer.out
    assert "2 more of this model are not labelled" in answer.out
    assert "1 of 2 alerts called true would NO LONGER be raised" in answer.out
    assert f"level {enter * 1.05:.4g}" in answer.out
    assert digest_of(model) != own


def test_nobody_knows_how_long_was_watched(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter = load_model(model).calibrated().rule.enter
    labelled(tmp_path, [enter * 1.2], digest_of(model))
    answer = call(capsys, "calibrate", model, "--from-labels", tmp_path / "events.db")
    assert answer.status == 2
    assert "--watched" in answer.err
    out = tmp_path / "new.pt"
    words = ("--from-labels", tmp_path, "--watched", "1 h", "-o", out, "--json")
    told = call(capsys, "calibrate", model, *words).lines[0]["calibration"]
    assert (told["labels"], told["lost"]) == (1, [])
    assert load_model(out).calibrated().footage_s > 3600
    words = (
        "--from-labels",
        tmp_path,
        "--watched",
        "8 weeks",
        "-o",
        out,
        "--json",
    )  # eight cameras, a week
    assert call(capsys, "calibrate", model, *words).status == 0
    assert load_model(out).calibrated().footage_s > 56 * 86_400
    assert load_model(model).calibrated().rule.enter == enter


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected NORMAL_DATA or --from-labels"),
        (("a.mp4", "--from-labels", "x"), "got both"),
        (("a.mp4", "--watched", "1 h"), "go with --from-labels only"),
        (("--from-labels", "nowhere"), "expected the folder of an engine"),
        (("--from-labels", "x", "--false-alarms-per-day", "1"), "labels keep the rate"),
    ],
)
def test_wrong_use_is_one_line(
    model: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(capsys, "calibrate", model, *words)
    assert answer.status in (1, 2)
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_no_label_that_counts_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labelled(tmp_path, [9.0], "another")
    answer = call(capsys, "calibrate", model, "--from-labels", tmp_path)
    assert answer.status == 1
    assert "left out: 1 of another model" in answer.err
