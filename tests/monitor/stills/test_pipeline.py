from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.augmentation import NONE
from models.detector import Budget, Step
from models.errors import OptionError
from models.registry import DETECTORS
from monitor.errors import DataSetError, SourceError, UsageError
from monitor.keeping import unfinished
from monitor.model import load_model
from monitor.stills.model import StillModel, load_still_model, open_model
from monitor.stills.opening import open_stills
from monitor.stills.pipeline import calibrate_stills, judged, new_still_detector, train_stills
from monitor.stills.split import split_stills
from monitor.stills.still import StillSet
from tests.monitor.stills.learner import MeanPicture, MeanPictureConfig, write_plates
from tests.monitor.stills.sets import save
from tests.monitor.stills.spots import write_plate


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, MeanPicture.name, MeanPicture)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillSet:
    return open_stills(write_plates(tmp_path_factory.mktemp("plates") / "plates"))


def learn(data: StillSet, path: Path | None = None, **how: Any) -> StillModel:
    torch.manual_seed(0)
    detector = MeanPicture(MeanPictureConfig())
    return train_stills(detector, data, budget=Budget(steps=30), path=path, **how)


def test_training_leaves_a_model_that_finds_the_spots(data: StillSet, tmp_path: Path) -> None:
    model = learn(data, tmp_path / "m.pt", false_alarm_share=0.1)
    found = list(judged(data.test, model))
    assert all(one.verdict == "defective" for one in found if one.still.label)
    assert sum(one.verdict == "defective" for one in found if not one.still.label) <= 2
    saved = load_still_model(tmp_path / "m.pt")
    assert [one.score for one in judged(data.test, saved)] == [one.score for one in found]
    assert saved.calibrated().to_dict() == model.calibrated().to_dict()
    assert not unfinished(tmp_path / "m.pt").exists()


def test_the_provenance_says_where_it_is_from(data: StillSet) -> None:
    model = learn(data, seed=3)
    facts = model.provenance
    assert facts["pictures"] == {"fit": 28, "held_out": 4, "calibration": 8}
    assert (facts["seed"], facts["steps"], facts["layout"]) == (3, 30, "mvtec")
    assert facts["augment"] == "turn=2,shift=0.02,light=0.05"
    assert facts["protocol"] == data.protocol
    assert facts["data"] == str(data.root)
    assert facts["minutes"] > 0
    assert "torch" in facts["versions"]
    usual, high = model.map_scale or (0, 0)
    assert 0 < usual <= high
    scores = [one.score for one in judged(split_stills(data.train, 3).calibration, model)]
    assert model.calibrated().scores.tolist() == sorted(map(float, filter(None, scores)))


def test_the_same_seed_gives_the_same_model(data: StillSet) -> None:
    first, again, other = (learn(data, seed=seed) for seed in (0, 0, 1))
    state = [m.trained().state_dict()["mean"] for m in (first, again, other)]
    assert torch.equal(state[0], state[1])
    assert not torch.equal(state[0], state[2])


def test_a_detectors_remarks_are_noted(data: StillSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanPicture, "remarks", ("random weights",), raising=False)
    assert "random weights" in learn(data).provenance["notes"]


def test_going_on_adds_up_and_calibrates_on_what_was_never_learned(data: StillSet) -> None:
    model = learn(data)
    seen: list[str] = []
    again = train_stills(
        model.trained(), data, budget=Budget(steps=10), log=lambda step: seen.append(step.stage)
    )
    assert again.provenance["steps"] == 40
    assert len(seen) == 10
    assert again.provenance["pictures"] == model.provenance["pictures"]


def test_of_a_set_that_grows_each_picture_stays_in_its_part(tmp_path: Path) -> None:
    root = write_plates(tmp_path / "p", n_train=20)
    model, names = learn(open_stills(root)), dict[str, set[str]]()
    noted = model.provenance
    for grown in (5, 1, 1, 1):
        have = len(list((root / "train" / "good").iterdir()))
        for index in range(have, have + grown):
            write_plate(root / "train" / "good" / f"{index:03d}.png", index)
        before, grown_set = names, open_stills(root)
        model = train_stills(model.trained(), grown_set, budget=Budget(steps=1), earlier=noted)
        noted = model.provenance
        names = {key: {n for n in noted[key] if "/" in n} for key in ("held_out", "kept_apart")}
        assert all(before.get(key, set()) <= own for key, own in names.items())
        assert not names["kept_apart"] & set(noted["learned"])
        assert len(model.calibrated().scores) == len(names["kept_apart"])
    assert noted["pictures"] == {"fit": 19, "held_out": 3, "calibration": 6}


def test_scales_that_cannot_be_taken_again_end_a_training_that_goes_on(tmp_path: Path) -> None:
    root = write_plates(tmp_path / "p", n_train=8)
    model = learn(open_stills(root))
    (held_out,) = (n for n in model.provenance["held_out"] if "/" in n)
    Path(held_out).unlink()
    with pytest.raises(DataSetError, match="no picture is left for the scale of errors"):
        train_stills(
            model.trained(), open_stills(root), budget=Budget(steps=1), earlier=model.provenance
        )


def test_copies_are_taken_once(tmp_path: Path) -> None:
    for place in ("a", "b"):
        for index in range(20):
            write_plate(tmp_path / "p" / place / f"{index:02d}.png", index)
    data = open_stills(tmp_path / "p", layout="plain")
    facts = learn(data).provenance
    assert facts["pictures"] == {"fit": 14, "held_out": 2, "calibration": 4}
    assert "20 of 40 pictures are copies of others, and each is taken once" in facts["notes"]


def test_a_copied_set_sets_the_threshold_on_what_was_kept_apart(tmp_path: Path) -> None:
    model = learn(open_stills(write_plates(tmp_path / "p")))
    copied = open_stills(write_plates(tmp_path / "elsewhere"))
    again = calibrate_stills(model, copied)
    assert again.calibrated().scores.tolist() == model.calibrated().scores.tolist()


def test_copies_in_what_is_calibrated_on_count_once(
    data: StillSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place in ("a", "b"):
        for index in range(12):
            write_plate(tmp_path / place / f"{index:02d}.png", 100 + index)
    other = open_stills(tmp_path, layout="plain")
    assert len(calibrate_stills(learn(data), other).calibrated().scores) == 12
    assert "12 of 24 pictures are copies" in caplog.text


def test_a_broken_picture_is_counted_or_fatal(tmp_path: Path) -> None:
    root = write_plates(tmp_path / "p", n_train=20)
    content = (root / "train" / "good" / "003.png").read_bytes()
    (root / "train" / "good" / "003.png").write_bytes(content[: len(content) // 2])
    model = learn(open_stills(root))
    assert any("1 picture, such as" in text and "003.png" in text
               for text in model.provenance["notes"])  # fmt: skip
    with pytest.raises(SourceError, match=r"003\.png"):
        learn(open_stills(root), strict=True)


def test_too_little_is_said_in_one_line(tmp_path: Path) -> None:
    for index in range(6):
        write_plate(tmp_path / "same" / f"{index}.png")
    with pytest.raises(DataSetError, match="all 6 pictures to learn from are the same picture"):
        learn(open_stills(tmp_path / "same"))
    write_plate(tmp_path / "one" / "a.png")
    with pytest.raises(DataSetError, match="one normal picture"):
        learn(open_stills(tmp_path / "one"))


def test_few_pictures_learn_and_say_so(tmp_path: Path) -> None:
    for index in range(3):
        write_plate(tmp_path / "few" / f"{index}.png", index)
    model = learn(open_stills(tmp_path / "few"))
    assert model.calibration is None
    notes = model.provenance["notes"]
    assert any("only 3 normal pictures" in text for text in notes)
    assert any("not calibrated: a threshold needs" in text for text in notes)


def test_a_lite_detector_takes_the_shape_of_the_pictures(tmp_path: Path) -> None:
    for index in range(4):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 160, 3), np.uint8)
        save(tmp_path / "wide" / f"{index}.png", pixels)
    data = open_stills(tmp_path / "wide")

    def size(preset: str = "lite", **options: Any) -> object:
        return new_still_detector("mean_picture", preset, options, data, seed=0).spec.size

    assert size() == (16, 64)
    assert size("paper") == (48, 48)
    assert size(size=(32, 32)) == (32, 32)
    with pytest.raises(OptionError, match="multiples of 16"):
        size(size=(30, 30))
    with pytest.raises(UsageError, match="fusion watches video"):
        new_still_detector("fusion", "lite", {}, data, seed=0)


def test_the_commonest_shape_is_taken_and_others_are_named(tmp_path: Path) -> None:
    for index in range(12):
        size = (40, 160) if index == 0 else (48 + index % 2, 48)
        pixels = np.random.default_rng(index).integers(0, 256, (*size, 3), np.uint8)
        save(tmp_path / "mixed" / f"{index:03d}.png", pixels)
    data = open_stills(tmp_path / "mixed")
    assert new_still_detector("mean_picture", "lite", {}, data, seed=0).spec.size == (32, 32)
    facts = learn(data).provenance
    assert facts["source_size"] == [49, 48]
    assert (
        "pictures differ in shape, and are squeezed into one: 1 of 12 are not of the shape of "
        "48x49, such as 160x40"
    ) in facts["notes"]


def test_calibrating_anew_leaves_the_old_one_and_takes_what_was_kept_apart(data: StillSet) -> None:
    model = learn(data)
    before = model.calibrated().threshold
    again = calibrate_stills(model, data, false_alarm_share=0.4)
    assert model.calibrated().threshold == before
    assert again.calibrated().scores.tolist() == model.calibrated().scores.tolist()
    assert again.calibrated().share == 0.4
    assert again.calibrated().threshold < before


def test_calibrating_on_other_pictures_takes_all_that_are_not_defective(
    data: StillSet, tmp_path: Path
) -> None:
    model = learn(data)
    root = write_plates(tmp_path / "other", n_train=12, first=100)
    assert len(calibrate_stills(model, open_stills(root)).calibrated().scores) == 12


def test_calibrating_leaves_out_what_is_of_another_shape(
    data: StillSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = learn(data)
    assert model.provenance["source_shapes"] == [[64, 64]]
    root = write_plates(tmp_path / "other", n_train=12, first=100)
    save(root / "train" / "good" / "wide.png", np.full((64, 114, 3), 128, np.uint8))
    found = calibrate_stills(model, open_stills(root))
    assert len(found.calibrated().scores) == 12
    said = "left out what is of a shape that was not learned, 1 picture, such as "
    assert any(text.startswith(said) for text in found.provenance["notes"])
    assert "left out 1 picture, such as" in caplog.text
    with pytest.raises(SourceError, match=r"wide\.png: 114x64; the model learned on 64x64"):
        calibrate_stills(model, open_stills(root), strict=True)


def test_all_shapes_that_were_learned_are_judged(tmp_path: Path) -> None:
    root = write_plates(tmp_path / "p", n_train=20)
    for index, (height, width) in enumerate([(64, 114), (128, 228), (64, 66)]):
        pixels = np.full((height, width, 3), 128 + index, np.uint8)
        save(root / "train" / "good" / f"wide{index}.png", pixels)
    model = learn(open_stills(root))
    assert model.provenance["source_shapes"] == [[64, 64], [64, 114]]
    assert not any("left out" in text for text in model.provenance["notes"])


def test_models_open_by_kind(data: StillSet, tmp_path: Path) -> None:
    learn(data, tmp_path / "m.pt")
    assert isinstance(open_model(tmp_path / "m.pt"), StillModel)
    with pytest.raises(UsageError, match="mean_picture, which judges still pictures"):
        load_model(tmp_path / "m.pt")


def stopped(at: int) -> Iterator[None]:
    for _ in range(at - 1):
        yield
    raise KeyboardInterrupt


def test_ctrl_c_keeps_what_was_learned(data: StillSet, tmp_path: Path) -> None:
    steps = stopped(5)

    def log(_step: Step) -> None:
        next(steps)

    model = learn(data, tmp_path / "m.pt", log=log)
    assert model.provenance["interrupted"]
    assert load_still_model(tmp_path / "m.pt").provenance["steps"] == 5
    assert model.calibration is not None


def test_augmentation_can_be_left_out(data: StillSet) -> None:
    model = learn(data, augment=NONE)
    assert model.provenance["augment"] == "none"
    plates = torch.stack(
        [torch.tensor(s.picture().mean()) for s in split_stills(data.train, 0).fit]
    )
    assert float(model.trained().state_dict()["mean"].mean()) == pytest.approx(
        float(plates.mean()) / 255, abs=0.05
    )
