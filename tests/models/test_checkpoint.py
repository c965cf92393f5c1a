"""Files of detectors: whole or not at all, and nothing in them that could run."""

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.checkpoint import Checkpoint, load, save
from models.detector import Budget, Detector
from models.errors import CheckpointError
from models.registry import build


@pytest.fixture
def detector() -> Detector:
    torch.manual_seed(0)
    tiny = build("frame_prediction", size=(16, 16), width=4, depth=2, context=2, unshuffle=1)
    clips = [torch.rand(2, tiny.spec.length, 1, 16, 16)]
    return tiny.fit(clips, clips, budget=Budget(steps=2))


@pytest.fixture
def file(detector: Detector, tmp_path: Path) -> Path:
    save(Checkpoint(detector), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def altered(file: Path, **changes: Any) -> Path:
    content = torch.load(file, weights_only=True) | changes
    torch.save(content, file)
    return file


def test_everything_comes_back(detector: Detector, tmp_path: Path) -> None:
    written = Checkpoint(detector, "lite", {"quantile": 0.99}, {"seed": 3, "data": "here"})
    save(written, tmp_path / "model.pt")
    read = load(tmp_path / "model.pt")
    assert (read.preset, read.calibration, read.provenance) == (
        "lite",
        {"quantile": 0.99},
        {"seed": 3, "data": "here"},
    )
    assert read.detector.fitted
    assert not read.detector.training
    assert read.detector.training_state["step"] == 2


def test_learning_goes_on_after_loading_as_if_never_saved(detector: Detector, file: Path) -> None:
    clips = [torch.rand(2, detector.spec.length, 1, 16, 16)]
    loaded = load(file).detector
    for each in (detector, loaded):
        each.fit(clips, clips, budget=Budget(steps=2))
    assert torch.equal(loaded.score(clips[0]), detector.score(clips[0]))
    assert loaded.training_state["step"] == 4


def test_an_unfitted_detector_stays_unfitted(tmp_path: Path) -> None:
    save(Checkpoint(build("memae_video", size=(32, 32))), tmp_path / "model.pt")
    assert not load(tmp_path / "model.pt").detector.fitted


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("write failed")]
)
def test_a_failing_write_leaves_the_old_file_whole(
    detector: Detector, file: Path, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()

    def half(_content: object, handle: Any) -> None:
        handle.write(b"half of it")
        raise failure

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match=r"No space left|could not write .*model.pt: write failed"):
        save(Checkpoint(detector), file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["model.pt"]


def test_a_full_disk_is_told_as_such_though_torch_hides_it(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            raise RuntimeError("[enforce fail at inline_container.cc:671]")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"could not write .*m\.pt: No space left on device"):
        save(Checkpoint(detector), tmp_path / "m.pt")


def test_a_missing_folder_is_an_os_error(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        save(Checkpoint(detector), tmp_path / "nowhere" / "model.pt")


def test_no_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "model.pt")


class Bomb:
    """Pickled, it would write a file when it is opened."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.place,)


def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"format": checkpoint.FORMAT, "state": Bomb(tmp_path / "ran")}, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match="could run any code"):
        load(tmp_path / "m.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("keep", [0.0, 0.0005, 0.3, 0.9])
def test_a_truncated_file_is_refused(file: Path, keep: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(
        CheckpointError, match=r"model.pt (is not a whole model file|holds pickled)"
    ):
        load(file)


def test_a_text_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_text("I am a text\n")
    with pytest.raises(CheckpointError, match=r"m\.pt is not a whole model file: expected one of"):
        load(tmp_path / "m.pt")


def test_what_a_file_lacks_is_named(file: Path) -> None:
    content = torch.load(file, weights_only=True)
    del content["config"], content["provenance"]
    torch.save(content, file)
    with pytest.raises(CheckpointError, match=r"lacks config, provenance; train it again"):
        load(file)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="not a whole model file"):
        load(tmp_path)


def test_another_programs_tensors_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="was not written by oddwatch"):
        load(tmp_path / "other.pt")


def test_another_version_says_what_to_do(file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"file version 99, this program reads 1; train it"):
        load(altered(file, version=99))


def test_an_unknown_detector_is_named(file: Path) -> None:
    with pytest.raises(
        CheckpointError, match="unknown to this version: no detector 'crystal_ball'"
    ):
        load(altered(file, name="crystal_ball"))


def test_an_unknown_option_is_named(file: Path) -> None:
    with pytest.raises(CheckpointError, match=r"unknown to this version: .* no option 'wings'"):
        load(altered(file, config={"wings": 2}))


def test_the_state_of_another_detector_is_refused(file: Path) -> None:
    with pytest.raises(CheckpointError, match="does not hold the state of this version's memae"):
        load(altered(file, name="memae_video", config={"size": (32, 32)}))
