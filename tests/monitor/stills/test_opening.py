import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import DataSetError, LabelError, SourceError, SourceNotFoundError, UsageError
from monitor.evaluation.drawing import new_figure, png
from monitor.stills.opening import LAYOUTS, is_stills, open_stills, recognise
from monitor.stills.protocol import split_normal
from monitor.stills.still import Still, StillSet, fit_mask, read_stills
from tests.monitor.stills.sets import collector, mask, mvtec, picture, pictures


def tally(stills: tuple[Still, ...]) -> dict[tuple[str, bool | None], int]:
    return dict(Counter((still.kind, still.label) for still in stills))


def test_mvtec(tmp_path: Path) -> None:
    found = open_stills(mvtec(tmp_path / "bottle"))
    assert (found.name, found.layout) == ("bottle", "mvtec")
    assert tally(found.train) == {("good", False): 6}
    assert tally(found.test) == {("broken", True): 3, ("dirty", True): 2, ("good", False): 2}
    assert found.label_source == "folder names, masks for 5 of 5 defects"
    assert (found.notes, found.lost) == ((), ())
    assert "learned from train/good" in found.protocol
    first = found.test[0]
    assert first.name == "test/broken/000.png"
    assert first.path == tmp_path / "bottle/test/broken/000.png"
    truth = first.truth()
    assert truth is not None
    assert truth.shape == first.picture().shape[:2]
    assert truth[4:8, 10:15].all()
    assert truth.sum() == 20
    normal = found.test[-1].truth()
    assert normal is not None
    assert normal.shape == (24, 32)
    assert not normal.any()


def test_btad_has_masks_of_the_same_name(tmp_path: Path) -> None:
    pictures(tmp_path / "train" / "ok", 3, suffix=".bmp")
    pictures(tmp_path / "test" / "ok", 2, seed=1, suffix=".bmp")
    pictures(tmp_path / "test" / "ko", 2, seed=2, suffix=".bmp")
    for index in range(2):
        mask(tmp_path / "ground_truth" / "ko" / f"{index:03d}.png")
    found = open_stills(tmp_path)
    assert found.layout == "btad"
    assert tally(found.test) == {("ko", True): 2, ("ok", False): 2}
    assert found.label_source == "folder names, masks for 2 of 2 defects"


def test_missing_and_unfit_masks_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    root = mvtec(tmp_path)
    (root / "ground_truth/broken/001_mask.png").unlink()
    mask(root / "ground_truth/dirty/000_mask.png", size=(32, 24))
    (root / "ground_truth/dirty/001_mask.png").write_text("no mask")
    told: list[str] = []
    found = open_stills(root, fault=collector(told))
    assert found.label_source == "folder names, masks for 2 of 5 defects"
    assert tally(found.test)["broken", True] == 3
    assert tuple(told) == found.notes == open_stills(root).notes
    missing, unfit = found.notes
    assert "masks for 4 of 5 defects; none for test/broken/001.png" in missing
    assert "2 of 4 masks do not fit" in unfit
    assert "test/dirty/000.png: 24x32, but the picture is 32x24" in unfit
    with pytest.raises(LabelError, match="masks for 4 of 5 defects"):
        open_stills(root, strict=True)


def test_a_mask_is_of_the_picture_in_the_same_place_or_the_only_one_of_its_name(
    tmp_path: Path,
) -> None:
    root = mvtec(tmp_path)
    for seed, name in enumerate(("mon/000", "tue/000", "wed/007", "wed/a.1", "008")):
        picture(root / "test" / "crack" / f"{name}.png", 50 + seed)
    picture(root / "test" / "crack" / "008.jpg", 60)
    truth = root / "ground_truth" / "crack"
    for name in ("000", "007", "wed/a.1", "008"):
        mask(truth / f"{name}_mask.png")

    def masked() -> dict[str, str]:
        stills = (still for still in open_stills(root).test if still.kind == "crack")
        own = {s.name.removeprefix("test/crack/"): s.mask for s in stills}
        masks = {name: m.args[0] for name, m in own.items() if isinstance(m, partial)}
        return {name: path.relative_to(truth).as_posix() for name, path in masks.items()}

    assert masked() == {"wed/007.png": "007_mask.png", "wed/a.1.png": "wed/a.1_mask.png"}
    unclear, missing = open_stills(root).notes
    assert "masks may be of any of 4 pictures, and none has one: test/crack/008.jpg" in unclear
    assert "masks for 7 of 11 defects; none for test/crack/008.jpg" in missing
    mask(truth / "tue" / "000_mask.png")
    picture(root / "test" / "crack" / "000.png", 70)
    assert masked()["tue/000.png"] == "tue/000_mask.png"
    assert masked()["000.png"] == "000_mask.png"
    assert "mon/000.png" not in masked()


def test_class_folders_learn_from_the_only_class(tmp_path: Path) -> None:
    pictures(tmp_path / "train" / "ok_front", 4)
    pictures(tmp_path / "test" / "ok_front", 2, seed=1)
    pictures(tmp_path / "test" / "def_front", 3, seed=2)
    found = open_stills(tmp_path)
    assert found.layout == "classes"
    assert found.protocol.startswith("one-normal:ok_front")
    assert tally(found.test) == {("def_front", True): 3, ("ok_front", False): 2}
    assert (found.label_source, found.notes) == ("folder names", ())


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    for seed, name in enumerate(("ape", "bee", "cat")):
        pictures(tmp_path / "train" / name, 4, seed=seed)
        pictures(tmp_path / "test" / name, 2, seed=seed + 10)
    return tmp_path


def test_several_classes_want_to_be_told_apart(animals: Path) -> None:
    with pytest.raises(DataSetError, match=r"3 classes \(ape, bee, cat\); say which is normal"):
        open_stills(animals)
    one = open_stills(animals, normal="bee")
    assert tally(one.train) == {("bee", False): 4}
    assert tally(one.test) == {("ape", True): 2, ("bee", False): 2, ("cat", True): 2}
    assert "8 pictures in train are not learned from: ape, cat" in one.notes[0]
    other = open_stills(animals, protocol="one-abnormal:Bee")
    assert tally(other.train) == {("ape", False): 4, ("cat", False): 4}
    assert tally(other.test) == {("ape", False): 2, ("bee", True): 2, ("cat", False): 2}
    assert other.protocol.startswith("one-abnormal:bee")


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        ({"normal": "dog"}, DataSetError, "no class dog; there are ape, bee, cat"),
        ({"protocol": "one-class:ape"}, UsageError, "known are one-normal:CLASS and one-abnormal"),
        ({"protocol": "one-normal"}, UsageError, "not known"),
        ({"protocol": "one-normal:ape", "normal": "bee"}, UsageError, "one of the two"),
        ({"layout": "mvtek"}, UsageError, "did you mean mvtec?"),
        ({"layout": "plain", "normal": "ape"}, UsageError, "layout plain has its own protocol"),
        ({"layout": "mvtec"}, DataSetError, "expected pictures in train/good"),
        ({"layout": "mnist", "normal": "3"}, DataSetError, "nothing is downloaded"),
    ],
)
def test_what_is_not_there_is_said(
    animals: Path, asked: dict[str, str], error: type[Exception], said: str
) -> None:
    if asked.get("layout") == "mvtec":
        for split in ("train", "test"):
            (animals / split).rename(animals / f"{split}s")
    with pytest.raises(error, match=said.replace("?", r"\?")):
        open_stills(animals, **asked)  # type: ignore[arg-type]


def test_a_normal_class_that_is_not_tested_is_noted(tmp_path: Path) -> None:
    pictures(tmp_path / "train" / "whole", 3)
    pictures(tmp_path / "test" / "torn", 2, seed=1)
    found = open_stills(tmp_path)
    assert found.notes == ("no test pictures of whole, only of torn: nothing normal to judge by",)
    pictures(tmp_path / "test" / "good", 2, seed=2)
    assert tally(open_stills(tmp_path).test) == {("good", False): 2, ("torn", True): 2}


def test_pictures_directly_in_train_and_test(tmp_path: Path) -> None:
    pictures(tmp_path / "train", 3)
    pictures(tmp_path / "test", 2, seed=1)
    found = open_stills(tmp_path)
    assert tally(found.train) == {("", False): 3}
    assert tally(found.test) == {("", None): 2}
    assert found.label_source is None
    assert found.test[0].truth() is None


def test_an_image_folder_without_a_split_is_split_the_same_every_time(tmp_path: Path) -> None:
    pictures(tmp_path / "good", 10)
    pictures(tmp_path / "bad", 3, seed=1)
    found, again = (open_stills(tmp_path) for _ in range(2))
    assert found.layout == "image_folder"
    assert tally(found.train) == {("good", False): 8}
    assert tally(found.test) == {("bad", True): 3, ("good", False): 2}
    assert [s.name for s in found.train] == [s.name for s in again.train]
    assert not {s.name for s in found.train} & {s.name for s in found.test}
    asked = open_stills(tmp_path, protocol="one-abnormal:good")
    assert tally(asked.train) == {("bad", False): 2}


def test_a_plain_folder_is_normal_and_unlabelled(tmp_path: Path) -> None:
    pictures(tmp_path / "monday" / "am", 2)
    pictures(tmp_path / "tuesday", 2)
    picture(tmp_path / "10.webp")
    picture(tmp_path / "9.JPG")
    picture(tmp_path / ".hidden.png")
    found = open_stills(tmp_path)
    assert found.layout == "plain"
    assert [s.name for s in found.train][:4] == [
        "9.JPG",
        "10.webp",
        "monday/am/000.png",
        "monday/am/001.png",
    ]
    assert tally(found.test) == {("", None): 6}
    assert "2 sub-folders (monday, tuesday) are all taken as normal" in found.notes[0]


def test_what_oddwatch_drew_is_in_no_set_and_makes_no_class(tmp_path: Path) -> None:
    pictures(tmp_path / "good", 3)
    plain = open_stills(tmp_path)
    plot = png(new_figure(2, 1))
    for place in ("m.losses.png", "scores/curve.png", "good/000.png.heat.png"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(plot)
    found = open_stills(tmp_path)
    assert found.layout == plain.layout == "plain"
    assert [still.name for still in found.train] == [still.name for still in plain.train]
    said = f"left out 3 pictures that oddwatch drew, such as {tmp_path}/good/000.png.heat.png"
    assert found.notes[0] == said
    assert open_stills(tmp_path / "m.losses.png").train  # it was named


def test_one_picture(tmp_path: Path) -> None:
    found = open_stills(picture(tmp_path / "a.png"))
    assert (found.layout, [s.name for s in found.test]) == ("plain", ["a.png"])


def test_a_broken_picture_is_named_counted_and_left_out(tmp_path: Path) -> None:
    root = mvtec(tmp_path)
    (root / "train/good/003.png").write_text("no picture")
    found = open_stills(root)
    assert len(found.train) == 5
    assert [str(root / "train/good/003.png") in said for said in found.lost] == [True]
    with pytest.raises(SourceError, match=r"003.png: expected a picture"):
        open_stills(root, strict=True)


def test_pixels_that_are_missing_show_when_they_are_read(tmp_path: Path) -> None:
    paths = pictures(tmp_path / "a", 3)
    paths[1].write_bytes(paths[1].read_bytes()[:-300])
    stills = open_stills(tmp_path).train
    told: list[str] = []
    assert [still.path for still, _ in read_stills(stills, fault=collector(told))] == [
        paths[0],
        paths[2],
    ]
    assert [str(paths[1]) in said for said in told] == [True]
    with pytest.raises(SourceError, match=r"001.png"):
        list(read_stills(stills))


def test_nothing_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="expected pictures, found nothing"):
        open_stills(tmp_path / "nix")
    (tmp_path / "note.txt").write_text("no pictures")
    with pytest.raises(DataSetError, match=r"no pictures there.*found note.txt"):
        open_stills(tmp_path)
    with pytest.raises(DataSetError, match="expected a picture or a folder"):
        open_stills(tmp_path / "note.txt")
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(DataSetError, match=r"none of 1 pictures can be read; the first: .*a.png"):
        open_stills(tmp_path)


def test_a_folder_of_sets_names_them(tmp_path: Path) -> None:
    mvtec(tmp_path / "bottle")
    mvtec(tmp_path / "cable")
    with pytest.raises(DataSetError, match=r"holds 2 data sets \(bottle, cable\); name one"):
        open_stills(tmp_path)


def frames(root: Path) -> None:
    pictures(root / "training" / "frames" / "01", 2)
    pictures(root / "testing" / "frames" / "01", 2)


def ucsd(root: Path) -> None:
    pictures(root / "Train" / "Train001", 2, suffix=".tif")
    pictures(root / "Test" / "Test001", 2, suffix=".tif")


def films(root: Path) -> None:
    picture(root / "train" / "previews" / "a.jpg")
    (root / "train" / "a.mp4").touch()


def clips(root: Path) -> None:
    pictures(root / "monday", 2)
    pictures(root / "tuesday", 2)


@pytest.mark.parametrize(
    ("write", "stills"),
    [
        (frames, False),
        (ucsd, False),
        (films, False),
        (clips, False),
        (lambda root: pictures(root, 3), False),
        (mvtec, True),
        (lambda root: pictures(root / "training" / "good", 3), True),
        (lambda root: pictures(root / "train" / "cat", 3), True),
        (lambda root: (pictures(root / "ok", 3), pictures(root / "ko", 2)), True),
        (lambda root: pictures(root / "2026" / "11" / "22", 3), True),
        (lambda root: mvtec(root / "bottle"), True),
        (lambda root: None, False),
    ],
)
def test_footage_and_stills_are_told_apart(
    tmp_path: Path, write: Callable[[Path], object], *, stills: bool
) -> None:
    write(tmp_path)
    assert is_stills(tmp_path) is stills


def test_footage_is_not_taken_for_classes(tmp_path: Path) -> None:
    frames(tmp_path)
    with pytest.raises(DataSetError, match=r"is footage \(layout frames\)"):
        recognise(tmp_path)
    assert open_stills(tmp_path / "training" / "frames" / "01").layout == "plain"


def test_masks_must_fit() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    assert fit_mask(np.zeros((4, 6), np.bool_), image, "a").shape == (4, 6)
    with pytest.raises(LabelError, match="a: the picture is 6x4, but its mask is 4x6"):
        fit_mask(np.zeros((6, 4), np.bool_), image, "a")


@pytest.mark.parametrize(("number", "learned"), [(0, 0), (1, 1), (2, 1), (5, 4), (100, 80)])
def test_a_split_keeps_everything_once(number: int, learned: int) -> None:
    first, second = split_normal(range(number))
    assert len(first) == learned
    assert sorted([*first, *second]) == list(range(number))
    assert first == sorted(first)


def test_opening_imports_no_torch(tmp_path: Path) -> None:
    pictures(tmp_path, 1)
    code = (
        "import sys; from monitor.stills.opening import open_stills; "
        f"open_stills({str(tmp_path)!r}).train[0].picture(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "layout", "train", "test", "anomalous", "masks"),
    [
        ("bottle", "mvtec", 209, 83, 63, 63),
        ("casting", "classes", 1475, 715, 453, 0),
        ("chest_xray", "classes", 70, 46, 26, 0),
        ("concrete", "mvtec", 236, 564, 504, 504),
    ],
)
def test_real_sets(
    name: str, layout: str, train: int, test: int, anomalous: int, masks: int
) -> None:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    found: StillSet = open_stills(Path(folder) / name)
    assert (found.layout, found.notes, found.lost) == (layout, (), ())
    assert (len(found.train), len(found.test)) == (train, test)
    assert sum(still.label is True for still in found.test) == anomalous
    assert sum(still.mask is not None for still in found.test) == masks
    assert found.layout in LAYOUTS
