"""A fitted detector as one ONNX graph: bytes of clips in; scores, maps and terms out.

What is traced is the detector's own `examine`, so no formula is written twice. Knows nothing of
runtimes, calibration or files.
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

from models.detector import Detector
from models.errors import ExportError, NotFittedError

INPUT = "clips"  # (B, T, C, H, W), bytes
MOST_CLIPS = 64  # in a batch; a bound that the tracer wants
REFUSED = {  # what no graph can say, and why
    "motion": "its flow is computed by OpenCV",
    "fusion": "its part motion computes flow by OpenCV",
    "inr": "it fits a network to every picture that it judges",
    "anogan": "it searches a latent for every picture that it judges",
    "cutpaste": "its map is made of gradients",
    "svdd": "the exporter has no operation for the distances of its kernel",
}


@dataclass(frozen=True, eq=False)
class Graph:
    """A detector in ONNX; its outputs are scores (B,), maps (B, H, W), then each term (B,)."""

    content: bytes
    terms: tuple[str, ...]
    batch: int | None  # clips that it takes at once; None: any number


class Whole(nn.Module):
    """From bytes to findings, as a function of tensors alone."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self._examine = inspect.unwrap(type(detector).examine)  # without its inference mode

    def forward(self, clips: Tensor) -> tuple[Tensor, ...]:
        """Scores, maps and terms of `clips`."""
        found = self._examine(self.detector, clips.float() / 255)
        outputs = (found.scores, found.maps, *found.terms.values())
        return tuple(output.float().clone() for output in outputs)  # none is another's alias


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
        NotFittedError: If it has learned nothing.
    """
    refuse_export(detector.name)
    if not detector.fitted:
        raise NotFittedError(f"{detector.name} was to be exported before fit() or load()")
    spec, whole = detector.spec, Whole(detector.eval().cpu())
    clips = torch.randint(256, (2, spec.length, spec.channels, *spec.size), dtype=torch.uint8)
    terms = tuple(detector.examine(clips[:1].float() / 255).terms)
    try:
        any_size, free = _traced(whole, clips, fixed=False)
        if free:
            return Graph(any_size, terms, None)
        one, _ = _traced(whole, clips[:1], fixed=True)
        return Graph(one, terms, 1)
    except ImportError as error:
        raise ExportError(
            f"{error.name} is not installed; to export models: pip install 'oddwatch[export]'"
        ) from error
    except Exception as error:
        raise ExportError(
            f"{detector.name} cannot be exported: {_reason(error)}; it runs on torch"
        ) from error


def _traced(whole: Whole, clips: Tensor, *, fixed: bool) -> tuple[bytes, bool]:
    """The graph, and whether it takes batches of any size."""
    shapes = None if fixed else ({0: torch.export.Dim("batch", min=1, max=MOST_CLIPS)},)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            whole, (clips,), dynamo=True, dynamic_shapes=shapes, verbose=False, input_names=[INPUT]
        )
    assert program is not None
    proto = program.model_proto
    batch = proto.graph.input[0].type.tensor_type.shape.dim[0]
    return proto.SerializeToString(), bool(batch.dim_param)


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
