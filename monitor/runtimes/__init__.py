"""What computes scores: torch for trained models; OpenVINO or ONNX Runtime for exported ones.

One small interface (`Runtime`), behind which the rest of the program does not look. Importing it
brings neither torch nor any of the others: each is imported when a model needs it.
"""

from typing import TYPE_CHECKING

from monitor.computed import Computed
from monitor.errors import UsageError
from monitor.runtimes.exported import (
    Exported,
    Facts,
    read_export,
    with_calibration,
    write_export,
)
from monitor.runtimes.runtime import Found, Runtime, picture_of

if TYPE_CHECKING:
    from models.detector import Detector

__all__ = [
    "Exported",
    "Facts",
    "Found",
    "Runtime",
    "check_half",
    "check_runtime",
    "choose_runtime",
    "computed_by",
    "picture_of",
    "read_export",
    "runtime_of",
    "trained_of",
    "try_runtime",
    "with_calibration",
    "write_export",
]

NAMES = ("auto", "torch", "torch-half", "openvino", "onnxruntime", "opencv")


def runtime_of(detector: "Detector | Exported", lanes: int = 1) -> Runtime:
    """What computes a detector's scores; an exported one's is made at the first call.

    It may be asked for so many batches at a time as there are `lanes`.

    Raises:
        UsageError: If no runtime that takes the exported graph is installed.
    """
    if isinstance(detector, Exported):
        return detector.runtime(lanes)
    from monitor.runtimes.pytorch import torch_runtime

    return torch_runtime(detector)


def choose_runtime(detector: "Detector | Exported", name: str) -> None:
    """Have a detector's scores computed by the runtime of that name; `auto`: the fastest here.

    Raises:
        UsageError: If there is no such runtime, or it does not take this model.
    """
    if isinstance(detector, Exported):
        check_runtime(detector, name, "cpu")
        detector.choose(name)
        return
    from monitor.runtimes.pytorch import choose_half, device_of

    check_runtime(detector, name, device_of(detector).type)
    if name == "torch-half":
        choose_half(detector)


def check_runtime(detector: "Detector | Exported", name: str, device: str) -> None:
    """Refuse what `choose_runtime` would with the detector on that device, cpu or cuda; as it."""
    if name not in NAMES:
        raise UsageError(f"runtime {name!r} is not known; known are {', '.join(NAMES)}")
    if isinstance(detector, Exported):
        from monitor.runtimes.choosing import check_takes

        check_takes(detector.facts, name)
    elif name == "torch-half":
        check_half(device)
    elif name not in ("auto", "torch"):
        raise UsageError(
            f"a model of train runs on torch: for {name}, run oddwatch export MODEL --to "
            f"{'openvino' if name == 'openvino' else 'onnx'} and take what it writes"
        )


def check_half(device: str) -> None:
    """Refuse half precision where it does not compute; needs no torch.

    Raises:
        UsageError: If the device is no GPU.
    """
    if device != "cuda":
        raise UsageError(
            f"runtime torch-half computes on a CUDA device, got {device}: take runtime auto, or "
            "device cuda where there is one"
        )


def try_runtime(detector: "Detector | Exported", name: str, device: str) -> None:
    """Find out whether a detector would be computed so, without measuring or changing anything.

    Raises:
        UsageError: As `choose_runtime`, and as `runtime_of` would.
        GraphError: If the runtime does not take the exported graph.
    """
    check_runtime(detector, name, device)
    if isinstance(detector, Exported):
        from monitor.runtimes.choosing import try_made

        try_made(detector, name)


def computed_by(detector: "Detector | Exported") -> frozenset[Computed]:
    """What has computed its scores here; of an exported one nothing before the first."""
    if isinstance(detector, Exported):
        return frozenset(Computed(one.name, one.precision, "cpu") for one in detector.made)
    from monitor.runtimes.pytorch import device_of, torch_runtime

    runtime = torch_runtime(detector)
    return frozenset({Computed(runtime.name, runtime.precision, device_of(detector).type)})


def trained_of(detector: "Detector | Exported") -> "Detector":
    """The detector, where it can learn and be saved.

    Raises:
        UsageError: If it is an exported one.
    """
    if isinstance(detector, Exported):
        raise UsageError(
            f"an exported {detector.name} can score, and no more: expected the model of train "
            "that it was exported from"
        )
    return detector
