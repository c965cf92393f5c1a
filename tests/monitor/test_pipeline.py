from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from models.detector import Budget, Detector, Step
from models.registry import build
from monitor import keeping, pipeline
from monitor.datasets import open_data
from monitor.errors import CalibrationError, CorruptFrameError, DataSetError, StoreError, UsageError
from monitor.footage import find_footage, fit_size
from monitor.keeping import unfinished
from monitor.model import Model, load_model, save_model
from monitor.pipeline import calibrate_model, new_detector, readings_of, train_model
from monitor.records import Frame
from monitor.together import learning_together
from tests.monitor.footage import TINY, picture, write_clip, write_set

STEPS = Budget(steps=6)


def detector(seed: int = 0, **options: Any) -> Detector:
    torch.manual_seed(seed)
    return build("frame_prediction", **(TINY | options))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("set") / "tiny", n_frames=240)


def train(data: Path, path: Path | None = None, **how: Any) -> Model:
    how = {"budget": STEPS} | how
    return train_model(detector(), open_data(data), path=path, **how)


@pytest.fixture(scope="module")
def trained(footage: Path) -> Model:
    return train(footage)


def frames(count: int, rate: float = 10) -> list[Frame]:
    return [Frame(picture(i, seed=0, wrong=False), i, i / rate) for i in range(count)]


@pytest.mark.parametrize(
    ("source", "size"),
    [
        ((240, 360), (128, 192)),
        ((720, 1280), (112, 208)),
        ((480, 640), (128, 176)),
        ((1280, 720), (208, 112)),
        ((100, 100), (160, 160)),
        ((10, 4000), (16, 3136)),
    ],
)
def test_the_size_follows_the_source(source: tuple[int, int], size: tuple[int, int]) -> None:
    assert fit_size(source, (128, 192)) == size


def test_lite_takes_the_shape_of_the_footage_and_nothing_else_does(tmp_path: Path) -> None:
    write_clip(tmp_path / "wide", 2, seed=0)  # 32 x 48
    data = open_data(tmp_path / "wide")
    small = {"width": 4}
    assert new_detector("frame_prediction", "lite", small, data, seed=0).spec.size == (128, 192)
    sized = {"size": (64, 64), **small}
    assert new_detector("frame_prediction", "lite", sized, data, seed=0).spec.size == (64, 64)
    paper = {"discriminator_width": 4, **small}
    assert new_detector("frame_prediction", "paper", paper, data, seed=0).spec.size == (256, 256)


def test_a_new_detector_is_that_of_its_seed(footage: Path) -> None:
    data = open_data(footage)
    made = [new_detector("frame_prediction", "lite", TINY, data, seed=s) for s in (1, 1, 2)]
    first, same, other = (next(iter(one.parameters())) for one in made)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_training_leaves_a_calibrated_model_that_says_where_it_is_from(
    footage: Path, tmp_path: Path
) -> None:
    model = train(footage, tmp_path / "m.pt", seed=3, false_alarms_per_day=48)
    loaded = load_model(tmp_path / "m.pt")
    facts = loaded.provenance
    assert (facts["seed"], facts["steps"], facts["interrupted"]) == (3, 6, False)
    assert (facts["data"], facts["layout"]) == (str(footage), "frames")
    assert facts["source_size"] == [32, 48]
    assert facts["rate_hz"] is None
    assert facts["frames"] == {"fit": 414, "held_out": 90, "calibration": 216}
    assert facts["seconds"]["calibration"] == pytest.approx(21.6)
    assert facts["when"].endswith("+00:00")
    assert loaded.calibrated().promised_per_day == 48
    assert not loaded.calibrated().promise_kept_by_data  # 22 seconds are not a day
    assert loaded.calibrated().readings == 216 - 3 * (model.detector.spec.span - 1)
    assert loaded.map_scale is not None
    assert not unfinished(tmp_path / "m.pt").exists()


def test_the_same_seed_and_steps_give_the_same_model(footage: Path, trained: Model) -> None:
    again = train(footage)
    for name, value in trained.trained().state_dict().items():
        assert torch.equal(value, again.trained().state_dict()[name]), name
    assert np.array_equal(trained.calibrated().scores, again.calibrated().scores)


def test_a_name_that_is_no_utf8_is_learned_from_as_any_other() -> None:
    with learning_together(detector(), ["a\udcff.mp4 0-50"]):
        pass


def test_readings_have_p_values_only_after_calibration(trained: Model) -> None:
    readings = list(readings_of(frames(30), trained, maps=True))
    assert len(readings) == 30 - trained.detector.spec.span + 1
    expected = trained.calibrated().p_value([reading.score for reading in readings])
    assert [reading.p_value for reading in readings] == pytest.approx(expected.tolist())
    assert readings[0].map is not None
    raw = list(readings_of(frames(30), replace(trained, calibration=None), batch=3, most=0))
    assert [r.score for r in raw] == pytest.approx([r.score for r in readings], rel=1e-5)
    assert raw[0].p_value is None
    assert raw[0].map is None


def test_a_much_faster_source_is_thinned(trained: Model) -> None:
    slow = replace(trained, provenance=trained.provenance | {"rate_hz": 10.0})
    assert [r.frame.index for r in readings_of(frames(30, rate=30), slow)] == [*range(6, 30, 3)]
    assert len(list(readings_of(frames(30, rate=11), slow))) == 28


def test_too_little_footage_for_a_threshold_still_leaves_a_model(tmp_path: Path) -> None:
    write_clip(tmp_path / "short", 60, seed=0)  # 0.8 s to calibrate on, all of it warm-up
    model = train(tmp_path / "short", tmp_path / "m.pt")
    assert model.calibration is None
    assert any("not calibrated: no footage left after warm-up" in n for n in _notes(model))
    assert load_model(tmp_path / "m.pt").trained().fitted


def test_a_time_lapse_gets_a_threshold_and_judges_none_but_its_like(footage: Path) -> None:
    lapse, film = open_data(footage, folder_rate_hz=0.1), open_data(footage, folder_rate_hz=10)
    model = train_model(detector(), lapse, budget=STEPS)
    rule = model.calibrated().rule
    assert (rule.max_gap_s, rule.merge_s) == (30, 30)
    quick = train_model(detector(), film, budget=STEPS)
    assert (quick.calibrated().rule.max_gap_s, quick.calibrated().rule.merge_s) == (5, 10)
    with pytest.raises(CalibrationError, match=r"a frame every 10 s, and frame_prediction learned"):
        calibrate_model(replace(quick, provenance={"rate_hz": 10}), lapse)


def test_a_rate_that_leaves_no_clip_is_refused(footage: Path) -> None:
    with pytest.raises(DataSetError, match="too little normal footage"):
        train(footage, rate_hz=0.1)  # 24 s of each clip: two or three frames


def test_what_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip", 90, seed=0)
    for name in ("010.jpg", "085.jpg"):
        (tmp_path / "clip" / name).write_text("no picture")
    noted = [text for text in _notes(train(tmp_path / "clip")) if "could not be read" in text]
    assert len(noted) == 1
    assert "2 in all, such as" in noted[0]
    assert "010.jpg" in noted[0]


def test_what_was_learned_is_kept_when_calibrating_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_clip(tmp_path / "clip", 90, seed=0)
    (tmp_path / "clip" / "085.jpg").write_text("no picture")
    out = tmp_path / "m.pt"
    with pytest.raises(CorruptFrameError, match=r"085\.jpg"):
        train_model(
            new_detector("frame_prediction", "lite", TINY, open_data(tmp_path / "clip"), seed=0),
            open_data(tmp_path / "clip", strict=True),
            budget=Budget(steps=2),
            path=out,
        )
    assert f"{out} holds what was learned, without a threshold" in caplog.text
    assert load_model(out).trained().fitted


def _notes(model: Model) -> list[str]:
    notes: list[str] = model.provenance["notes"]
    return notes


def test_footage_shorter_than_a_clip_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "short", 16, seed=0)
    with pytest.raises(DataSetError, match=r"too little normal footage \(short\).*3 frames at"):
        train(tmp_path / "short")


def test_ctrl_c_keeps_what_was_learned(footage: Path, tmp_path: Path) -> None:
    def stop(step: Step) -> None:
        if step.index == 2:
            raise KeyboardInterrupt

    model = train(footage, tmp_path / "m.pt", log=stop)
    assert (model.provenance["interrupted"], model.provenance["steps"]) == (True, 2)
    assert load_model(tmp_path / "m.pt").calibration is not None


def test_ctrl_c_before_the_first_step_leaves_the_old_model(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(footage, tmp_path / "m.pt")
    before = (tmp_path / "m.pt").read_bytes()

    def stopped(self: Detector, *_args: Any, **_how: Any) -> Detector:
        self.training_state["interrupted"] = True
        return self

    monkeypatch.setattr(type(detector()), "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(footage, tmp_path / "m.pt")
    assert (tmp_path / "m.pt").read_bytes() == before
    assert not unfinished(tmp_path / "m.pt").exists()


def test_a_second_ctrl_c_leaves_a_file_to_go_on_from(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_step: Step) -> None:
        raise KeyboardInterrupt

    fit = type(detector()).fit

    def fit_and_stop(self: Detector, *args: Any, **how: Any) -> None:
        fit(self, *args, **how)
        self.fitted = False
        raise KeyboardInterrupt

    monkeypatch.setattr(type(detector()), "fit", fit_and_stop)
    with pytest.raises(KeyboardInterrupt):
        train(footage, tmp_path / "m.pt", log=stop)
    assert not (tmp_path / "m.pt").exists()
    kept = load_model(unfinished(tmp_path / "m.pt"))
    assert not kept.trained().fitted
    assert kept.trained().training_state["step"] == 1


def test_ctrl_c_during_calibration_leaves_a_fitted_model(footage: Path, tmp_path: Path) -> None:
    def stop(_what: str, _done: int, _total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(footage, tmp_path / "m.pt", progress=stop)
    model = load_model(tmp_path / "m.pt")
    assert model.trained().fitted
    assert model.calibration is None


def test_while_learning_a_checkpoint_is_kept_and_the_old_model_is_not_touched(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SAVE_EVERY_S", 0.0)
    path = tmp_path / "m.pt"
    path.write_text("the old model")
    seen: list[int] = []

    def look(_step: Step) -> None:
        seen.append(load_model(unfinished(path)).provenance["steps"])
        assert path.read_text() == "the old model"

    train(footage, path, log=look)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert load_model(path).trained().fitted
    assert not unfinished(path).exists()


def test_a_disk_that_fills_up_costs_the_checkpoint_not_the_training(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SAVE_EVERY_S", 0.0)

    def full(_model: Model, path: Path) -> None:
        if path.suffix == ".training":
            raise StoreError("disk full")
        save_model(_model, path)

    monkeypatch.setattr(pipeline, "save_model", full)
    assert train(footage, tmp_path / "m.pt").provenance["steps"] == 6


def test_a_write_that_fails_leaves_the_old_model_whole(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.pt"
    path.write_text("the old model")

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StoreError, match="No space left on device"):
        train(footage, path)
    assert path.read_text() == "the old model"
    assert list(tmp_path.iterdir()) == [path]


def test_going_on_adds_steps(footage: Path, tmp_path: Path) -> None:
    train(footage, tmp_path / "m.pt")
    loaded = load_model(tmp_path / "m.pt")
    before = {name: value.clone() for name, value in loaded.trained().state_dict().items()}
    model = train_model(loaded.trained(), open_data(footage), budget=STEPS)
    assert model.provenance["steps"] == 12
    after = model.trained().state_dict()
    assert any(not torch.equal(value, after[name]) for name, value in before.items())


def test_what_was_learned_from_before_sets_no_threshold(footage: Path, tmp_path: Path) -> None:
    first = train(footage, tmp_path / "m.pt")
    video = str(Path(open_data(footage).train[0].path).resolve())
    earlier = {"learned": first.provenance["learned"] | {video: [[0, 10_000]]}}
    loaded = load_model(tmp_path / "m.pt")
    model = train_model(loaded.trained(), open_data(footage), budget=STEPS, earlier=earlier)
    assert model.provenance["learned"][video] == [[0, 10_000]]
    others = first.calibrated().readings * 2 / 3  # of three videos one is not taken
    assert model.calibrated().readings == pytest.approx(others, abs=2)


def test_going_on_with_slower_footage_keeps_the_rate_and_says_so(
    footage: Path, tmp_path: Path
) -> None:
    first = train(footage, tmp_path / "m.pt", rate_hz=10.0)
    data = open_data(footage, folder_rate_hz=4)
    again = load_model(tmp_path / "m.pt")
    model = train_model(again.trained(), data, budget=STEPS, earlier=first.provenance)
    assert model.rate_hz == first.rate_hz == 10
    assert any("4 frames per second, but the model learned at 10" in x for x in _notes(model))


def test_calibrating_anew_keeps_the_detector_and_changes_the_promise(
    footage: Path, tmp_path: Path, trained: Model
) -> None:
    write_clip(tmp_path / "quiet", 300, seed=1)
    model = calibrate_model(trained, open_data(tmp_path / "quiet"), false_alarms_per_day=2400)
    assert model.calibrated().promised_per_day == 2400
    assert model.calibrated().readings == 300 - model.detector.spec.span + 1
    assert trained.calibrated().promised_per_day == 24
    assert model.detector is trained.detector
    own = calibrate_model(trained, open_data(footage))  # only what was not learned from
    assert own.calibrated().readings == trained.calibrated().readings


def test_footage_of_which_nothing_was_kept_apart_sets_no_threshold(
    footage: Path, trained: Model
) -> None:
    video = open_data(footage).train[0]
    noted = trained.provenance["learned"] | {str(Path(video.path).resolve()): [[0, 10_000]]}
    model = replace(trained, provenance=trained.provenance | {"learned": noted})
    with pytest.raises(CalibrationError, match=r"learned from all of it; name the whole of .*set"):
        calibrate_model(model, open_data(video.path))


def test_another_shape_of_picture_is_refused(tmp_path: Path, trained: Model) -> None:
    write_clip(tmp_path / "c", 30, seed=1)
    tall = replace(trained, provenance=trained.provenance | {"source_size": [48, 32]})
    with pytest.raises(UsageError, match="another shape of picture is another camera"):
        calibrate_model(tall, open_data(tmp_path / "c"))


def test_an_unreadable_training_video_is_left_out_unless_strict(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    write_clip(root / "good", 60, seed=0)
    (root / "bad.mp4").write_text("no video")
    found = find_footage(open_data(root, layout="videos"))
    assert [video.name for video in found.videos] == ["good"]
    assert any("left out" in note and "bad.mp4" in note for note in found.notes)
    with pytest.raises(OSError, match=r"bad\.mp4"):
        find_footage(open_data(root, layout="videos", strict=True))
    assert asdict(found)["rate_hz"] is None


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    root = write_set(tmp_path / "tiny", n_train=0)
    with pytest.raises(DataSetError, match="no normal footage to learn from"):
        find_footage(open_data(root))


def test_of_several_shapes_the_odd_one_is_named(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    for number in range(3):
        write_clip(root / f"door{number}", 5, seed=number)
    picture = next((root / "door0").iterdir())
    wide = cv2.imread(str(picture))
    assert wide is not None
    tall = cv2.rotate(wide, cv2.ROTATE_90_CLOCKWISE)
    for path in (root / "door0").iterdir():
        cv2.imwrite(str(path), tall)
    with pytest.raises(UsageError, match=r"door0 is 32x48, the model learned on 48x32"):
        find_footage(open_data(root, layout="videos"))
