"""Exported graphs on the CPU, by OpenVINO or ONNX Runtime."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import MonitorError, UsageError
from monitor.runtimes.exported import Exported, Facts
from monitor.runtimes.runtime import ClipFrames, Found

Bytes = NDArray[np.uint8]
Run = Callable[[Bytes], list[NDArray[Any]]]  # (B, T, C, H, W) to the graph's outputs

EXTRA = "pip install 'oddwatch[edge]'"


class GraphError(MonitorError):
    """A runtime does not take a graph, or fails at it."""


class GraphRuntime:
    """A `Runtime` of an exported graph."""

    def __init__(self, name: str, run: Run, facts: Facts) -> None:
        self.name, self._run, self._facts = name, run, facts

    def batch(self, clips: Sequence[ClipFrames]) -> Bytes:
        """Bytes (B, T, C, H, W)."""
        return np.stack([np.stack(list(clip)) for clip in clips])

    def examine(self, batch: Any) -> Found:
        """Scores, maps and terms.

        Raises:
            GraphError: If the runtime fails.
        """
        clips = self._checked(batch)
        most = self._facts.batch or len(clips)
        runs = [self._outputs(clips[i : i + most]) for i in range(0, len(clips), most)]
        whole = [np.concatenate(part) for part in zip(*runs, strict=True)]
        return Found(whole[0], whole[1], dict(zip(self._facts.terms, whole[2:], strict=True)))

    def expected(self, batch: Any) -> NDArray[np.float32] | None:  # noqa: ARG002
        """None: an exported graph says how odd a clip is, not what was expected."""
        return None

    def _checked(self, batch: Any) -> Bytes:
        spec = self._facts.spec
        wanted = (spec.length, spec.channels, *spec.size)
        clips = np.asarray(batch)
        if clips.dtype != np.uint8 or clips.shape[1:] != wanted:
            raise GraphError(
                f"{self._facts.detector} takes clips of shape (B, {', '.join(map(str, wanted))}) "
                f"of bytes, got {clips.shape} of {clips.dtype}"
            )
        return clips

    def _outputs(self, clips: Bytes) -> list[NDArray[Any]]:
        try:
            return self._run(clips)
        except RuntimeError as error:
            raise GraphError(f"{self.name} failed at a clip: {_first_line(error)}") from error


def openvino_run(exported: Exported, threads: int | None = None) -> Run:
    """By OpenVINO, at full precision where the graph is not quantised.

    Raises:
        UsageError: If it is not installed.
        GraphError: If it does not take the graph.
    """
    try:
        import openvino
    except ImportError as error:
        raise _missing("openvino") from error
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        core = openvino.Core()
        parts: tuple[Any, ...] = exported.parts
        graph = core.read_model(*parts)
        compiled = core.compile_model(graph, "CPU", settings)
    except RuntimeError as error:
        raise GraphError(f"openvino does not take this export: {_first_line(error)}") from error
    count = len(compiled.outputs)

    def run(clips: Bytes) -> list[NDArray[Any]]:
        found = compiled(clips, share_inputs=True, share_outputs=True)
        return [np.array(found[i]) for i in range(count)]  # its own memory is written over

    return run


def onnxruntime_run(exported: Exported, threads: int | None = None) -> Run:
    """By ONNX Runtime on the CPU; raises as `openvino_run`."""
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of what it optimises away
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(
            exported.parts[0], options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own classes, which derive from nothing more telling
        raise GraphError(f"onnxruntime does not take this export: {_first_line(error)}") from error
    name = session.get_inputs()[0].name

    def run(clips: Bytes) -> list[NDArray[Any]]:
        try:
            return [np.asarray(output) for output in session.run(None, {name: clips})]
        except Exception as error:
            raise RuntimeError(_first_line(error)) from error

    return run


def _missing(name: str) -> UsageError:
    return UsageError(f"{name} is not installed; to run exported models: {EXTRA}")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
