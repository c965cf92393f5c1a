from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import CheckpointError
from models.registry import build
from monitor.alert_rule import AlertRule
from monitor.calibration import Recording, calibrate
from monitor.errors import CalibrationError, SourceNotFoundError, StoreError, UsageError
from monitor.model import Model, check_writable, choose_device, load_model, save_model, versions
from tests.monitor.footage import TINY


def model(**provenance: object) -> Model:
    torch.manual_seed(0)
    detector = build("frame_prediction", **TINY)
    detector.fitted = True
    scores = np.random.default_rng(0).normal(size=600)
    recording = Recording(scores, np.arange(600) / 10)
    calibration = calibrate([recording], AlertRule(), false_alarms_per_day=24)
    return Model(detector, "lite", calibration, {"versions": versions(), **provenance})


def test_a_model_comes_back_whole(tmp_path: Path) -> None:
    saved = model(source_size=[240, 360], rate_hz=12.5, map_usual=0.1, map_high=0.3)
    save_model(saved, tmp_path / "new" / "m.pt")
    loaded = load_model(tmp_path / "new" / "m.pt")
    assert loaded.provenance == saved.provenance
    assert loaded.rate_hz == 12.5
    assert loaded.map_scale == (0.1, 0.3)
    assert saved.calibration is not None
    assert loaded.calibrated().rule == saved.calibration.rule
    clips = torch.rand(2, 3, 1, 32, 48)
    assert torch.equal(loaded.trained().score(clips), saved.trained().score(clips))


def test_what_versions_says_can_be_read_back_without_code(tmp_path: Path) -> None:
    torch.save(versions(), tmp_path / "v.pt")
    assert torch.load(tmp_path / "v.pt", weights_only=True) == versions()


def test_a_missing_or_foreign_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"m\.pt: no such model file; train one with -o"):
        load_model(tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(CheckpointError, match=r"m\.pt"):
        load_model(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("content", "came"),
    [
        (b"hello\n", "text"),
        ("señal\n".encode(), "text"),
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "something else"),
        (None, "a folder"),
    ],
)
def test_what_is_no_model_file_is_told_from_a_broken_one(
    content: bytes | None, came: str, tmp_path: Path
) -> None:
    place = tmp_path / "m.pt"
    if content is None:
        place.mkdir()
    else:
        place.write_bytes(content)
    said = rf"m\.pt: expected a model file, as oddwatch train and export .* got {came}; to make one"
    with pytest.raises(CheckpointError, match=said):
        load_model(place)


def test_a_damaged_calibration_names_the_file(tmp_path: Path) -> None:
    save_model(model(), tmp_path / "m.pt")
    content = torch.load(tmp_path / "m.pt", weights_only=True) | {"calibration": {"median": 1.0}}
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CalibrationError, match=r"m\.pt: calibration is damaged"):
        load_model(tmp_path / "m.pt")


def test_without_calibration_the_way_to_it_is_said() -> None:
    with pytest.raises(CalibrationError, match="run: oddwatch calibrate MODEL NORMAL_DATA"):
        replace(model(), calibration=None).calibrated()
    assert model().map_scale is None


@pytest.mark.parametrize("size", [(240, 360), (480, 720), (250, 360), (240, 380)])
def test_another_scale_is_fine(size: tuple[int, int]) -> None:
    model(source_size=[240, 360]).check_picture(size, "door.mp4")


@pytest.mark.parametrize("size", [(360, 240), (240, 427), (240, 320)])
def test_another_shape_is_another_camera(size: tuple[int, int]) -> None:
    said = rf"door.mp4 is {size[1]}x{size[0]}, the model learned on 360x240"
    with pytest.raises(UsageError, match=said):
        model(source_size=[240, 360]).check_picture(size, "door.mp4")


def test_a_full_disk_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.pt"
    save_model(model(), path)
    before = path.read_bytes()

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StoreError, match=r"No space left on device; what was there before"):
        save_model(model(seed=1), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_that_torch_meets_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "m.pt"

    def full(_content: object, _path: Path) -> None:
        raise OSError(f"could not write {place}: No space left on device")

    monkeypatch.setattr("models.checkpoint.save", full)
    with pytest.raises(StoreError, match=r"the model to .*m.pt: No space left on device; what was"):
        save_model(model(), place)


def test_a_place_that_cannot_be_written_is_found_out_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_writable(tmp_path / "a" / "m.pt")
    assert list((tmp_path / "a").iterdir()) == []
    with pytest.raises(StoreError, match="is a folder; expected a file name"):
        check_writable(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="a file stands where its folder should be"):
        check_writable(tmp_path / "file" / "m.pt")

    def read_only(*_args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", read_only)
    with pytest.raises(StoreError, match="Permission denied"):
        check_writable(tmp_path / "m.pt")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="torch finds no CUDA device here; use cpu"):
        choose_device("cuda")
    with pytest.raises(UsageError, match="known are auto, cpu, cuda"):
        choose_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
