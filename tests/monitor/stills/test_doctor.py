import json
import os
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import UsageError
from monitor.stills.doctor import StillDiagnosis, examine_stills
from tests.monitor.stills.sets import mask, mvtec, picture, pictures, save


def said(diagnosis: StillDiagnosis, severity: str) -> str:
    return "\n".join(f.text for f in diagnosis.findings if f.severity == severity)


@pytest.fixture
def bottle(tmp_path: Path) -> Path:
    return mvtec(tmp_path / "bottle", n_train=60)


def test_a_sound_set(bottle: Path) -> None:
    found = examine_stills(bottle, full=True)
    assert (found.name, found.layout, found.lost) == ("bottle", "mvtec", 0)
    assert found.findings == ()
    assert (found.train.pictures, found.train.kinds) == (60, {"good": 60})
    assert (found.test.pictures, found.test.labelled, found.test.anomalous) == (7, 7, 5)
    assert found.test.masks == 5
    assert found.test.kinds == {"broken": 3, "dirty": 2, "good": 2}
    assert found.test.sizes == ((24, 32),)
    assert (found.will_train, found.will_score) == (True, True)
    assert json.loads(json.dumps(found.as_dict()))["test"]["anomalous"] == 5


def test_every_problem_is_named_not_only_the_first(bottle: Path) -> None:
    (bottle / "train/good/003.png").write_text("no picture")
    save(bottle / "train/good/004.png", np.zeros((1, 1), np.uint8))
    mask(bottle / "ground_truth/dirty/000_mask.png", size=(24, 24))
    (bottle / "ground_truth/broken/000_mask.png").unlink()
    save(bottle / "ground_truth/broken/001_mask.png", np.zeros((24, 32), np.uint8))
    picture(bottle / "train/good/005.png", size=(24, 48))
    (bottle / "test/good/000.png").write_bytes((bottle / "train/good/000.png").read_bytes())
    found = examine_stills(bottle, full=True)
    errors, warnings = said(found, "error"), said(found, "warning")
    assert "003.png: expected a picture, got 10 bytes" in errors
    assert "004.png: 1x1" in errors
    assert "test/broken/001.png: anomalous, but its mask is empty" in errors
    assert "2 of 67 pictures are left out" in warnings
    assert "masks for 4 of 5 defects" in warnings
    assert "1 of 4 masks do not fit" in warnings
    assert "training pictures differ in shape" in warnings
    assert "1 test pictures are also training pictures: test/good/000.png" in warnings
    assert "several sizes: 32x24, 48x24" in said(found, "info")
    assert (found.lost, found.train.pictures) == (2, 58)
    assert (found.will_train, found.will_score) == (True, True)


def test_full_finds_what_a_sample_cannot(bottle: Path) -> None:
    cut = bottle / "train/good/007.png"
    cut.write_bytes(cut.read_bytes()[:-400])
    assert examine_stills(bottle, full=False).findings == ()
    assert str(cut) in said(examine_stills(bottle, full=True), "error")


def test_one_training_picture_and_few(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png")
    one = examine_stills(tmp_path / "a", full=False)
    assert "one training picture" in said(one, "error")
    assert (one.will_train, one.will_score) == (False, True)
    pictures(tmp_path / "b", 9)
    few = examine_stills(tmp_path / "b", full=False)
    assert "9 training pictures: few" in said(few, "warning")
    assert few.will_train


@pytest.mark.parametrize("full", [False, True])
def test_copies_among_training_pictures(bottle: Path, *, full: bool) -> None:
    for name in ("003", "017"):
        copy = (bottle / f"train/good/{name}.png").read_bytes()
        (bottle / f"train/good/{name}-again.png").write_bytes(copy)
    text = "training: 2 of 62 pictures are copies of others, and each is taken once"
    assert text in said(examine_stills(bottle, full=full), "info")


def test_equal_training_pictures(tmp_path: Path) -> None:
    for index in range(12):
        picture(tmp_path / f"{index:02d}.png", seed=7)
    assert "all 12 training pictures are equal" in said(
        examine_stills(tmp_path, full=False), "error"
    )
    picture(tmp_path / "04.png", seed=8)  # not among those that a sample takes
    assert "equal" not in said(examine_stills(tmp_path, full=False), "error")


def test_dark_and_gray(tmp_path: Path) -> None:
    for index in range(3):
        values = np.random.default_rng(index).integers(0, 4096, (16, 16), np.uint16)
        save(tmp_path / f"{index}.png", values)
    found = examine_stills(tmp_path, full=True)
    assert "almost black: at most 16 of 255; values of 12 bits" in said(found, "warning")
    assert "training pictures are gray" in said(found, "info")


def test_nothing_to_judge_by(tmp_path: Path) -> None:
    pictures(tmp_path / "train" / "whole", 4)
    assert "no test pictures" in said(examine_stills(tmp_path, full=False), "warning")
    pictures(tmp_path / "test" / "torn", 2, seed=1)
    warnings = said(examine_stills(tmp_path, full=False), "warning")
    assert "all labelled test pictures are anomalous: no AUROC" in warnings
    assert "no test pictures of whole" in warnings


def test_nothing_recognised_is_a_finding(tmp_path: Path) -> None:
    found = examine_stills(tmp_path, full=False)
    assert found.layout is None
    assert "no pictures there" in said(found, "error")
    assert (found.will_train, found.will_score) == (False, False)
    assert "found nothing there" in said(examine_stills(tmp_path / "nix", full=False), "error")
    with pytest.raises(UsageError):
        examine_stills(tmp_path, full=False, layout="nix")


@pytest.mark.data
def test_real_sets_are_sound() -> None:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    for name in ("bottle", "casting", "chest_xray", "concrete"):
        found = examine_stills(Path(folder) / name, full=False)
        assert {f.severity for f in found.findings} <= {"info"}, found.findings
        assert (found.will_train, found.will_score) == (True, True)
