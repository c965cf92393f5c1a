"""Exported detectors on the CPU: graphs by OpenVINO or ONNX Runtime, and what comes before them."""

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.cpu import cores, has_bf16
from monitor.errors import MonitorError, UsageError
from monitor.missing import to_have
from monitor.runtimes.exported import Exported, Facts
from monitor.runtimes.runtime import ClipFrames, Found
from monitor.runtimes.silent import load_onnxruntime, load_openvino

Bytes = NDArray[np.uint8]
Inputs = tuple[NDArray[Any], ...]  # of the graph: bytes (B, T, C, H, W), or what a prelude makes
Shapes = tuple[tuple[int, ...], ...]  # of inputs
Run = Callable[[Inputs], list[NDArray[Any]]]  # to the graph's outputs

MOST_SHAPES = 3  # of batches that a graph is compiled for: one picture, full batches, a last one
WHERE_IN_OPENVINO = re.compile(  # lines before the reason: where in its source it was noticed
    r"Exception from |Check '|FrontEnd API failed|Model wasn't fully converted|Summary:|"
    r".* failed at \S+:\d+:$"
)


class GraphError(MonitorError):
    """A runtime does not take a graph, or fails at it."""


class GraphRuntime:
    """A `Runtime` of an exported graph."""

    def __init__(self, name: str, run: Run, exported: Exported) -> None:
        self.name, self._run, self._facts = name, run, exported.facts
        self.precision = _computed_in(exported.facts)
        self._prelude = exported.prelude()

    def batch(self, clips: Sequence[ClipFrames]) -> Inputs:
        """The graph's inputs; what comes before it is done here, once for each frame."""
        for clip in clips:
            check_clip(clip, self._facts)
        if self._prelude is not None:
            return self._prelude.inputs(clips)
        frames = np.stack([frame for clip in clips for frame in clip])
        return (frames.reshape(len(clips), -1, *frames.shape[1:]),)

    def examine(self, batch: Any) -> Found:
        """Scores, maps and terms.

        Raises:
            GraphError: If the runtime fails, or the clips are none of this detector's.
        """
        inputs = batch if isinstance(batch, tuple) else self.batch(_clips(batch))
        count = len(inputs[0])
        most = self._facts.batch or count
        runs = [
            self._outputs(tuple(part[i : i + most] for part in inputs))
            for i in range(0, count, most)
        ]
        whole = [np.concatenate(part) for part in zip(*runs, strict=True)]
        return Found(whole[0], whole[1], dict(zip(self._facts.terms, whole[2:], strict=True)))

    def expected(self, batch: Any) -> NDArray[np.float32] | None:  # noqa: ARG002
        """None: an exported graph says how odd a clip is, not what was expected."""
        return None

    def _outputs(self, inputs: Inputs) -> list[NDArray[Any]]:
        try:
            return self._run(inputs)
        except RuntimeError as error:
            raise GraphError(f"{self.name} failed at a clip: {_first_line(error)}") from error


class TablesRuntime:
    """A `Runtime` of an exported detector that has no graph: `motion`, by OpenCV and numpy."""

    name = "opencv"

    def __init__(self, exported: Exported) -> None:
        self._facts = exported.facts
        self.precision = exported.facts.precision
        prelude = exported.prelude()
        assert prelude is not None
        self._prelude = prelude

    def batch(self, clips: Sequence[ClipFrames]) -> Sequence[ClipFrames]:
        """The clips themselves."""
        return clips

    def examine(self, batch: Any) -> Found:
        """Scores, maps and terms; raises as `GraphRuntime.examine`."""
        clips = _clips(batch) if isinstance(batch, np.ndarray) else batch
        for clip in clips:
            check_clip(clip, self._facts)
        found = self._prelude.examine(clips)
        return Found(found.scores, found.maps, dict(found.terms))

    def expected(self, batch: Any) -> NDArray[np.float32] | None:  # noqa: ARG002
        """None: it expects no picture."""
        return None


def _computed_in(facts: Facts) -> str:
    """A processor without bf16 computes what is for that in fp32."""
    return "fp32" if facts.precision == "bf16" and has_bf16() is False else facts.precision


def check_clip(clip: ClipFrames, facts: Facts) -> None:
    """Refuse a clip that the detector does not take.

    Raises:
        GraphError: If it is one.
    """
    spec = facts.spec
    wanted = (spec.channels, *spec.size)
    wrong = [frame for frame in clip if frame.shape != wanted or frame.dtype != np.uint8]
    if len(clip) != spec.length or wrong:
        first = wrong[0] if wrong else clip[0]
        raise GraphError(
            f"{facts.detector} takes clips of shape (B, {spec.length}, "
            f"{', '.join(map(str, wanted))}) of bytes, got {(1, len(clip), *first.shape)} of "
            f"{first.dtype}"
        )


def _clips(batch: Bytes) -> list[ClipFrames]:
    return [list(clip) for clip in batch]


def openvino_run(exported: Exported, threads: int | None = None, lanes: int = 1) -> Run:
    """By OpenVINO, in fp32, what is quantised in int8, and in bf16 where the model is for that.

    It may be called from as many threads at once as there are lanes, which share the cores.

    Raises:
        UsageError: If it is not installed, or cannot be imported.
        GraphError: If it does not take the graph.
    """
    try:
        openvino = load_openvino()
    except ImportError as error:
        raise _missing("openvino", error) from error
    settings = _settings(exported, threads, lanes)
    core = openvino.Core()
    parts: tuple[Any, ...] = exported.parts
    made: dict[Shapes | None, SimpleQueue[Any]] = {}

    def compiled(shapes: Shapes) -> SimpleQueue[Any]:
        """For pictures by the shape of their batch: up to a quarter is won; with videos nothing."""
        full = shapes not in made and len(made) >= MOST_SHAPES
        wanted = None if exported.kind == "video" or full else shapes  # None: any
        if wanted not in made:
            taken = graph.clone()
            if wanted is not None:
                taken.reshape(dict(zip(taken.inputs, wanted, strict=True)))
            made[wanted] = _requests(core.compile_model(taken, "CPU", settings), lanes)
        return made[wanted]

    spec = exported.spec
    try:
        graph = core.read_model(*parts)
        count = len(graph.outputs)
        _check_ends("openvino", exported.facts, len(graph.inputs), count)
        compiled(((1, spec.length, spec.channels, *spec.size),))
    except RuntimeError as error:
        raise GraphError(f"openvino does not take this export: {_first_line(error)}") from error

    def run(inputs: Inputs) -> list[NDArray[Any]]:
        free = compiled(tuple(part.shape for part in inputs))
        request = free.get()
        try:
            found = request.infer(list(inputs), share_inputs=True, share_outputs=True)
            return [np.array(found[i]) for i in range(count)]  # its own memory is written over
        finally:
            free.put(request)

    return run


def _settings(exported: Exported, threads: int | None, lanes: int) -> dict[str, Any]:
    precision = "bf16" if exported.facts.precision == "bf16" else "f32"  # f32 where there is none
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": lanes}
    settings["INFERENCE_PRECISION_HINT"] = precision
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    if lanes > 1:  # a lane that is tied to a core waits for the decoder there, while another idles
        settings["ENABLE_CPU_PINNING"] = False
    return settings


def _requests(compiled: Any, lanes: int) -> "SimpleQueue[Any]":
    """What a compiled model is asked by: one for each lane, as none takes two questions at once."""
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(lanes):
        free.put(compiled.create_infer_request())
    return free


def onnxruntime_run(exported: Exported, threads: int | None = None, lanes: int = 1) -> Run:
    """By ONNX Runtime on the CPU; raises as `openvino_run`."""
    try:
        onnxruntime = load_onnxruntime()
    except ImportError as error:
        raise _missing("onnxruntime", error) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of what it optimises away
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # see monitor.waiting
    if threads is not None or lanes > 1:
        options.intra_op_num_threads = max(1, (threads or cores()) - lanes + 1)  # callers share
    try:
        session = onnxruntime.InferenceSession(
            exported.parts[0], options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its own classes, which derive from nothing more telling
        raise GraphError(f"onnxruntime does not take this export: {_first_line(error)}") from error
    names = [taken.name for taken in session.get_inputs()]
    _check_ends("onnxruntime", exported.facts, len(names), len(session.get_outputs()))

    def run(inputs: Inputs) -> list[NDArray[Any]]:
        try:
            fed = dict(zip(names, inputs, strict=True))
            return [np.asarray(output) for output in session.run(None, fed)]
        except Exception as error:
            raise RuntimeError(_first_line(error)) from error

    return run


def _check_ends(name: str, facts: Facts, inputs: int, outputs: int) -> None:
    """Refuse a graph that is not the one its facts speak of; raises `GraphError`."""
    wanted = (1 if facts.prelude is None else 2, 2 + len(facts.terms))  # scores, maps and terms
    if (inputs, outputs) != wanted:
        raise GraphError(
            f"{name} finds {inputs} inputs and {outputs} outputs in the graph of {facts.detector}, "
            f"expected {wanted[0]} and {wanted[1]} by its model.json: export it again"
        )


def _missing(name: str, error: ImportError) -> UsageError:
    if find_spec(name):
        return UsageError(
            f"{name} is installed but cannot be imported: {_first_line(error)}; install it again"
        )
    return UsageError(f"runtime {name} needs {name}, not installed here: {to_have(name)}")


def _first_line(error: Exception) -> str:
    """The first line of what a runtime says that gives a reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reasons = (line for line in lines if not WHERE_IN_OPENVINO.match(line))
    return next(reasons, lines[0] if lines else repr(error))
