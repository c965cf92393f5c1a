"""A detector on disk: plain values and tensors, read with `weights_only=True`, written whole.

The file holds name, preset, config, learned state, the state of an unfinished training, the
calibration (which this package carries but does not read) and the provenance. Never a class.
"""

import os
import pickle
import tempfile
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from models.detector import Detector
from models.errors import CheckpointError, OptionError, UnknownDetectorError

FORMAT = "oddwatch detector"
BROKEN = (  # what torch's reader raises on files that are cut short or are something else
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)
KEYS = ("name", "preset", "config", "fitted", "state", "training", "calibration", "provenance")
VERSION = 1  # of the file's layout; raised when older files can no longer be read


@dataclass
class Checkpoint:
    """What a model file holds: the detector, and what was noted beside it."""

    detector: Detector
    preset: str = "lite"
    calibration: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write the whole file or nothing: a crash or a full disk leaves the old one as it was.

    Raises:
        OSError: If the folder cannot be written or the disk is full.
    """
    detector = checkpoint.detector
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": detector.name,
        "preset": checkpoint.preset,
        "config": asdict(detector.config),
        "fitted": detector.fitted,
        "state": detector.state_dict(),
        "training": detector.training_state,
        "calibration": checkpoint.calibration,
        "provenance": checkpoint.provenance,
    }
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except RuntimeError as error:  # torch's writer turns a full disk into one of these
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        raise OSError(f"could not write {path}: {_brief(cause)}") from error
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read what `save` wrote; the detector comes back ready to score, or to go on learning.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is not a detector of this program and this version.
    """
    content = _read(path, device)
    detector = _build(content, path).to(device)
    learned = content["state"]
    for module_name, module in detector.named_modules():
        prefix = f"{module_name}." if module_name else ""
        for name, buffer in module.named_buffers(recurse=False):
            there = learned.get(prefix + name)
            if there is not None and there.shape != buffer.shape:
                setattr(module, name, there)  # how long a memory is, is learned too
    try:
        detector.load_state_dict(learned)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not hold the state of this version's {detector.name}: "
            f"{str(error).splitlines()[-1].strip()}; train it again"
        ) from error
    detector.fitted = bool(content["fitted"])
    detector.training_state = content["training"]
    detector.eval()
    return Checkpoint(detector, content["preset"], content["calibration"], content["provenance"])


def _read(path: Path, device: str | torch.device) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (FileNotFoundError, PermissionError):
        raise
    except pickle.UnpicklingError as error:
        if not (zipfile.is_zipfile(path) or _is_pickle(path)):
            raise CheckpointError(
                f"{path} is not a whole model file: expected one of `train -o`"
            ) from error
        raise CheckpointError(
            f"{path} holds pickled objects or is no model file; such a file could run any code "
            "when it is opened, so it is refused; oddwatch files hold plain values and tensors"
        ) from error
    except BROKEN as error:
        raise CheckpointError(f"{path} is not a whole model file: {_brief(error)}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} was not written by oddwatch; expected a file of `train -o`")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has file version {content.get('version')}, this program reads {VERSION}; "
            "train it again, or use the program that wrote it"
        )
    absent = [key for key in KEYS if key not in content]
    if absent:
        raise CheckpointError(
            f"{path} is not a whole model file: it lacks {', '.join(absent)}; train it again"
        )
    return content


def _build(content: dict[str, Any], path: Path) -> Detector:
    from models.registry import build  # the table imports every detector; kept out of `save`

    try:
        return build(content["name"], preset=None, **content["config"])
    except UnknownDetectorError as error:
        raise CheckpointError(f"{path} holds a detector unknown to this version: {error}") from None
    except OptionError as error:
        raise CheckpointError(f"{path} holds options unknown to this version: {error}") from None


def _is_pickle(path: Path) -> bool:
    """Whether it begins as pickles of today's protocols do."""
    with path.open("rb") as file:
        return file.read(1) == pickle.PROTO


def _brief(error: Exception) -> str:
    """The first sentence of what it says, or its name where it says nothing."""
    said = getattr(error, "strerror", None) or str(error)
    return (said.splitlines() or [type(error).__name__])[0].partition(". ")[0]
