"""A fitted detector as one ONNX graph: bytes of clips in; scores, maps and terms out.

What is traced is the detector's own `examine`, so no formula is written twice. What is no tensor's
work, such as the flow of `motion`, stays outside, in `models.prelude`.
Knows nothing of runtimes, calibration or files.
"""

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.detector import Detector, Findings
from models.detectors.fusion import Fusion
from models.detectors.motion import Motion
from models.errors import ExportError, NotFittedError
from models.prelude import Prelude
from models.spec import ClipSpec

INPUT = "clips"  # (B, T, C, H, W), bytes
AFTER_PRELUDE = ("frames", "motion")  # see `Prelude.inputs`
MOST_CLIPS = 64  # in a batch; a bound that the tracer wants
REFUSED = {  # what no graph can say, and why
    "inr": "it fits a network to every picture that it judges",
    "anogan": "it searches a latent for every picture that it judges",
}


@dataclass(frozen=True, eq=False)
class Graph:
    """A detector in ONNX; its outputs are scores (B,), maps (B, H, W), then each term (B,).

    Where there is a prelude, the graph takes what that makes of clips; without content, the prelude
    is all there is.
    """

    content: bytes
    terms: tuple[str, ...]
    batch: int | None  # clips that it takes at once; None: any number
    prelude: Prelude | None = None


class Whole(nn.Module):
    """From bytes to findings, as a function of tensors alone."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self._examine = inspect.unwrap(type(detector).examine)  # without its inference mode

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        """Scores, maps and terms of `clips`."""
        return _outputs(self._examine(self.detector, clips.float() / 255))


class Joined(nn.Module):
    """From what a prelude makes of clips to findings."""

    def __init__(self, detector: Fusion) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, frames: Tensor, motion: Tensor) -> tuple[Tensor, ...]:
        """Scores, maps and terms."""
        return _outputs(self.detector.joined(frames, motion))


def _outputs(found: Findings) -> tuple[Tensor, ...]:
    """None is another's alias."""
    outputs = (found.scores, found.maps, *found.terms.values())
    return tuple(output.float().clone() for output in outputs)


def refuse_export(name: str) -> None:
    """Refuse a detector that cannot be exported.

    Raises:
        ExportError: If it is one.
    """
    if name in REFUSED:
        raise ExportError(f"{name} cannot be exported: {REFUSED[name]}; it runs on torch")


def to_onnx(detector: Detector) -> Graph:
    """The graph of a fitted detector, on the CPU, for batches of any size where it has no loop.

    Raises:
        ExportError: If it cannot be traced.
        ImportError: If onnx or onnxscript is not installed.
        NotFittedError: If it has learned nothing.
    """
    refuse_export(detector.name)
    if not detector.fitted:
        raise NotFittedError(f"{detector.name} was to be exported before fit() or load()")
    detector, prelude = detector.eval().cpu(), _prelude(detector)
    spec = detector.spec
    noise = torch.rand(1, spec.length, spec.channels, *spec.size)
    terms = tuple(detector.examine(noise).terms)
    if isinstance(detector, Motion):
        return Graph(b"", terms, None, prelude)
    try:
        any_size, free = _traced(detector, fixed=False)
        if free:
            return Graph(any_size, terms, None, prelude)
        one, _ = _traced(detector, fixed=True)
        return Graph(one, terms, 1, prelude)
    except ImportError:
        raise  # whoever asks for it knows what brings the package
    except Exception as error:
        raise ExportError(
            f"{detector.name} cannot be exported: {_reason(error)}; it runs on torch"
        ) from error


def _prelude(detector: Detector) -> Prelude | None:
    if isinstance(detector, Motion):
        return Prelude(detector.judge)
    if not isinstance(detector, Fusion):
        return None
    motion, network = (detector.parts[name] for name in ("motion", "frame_prediction"))
    assert isinstance(motion, Motion)
    assert isinstance(network, Detector)
    return Prelude(motion.judge, network.spec)


def _traced(detector: Detector, *, fixed: bool) -> tuple[bytes, bool]:
    """The graph, and whether it takes batches of any size."""
    whole, inputs = _example(detector, 1 if fixed else 2)
    batch = torch.export.Dim("batch", min=1, max=MOST_CLIPS)
    shapes = None if fixed else tuple({0: batch} for _ in inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            whole,
            tuple(inputs.values()),
            dynamo=True,
            dynamic_shapes=shapes,
            verbose=False,
            input_names=list(inputs),
        )
    assert program is not None
    proto = program.model_proto
    size = proto.graph.input[0].type.tensor_type.shape.dim[0]
    return proto.SerializeToString(), bool(size.dim_param)


def _example(detector: Detector, count: int) -> tuple[nn.Module, dict[str, Tensor]]:
    """What is traced, and noise for its inputs, so many clips."""
    if not isinstance(detector, Fusion):
        spec = detector.spec
        shape = (count, spec.length, spec.channels, *spec.size)
        return Whole(detector), {INPUT: torch.randint(256, shape, dtype=torch.uint8)}
    network, motion = (detector.parts[name].spec for name in ("frame_prediction", "motion"))
    assert isinstance(network, ClipSpec)
    assert isinstance(motion, ClipSpec)
    frames = torch.rand(count, network.length, network.channels, *network.size)
    inputs = (frames, torch.rand(count, *motion.size))
    return Joined(detector), dict(zip(AFTER_PRELUDE, inputs, strict=True))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks at length to whoever developed the network."""
    loud = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)


def _reason(error: Exception) -> str:
    """The innermost cause, in one line; the exporter wraps it in pages."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[0] if lines else ''}"
