"""A trained detector as the monitor uses it: with its camera's calibration and where it is from."""

import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import monitor
from models.errors import CheckpointError
from monitor.calibration import Calibration
from monitor.errors import CalibrationError, SourceNotFoundError, StoreError, UsageError
from monitor.files import probe_folder
from monitor.records import MapScale, same_shape
from monitor.runtimes import Exported, read_export, trained_of, with_calibration, write_export

BEGINNINGS = (b"PK", b"\x80")  # of zips and of pickles; those are refused with a line of their own
HEAD = 512  # bytes, by which text is known

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint
    from models.detector import Detector


@dataclass
class Model:
    """A detector, what was learned beside it, and its provenance (plain values)."""

    detector: "Detector | Exported"
    preset: str = "lite"
    calibration: Calibration | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def rate_hz(self) -> float | None:
        """Frames per second that it learned at; None where frames have no clock (stills)."""
        return self.provenance.get("rate_hz")

    @property
    def folder_rate_hz(self) -> float | None:
        """Of the folders of frames that it learned from, where that was stated."""
        return self.provenance.get("folder_rate_hz")

    def trained(self) -> "Detector":
        """The detector, where it can learn and be saved.

        Raises:
            UsageError: If it is an exported one, which can only score.
        """
        return trained_of(self.detector)

    def calibrated(self) -> Calibration:
        """The calibration.

        Raises:
            CalibrationError: If there is none yet.
        """
        if self.calibration is None:
            raise CalibrationError(
                "the model has no calibration, so no score can be judged; "
                "run: oddwatch calibrate MODEL NORMAL_DATA"
            )
        return self.calibration

    def check_picture(self, size: tuple[int, int], where: str) -> None:
        """Refuse a source of another shape than the model learned on; another scale is fine.

        Raises:
            UsageError: If width to height differs by more than a tenth.
        """
        learned = self.provenance.get("source_size")
        if learned is not None:
            check_shape(size, (learned[0], learned[1]), where)

    @property
    def map_scale(self) -> MapScale | None:
        """Of the anomaly maps; None before calibration."""
        usual, high = self.provenance.get("map_usual"), self.provenance.get("map_high")
        return None if usual is None or high is None else MapScale(float(usual), float(high))


def check_shape(size: tuple[int, int], learned: tuple[int, int], where: str) -> None:
    """As `Model.check_picture`, for height and width of what was learned."""
    if not same_shape(size, learned):
        raise UsageError(
            f"{where} is {size[1]}x{size[0]}, the model learned on {learned[1]}x{learned[0]}: "
            "another shape of picture is another camera; train a model for it"
        )


def load_model(path: Path, device: str = "cpu") -> Model:
    """Read a model file of a video detector.

    Raises:
        SourceNotFoundError: If there is none.
        UsageError: If its detector judges still pictures.
        CheckpointError: If it is no whole model of this version.
        CalibrationError: If its calibration is damaged.
    """
    return video_model(read_checkpoint(path, device), path)


def video_model(saved: "Checkpoint | Exported", path: Path) -> Model:
    """What a file at `path` held, as a model for video; raises as `load_model`."""
    detector = detector_in(saved)
    if detector.kind != "video":
        raise UsageError(
            f"{path} holds {detector.name}, which judges still pictures; expected a model "
            "of a video detector (see: oddwatch detectors)"
        )
    try:
        plain = saved.calibration
        calibration = None if plain is None else Calibration.from_dict(plain)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    return Model(detector, saved.preset, calibration, saved.provenance)


def detector_in(saved: "Checkpoint | Exported") -> "Detector | Exported":
    """What scores, of what a file held."""
    return saved if isinstance(saved, Exported) else saved.detector


def read_checkpoint(path: Path, device: str = "cpu") -> "Checkpoint | Exported":
    """What a model file of `train` or `export` holds, whatever its detector.

    Raises:
        SourceNotFoundError: If there is none.
        CheckpointError: If it is no whole model of this version.
        UsageError: If it is an exported one and `device` is no CPU, or as `choose_device`.
        DeviceError: If an accelerator fails.
    """
    exported = read_export(path)
    if exported is not None:
        check_cpu(device, path)
        return exported
    _check_kind(path)
    try:
        import torch

        from models import checkpoint
        from monitor.runtimes.pytorch import told_of
    except ModuleNotFoundError as error:
        raise _torch_missing(path, error) from error
    there = torch.device(choose_device(device))
    try:
        with told_of(there):
            torch.zeros(1, device=there)  # a device that is broken fails here, not at the file
            return checkpoint.load(path, there)
    except FileNotFoundError:
        raise SourceNotFoundError(f"{path}: no such model file; train one with -o {path}") from None


def save_model(model: Model, path: Path) -> None:
    """Write a model file whole, or leave the old one as it was.

    Raises:
        StoreError: If it cannot be written.
    """
    calibration = None if model.calibration is None else model.calibration.to_dict()
    if isinstance(model.detector, Exported):
        write_export(with_calibration(model.detector, calibration, model.provenance), path)
        return
    from models.checkpoint import Checkpoint

    write_checkpoint(Checkpoint(model.detector, model.preset, calibration, model.provenance), path)


def write_checkpoint(content: "Checkpoint", path: Path) -> None:
    """Write a model file whole, making its folder; raises as `save_model`."""
    from models import checkpoint

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(content, path)
    except OSError as error:
        said = error.strerror or str(error).removeprefix(f"could not write {path}: ")
        raise StoreError(
            f"cannot write the model to {path}: {said}; what was there before is unchanged"
        ) from error


def check_writable(path: Path) -> None:
    """Find out before an hour of training, not after it, that the model cannot be saved.

    Raises:
        StoreError: If the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder; expected a file name")
        probe_folder(path.parent)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(
            f"cannot write a model to {path}: a file stands where its folder should be"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot write a model to {path}: {error.strerror or error}") from error


def versions() -> dict[str, str]:
    """What computed a result, for reports and provenance."""
    found = {
        "oddwatch": monitor.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    for name in ("torch", "openvino", "onnxruntime"):
        if name in sys.modules:  # what is not there has computed nothing
            found[name] = str(sys.modules[name].__version__)  # of a class of torch's own
    return found


def choose_device(asked: str) -> str:
    """`auto` is the GPU where there is one, and torch to use it.

    Raises:
        UsageError: If CUDA is asked for and there is none, or the name is not known.
    """
    if asked not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device {asked!r} is not known; known are auto, cpu, cuda")
    if asked == "cpu":
        return asked
    there = _has_cuda()
    if asked == "cuda" and not there:
        raise UsageError("device cuda was asked for, but torch finds no CUDA device here; use cpu")
    return "cuda" if there else "cpu"


def check_cpu(device: str, path: Path) -> None:
    """Refuse any other device for an exported model.

    Raises:
        UsageError: If it is no CPU.
    """
    if device not in ("auto", "cpu"):
        raise UsageError(
            f"{path} is an exported model, which runs on the CPU: expected --device auto or cpu, "
            f"got {device}; the model that it was exported from runs on cuda"
        )


def _has_cuda() -> bool:
    try:
        import torch
    except ModuleNotFoundError:
        return False
    return torch.cuda.is_available()


def _check_kind(path: Path) -> None:
    """Refuse what begins as no model file does, of which torch's reader says nothing telling."""
    if path.is_dir():
        came = "a folder"
    elif path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD)
        if head.startswith(BEGINNINGS):
            return
        came = "an empty file" if not head else "text" if _is_text(head) else "something else"
    else:
        return
    raise CheckpointError(
        f"{path}: expected a model file, as oddwatch train and export write them, got {came}; to "
        "make one, see oddwatch train --help"
    )


def _is_text(head: bytes) -> bool:
    return all(byte >= 9 for byte in head)  # as \t; a character may be cut at the end


def _torch_missing(path: Path, error: ModuleNotFoundError) -> Exception:
    """What is wrong with a trained model where there is nothing to run it."""
    if not path.exists():
        return SourceNotFoundError(f"{path}: no such model file")
    return UsageError(
        f"{path} is no exported model, and {error.name} is not installed here: expected a file of "
        "export; where there is torch, run: oddwatch export MODEL --to onnx"
    )
