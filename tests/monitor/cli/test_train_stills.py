"""`train`, `calibrate` and `score` of a still-image detector, as a user calls them."""

import json
from pathlib import Path

import pytest

from models.registry import DETECTORS
from monitor.stills.model import load_still_model
from tests.monitor.cli.calling import Answer, call
from tests.monitor.footage import write_set
from tests.monitor.stills.learner import MeanPicture, write_plates


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, MeanPicture.name, MeanPicture)


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plates(tmp_path_factory.mktemp("plates") / "plates")


def learn(capsys: pytest.CaptureFixture[str], plates: Path, out: Path, *words: object) -> Answer:
    return call(
        capsys, "train", "mean_picture", plates, "-o", out, "--steps", 20,
        "--set", "size=32,32", *words,
    )  # fmt: skip


def test_train_score_calibrate_end_to_end(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    model = tmp_path / "m.pt"
    said = learn(capsys, plates, model, "--augment", "flip=h,turn=5", "--false-alarm-share", 0.1)
    assert said.status == 0, said.err
    assert "mean_picture (lite) learned 20 steps" in said.out
    assert "from 28 pictures (4 more for the scale of errors, 8 for the threshold)" in said.out
    assert "augmentation flip=h,turn=5" in said.out
    assert "for a share of 0.1 false alarms, set on 8 normal pictures" in said.out
    assert f"next: oddwatch score {model} {plates} -o {tmp_path / 'm-scores'}" in said.out
    assert (tmp_path / "m.losses.png").read_bytes().startswith(b"\x89PNG")

    said = call(capsys, "score", model, plates, "-o", tmp_path / "out")
    assert said.status == 0, said.err
    assert "mean_picture (lite), 16 pictures" in said.out
    assert "AUROC 1.000" in said.out
    assert (tmp_path / "out" / "report.html").exists()

    said = call(
        capsys, "calibrate", model, plates / "test" / "good", "--false-alarm-share", 0.2,
        "-o", tmp_path / "n.pt",
    )  # fmt: skip
    assert said.status == 0, said.err
    assert "for a share of 0.2 false alarms, set on 8 normal pictures" in said.out
    assert load_still_model(tmp_path / "n.pt").calibrated().share == 0.2


def test_programs_get_json(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    (plain,) = learn(capsys, plates, tmp_path / "m.pt", "--json").lines
    assert plain["detector"] == "mean_picture"
    assert plain["calibration"]["scores"] == 8
    assert plain["provenance"]["augment"] == "turn=2,shift=0.02,light=0.05"
    score = call(capsys, "score", tmp_path / "m.pt", plates, "-o", tmp_path / "out", "--json")
    assert score.lines[0] == json.loads((tmp_path / "out" / "report.json").read_text())
    found = call(capsys, "calibrate", tmp_path / "m.pt", plates, "--json")
    assert found.lines[0]["calibration"]["kind"] == "stills"


def test_going_on_keeps_seed_and_augmentation(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    learn(capsys, plates, tmp_path / "m.pt", "--seed", 7, "--augment", "none")
    said = learn(capsys, plates, tmp_path / "m.pt", "--resume")
    assert "learned 40 steps" in said.out, said.err
    facts = load_still_model(tmp_path / "m.pt").provenance
    assert (facts["seed"], facts["augment"]) == (7, "none")


def test_going_on_takes_a_copy_of_the_set_and_refuses_other_pictures(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    learn(capsys, plates, tmp_path / "m.pt")
    kept = load_still_model(tmp_path / "m.pt").provenance["kept_apart"]
    copied = write_plates(tmp_path / "copy")
    said = learn(capsys, copied, tmp_path / "m.pt", "--resume")
    assert "learned 40 steps" in said.out, said.err
    facts = load_still_model(tmp_path / "m.pt").provenance
    assert {name for name in kept if "/" not in name} == {
        name for name in facts["kept_apart"] if "/" not in name
    }
    other = write_plates(tmp_path / "other", first=100)
    said = learn(capsys, other, tmp_path / "m.pt", "--resume")
    assert said.status == 2
    assert f"learned from {copied}, of which there is no picture in {other}" in said.err


def test_going_on_keeps_the_promise_unless_told(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    learn(capsys, plates, tmp_path / "m.pt", "--false-alarm-share", 0.1)
    assert "a share of 0.1 " in learn(capsys, plates, tmp_path / "m.pt", "--resume").out
    said = learn(capsys, plates, tmp_path / "m.pt", "--resume", "--false-alarm-share", 0.2)
    assert "a share of 0.2 " in said.out


def test_ctrl_c_keeps_what_was_learned(
    capsys: pytest.CaptureFixture[str],
    plates: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from monitor.cli.progress import LongWork

    def stop(_self: LongWork, _step: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LongWork, "step", stop)
    said = learn(capsys, plates, tmp_path / "m.pt")
    assert "learned 1 steps" in said.out
    again = f"oddwatch train mean_picture {plates} -o {tmp_path / 'm.pt'} --resume"
    assert f"stopped early; to go on: {again}" in said.out


def test_the_table_of_detectors_shows_the_kind(capsys: pytest.CaptureFixture[str]) -> None:
    rows = call(capsys, "detectors", "--json").lines[0]
    assert {row["name"]: row["kind"] for row in rows}["mean_picture"] == "image"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fps", 5], "--fps is for video detectors, and mean_picture judges still pictures"),
        (["--false-alarms-per-day", 5], "--false-alarms-per-day is for video detectors"),
        (["--false-alarm-share", 2], "expected a share between 0 and 1"),
        (["--augment", "turn=999"], "turn=999, expected 0 to 180"),
        (["--set", "size=30,30"], "multiples of 16"),
        (["--preset", "huge"], "has no preset 'huge'"),
        (["--resume"], "no such model file"),
    ],
)
def test_wrong_use_is_one_line(
    words: list[object],
    said: str,
    capsys: pytest.CaptureFixture[str],
    plates: Path,
    tmp_path: Path,
) -> None:
    answer = learn(capsys, plates, tmp_path / "m.pt", *words)
    assert answer.status in (1, 2)
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "m.pt").exists()


def test_the_two_halves_are_told_apart(
    capsys: pytest.CaptureFixture[str], plates: Path, tmp_path: Path
) -> None:
    footage = write_set(tmp_path / "footage", n_frames=30)
    clip = footage / "training" / "frames" / "00"
    model = tmp_path / "m.pt"
    learn(capsys, plates, model)

    def refused(*words: object) -> str:
        answer = call(capsys, *words)
        assert answer.status == 2
        assert answer.err.count("\n") == 1
        return answer.err

    assert "plates is a set of still pictures (layout mvtec), and fusion watches video" in refused(
        "train", "fusion", plates, "-o", tmp_path / "x.pt"
    )
    assert "--augment is for still-image detectors" in refused(
        "train", "fusion", footage, "-o", tmp_path / "x.pt", "--augment", "none"
    )
    assert "footage is footage (layout" in refused(
        "train", "mean_picture", footage, "-o", tmp_path / "x.pt"
    )
    assert "is footage" in refused("score", model, footage, "-o", tmp_path / "out")
    assert "is footage" in refused("calibrate", model, footage)
    assert "--false-alarms-per-day is for video detectors" in refused(
        "calibrate", model, plates, "--false-alarms-per-day", 3
    )
    assert "--labels is for video detectors" in refused(
        "score", model, plates, "-o", tmp_path / "out", "--labels", "x"
    )
    assert "m.pt holds mean_picture, which judges still pictures" in refused(
        "watch", clip, "--model", model, "--headless"
    )
    assert not (tmp_path / "x.pt").exists()
    assert not (tmp_path / "out").exists()
