import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from models.registry import DETECTORS, build
from monitor.datasets.doctor import CLIPS, Diagnosis, Room, SplitCounts, examine
from monitor.errors import UsageError

Stills = Callable[..., Path]
Film = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, stills: Stills) -> Path:
    stills(tmp_path / "training" / "frames" / "01", 20)
    stills(tmp_path / "testing" / "frames" / "01", 20)
    stills(tmp_path / "testing" / "frames" / "02", 18)
    labels = tmp_path / "testing" / "labels"
    labels.mkdir()
    np.save(labels / "01.npy", np.arange(20) > 14)
    np.save(labels / "02.npy", np.zeros(18, np.int8))
    return tmp_path


def said(diagnosis: Diagnosis, severity: str) -> str:
    return "\n".join(f.text for f in diagnosis.findings if f.severity == severity)


def test_a_sound_set(root: Path) -> None:
    diagnosis = examine(root, full=False, folder_rate_hz=25)
    assert diagnosis.train == SplitCounts(1, 20, 0, 0, ((16, 24),), (25,))
    assert diagnosis.test == SplitCounts(2, 38, 38, 5, ((16, 24),), (25,))
    assert (diagnosis.layout, diagnosis.label_source) == ("frames", "labels/")
    assert (diagnosis.will_train, diagnosis.will_score) == (True, True)
    assert said(diagnosis, "error") == ""
    assert said(diagnosis, "info") == "02: all 18 frames are normal; no AUROC of its own"
    assert json.loads(json.dumps(diagnosis.as_dict()))["test"]["frames"] == 38


def test_a_rate_that_is_assumed_is_said(root: Path) -> None:
    diagnosis = examine(root, full=False)
    assert diagnosis.train == SplitCounts(1, 20, 0, 0, ((16, 24),), ())
    assert "10 frames per second are assumed" in said(diagnosis, "info")


def test_every_problem_is_named_not_only_the_first(root: Path, stills: Stills) -> None:
    np.save(root / "testing" / "labels" / "01.npy", np.zeros(19))
    np.save(root / "testing" / "labels" / "02.npy", np.zeros(17))
    (root / "training" / "frames" / "01" / "001.png").write_bytes(b"broken")
    (root / "training" / "frames" / "01" / "007.png").unlink()
    (root / "training" / "frames" / "01" / "._008.png").write_bytes(b"mac")
    stills(root / "training" / "frames" / "02", 4)
    diagnosis = examine(root, full=False)
    errors = said(diagnosis, "error")
    assert "01: 20 frames, but 19 labels" in errors
    assert "02: 18 frames, but 17 labels" in errors
    assert str(root / "training" / "frames" / "01" / "001.png") in errors
    warnings = said(diagnosis, "warning")
    assert "numbers missing between frames: 7" in warnings
    assert "02: 4 frames; shorter than a clip of 5, the shortest of any detector" in warnings
    assert "no labels: scores, but no figures" in warnings
    assert "1 hidden files ignored, e.g. ._008.png" in said(diagnosis, "info")
    assert (diagnosis.will_train, diagnosis.will_score) == (True, False)  # wrong truth stops it


def test_full_finds_what_a_sample_cannot(root: Path) -> None:
    broken = root / "training" / "frames" / "01" / "005.png"
    broken.write_bytes(b"broken")
    assert said(examine(root, full=False), "error") == ""
    assert str(broken) in said(examine(root, full=True), "error")


def test_missing_labels_of_one_clip(root: Path) -> None:
    (root / "testing" / "labels" / "02.npy").unlink()
    diagnosis = examine(root, full=False)
    assert "no labels for 02: not in the figures" in said(diagnosis, "warning")
    assert diagnosis.test.labelled_frames == 20


def test_labels_of_another_set_do_not_stop_the_rest(root: Path) -> None:
    for path in (root / "testing" / "labels").iterdir():
        path.unlink()
    gt = np.empty((1, 12), object)
    for index in range(12):
        gt[0, index] = np.array([[1], [9]], np.uint8)
    scipy.io.savemat(root / "ped2.mat", {"gt": gt})
    diagnosis = examine(root, full=False)
    assert "truth of 12 clips, but there are 2 test clips" in said(diagnosis, "error")
    assert diagnosis.will_train
    assert diagnosis.test.frames == 38


def test_mixed_sizes_and_rates(tmp_path: Path, film: Film, stills: Stills) -> None:
    film(tmp_path / "a.avi")
    stills(tmp_path / "b")
    diagnosis = examine(tmp_path, full=False)
    assert "training clips are of several sizes: 24x16, 32x32" in said(diagnosis, "warning")
    assert diagnosis.train.rates_hz == (25.0,)
    assert "training clips differ in shape" in said(diagnosis, "error")
    assert not diagnosis.will_train
    assert diagnosis.will_score  # all there is; a model of one of them notes the other


def test_a_video_that_is_none(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.avi")
    (tmp_path / "b.mp4").write_text("no film")
    diagnosis = examine(tmp_path, full=False)
    assert "b.mp4: expected a video" in said(diagnosis, "error")
    assert (diagnosis.train.clips, diagnosis.train.frames) == (2, 20)
    assert diagnosis.will_train


def test_only_short_clips_will_not_train(tmp_path: Path, stills: Stills) -> None:
    assert not examine(stills(tmp_path / "x", 4), full=False).will_train


def test_nothing_recognised_is_a_finding(tmp_path: Path) -> None:
    diagnosis = examine(tmp_path, full=False)
    assert diagnosis.layout is None
    assert "no known layout" in said(diagnosis, "error")
    assert (diagnosis.will_train, diagnosis.will_score) == (False, False)
    assert "found nothing there" in said(examine(tmp_path / "nix", full=False), "error")


def test_an_unknown_layout_is_the_callers_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        examine(tmp_path, full=False, layout="nix")


@pytest.mark.data
def test_ped2_is_sound_and_its_single_class_clips_are_named() -> None:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    diagnosis = examine(Path(folder) / "ped2", full=False, folder_rate_hz=10.0)
    assert (diagnosis.train.frames, diagnosis.test.frames) == (2550, 2010)
    assert diagnosis.test.anomalous_frames == 1648
    assert [f.text[:2] for f in diagnosis.findings] == ["08", "09", "10", "11"]
    assert diagnosis.will_train
    assert diagnosis.will_score


def test_clips_are_as_long_as_those_of_the_detectors() -> None:
    videos = [name for name, kind in DETECTORS.items() if kind.kind == "video"]
    assert {name: build(name, "lite").spec.span for name in videos} == CLIPS


@pytest.mark.parametrize(
    ("frames", "works", "said_so"),
    [(4, False, "4 frames at once"), (7, True, "conv_autoencoder (8)"), (23, True, "")],
)
def test_training_works_where_its_parts_hold_clips(
    root: Path, frames: int, *, works: bool, said_so: str
) -> None:
    diagnosis = examine(root, full=False, room=lambda _data, _span: Room(frames, threshold=True))
    assert diagnosis.will_train is works
    assert diagnosis.will_score
    assert said_so in said(diagnosis, "warning" if works else "error")


def test_a_threshold_that_will_be_missing_is_foretold(root: Path) -> None:
    diagnosis = examine(root, full=False, room=lambda _data, span: Room(9, threshold=span < 6))
    assert diagnosis.will_train
    missing = "motion, fusion, conv_autoencoder, memae_video: training will set no threshold"
    assert missing in said(diagnosis, "warning")
    sound = examine(root, full=False, room=lambda _data, _span: Room(9, threshold=True))
    assert "threshold" not in said(sound, "warning")
