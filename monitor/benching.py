"""What this machine can carry: decoding, resizing and scoring, each measured, and all together.

Times are medians of short runs in this process, so whatever else runs falsifies them alike.
Imports no torch; a trained model brings it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from math import floor
from pathlib import Path
from statistics import median

from monitor.capture.pictures import analysed_size
from monitor.capture.records import CaptureSettings
from monitor.capture.ring import Head, Ring
from monitor.capture.stats import PictureMeter
from monitor.clips import cut_clips, prepared
from monitor.cpu import cores, has_bf16
from monitor.errors import MonitorError, SourceError
from monitor.footage import fit_size
from monitor.model import Model
from monitor.readings import readings_of
from monitor.records import Clip, Frame
from monitor.runtimes import Exported, Runtime, runtime_of
from monitor.runtimes.choosing import installed, make_runtime
from monitor.scoring import lanes_of
from monitor.sources import open_source
from monitor.sources.late import LateFrame
from monitor.stills.model import StillModel

FRAMES = 150  # decoded
CLIPS = 24  # scored, at most
SCORED_HZ = 2.0  # as live cameras are unless they are told otherwise
LONGEST_S = 5.0  # for one figure
SHARE = 0.8  # of the processors; the rest is for clips, the store and what else runs


@dataclass(frozen=True)
class Cost:
    """Of one frame or clip."""

    wall_s: float
    cpu_s: float  # of all threads of this process


@dataclass(frozen=True)
class Speed:
    """One runtime at one precision."""

    detector: str
    runtime: str
    precision: str
    watched_hz: float  # frames of a live camera that are looked at, the model's rate
    resize: Cost  # of such a frame, to the detector's size
    cost: Cost  # of a clip alone, as live
    failed: str = ""  # why there is no cost


@dataclass(frozen=True)
class Bench:
    """All that was measured."""

    video: str
    size: tuple[int, int]
    rate_hz: float
    cores: int
    decode: Cost  # of a frame
    watch: Cost  # of one that is looked at: converted, measured, and passed to the scoring process
    speeds: tuple[Speed, ...]
    end_to_end: Cost | None  # per frame of the video, by the model's own runtime; None: no model


def bench(model: Model | StillModel | None, video: Path, *, exports: bool = True) -> Bench:
    """Measure this machine with a video and a model; without one, with every video detector.

    Those have learned nothing, but cost what they cost; presets `lite`, at the video's shape.

    `exports`: they are also measured as exported, in fp32, bf16 and int8, where that can be done
    here; the last two only for their speed.

    Raises:
        SourceError: If the video cannot be read.
    """
    folder_rate_hz = model.provenance.get("folder_rate_hz") if model else None
    with open_source(str(video), folder_rate_hz=folder_rate_hz) as source:
        with closing(source.frames()) as stream:
            decode, frames = _decode(stream)
        if not frames:
            raise SourceError(f"{video}: expected a video with frames, found none")
        size, rate = source.size, source.rate_hz or 25.0
    watch = _watched(frames, size)
    models = _unlearned(size) if model is None else [model]
    speeds = tuple(
        speed for one in models for speed in _speeds(one, frames, rate, video, exports=exports)
    )
    whole = _end_to_end(model, video) if isinstance(model, Model) else None
    return Bench(video.name, size, rate, cores(), decode, watch, speeds, whole)


def cameras(found: Bench, speed: Speed, scored_hz: float, most_ms: float) -> int:
    """How many cameras like the video, each scored so often, this machine carries.

    Every frame of each is decoded, and looked at as often as the model learned; clips are of such
    frames. Bound by the processors, by the one scorer's own pace, and by `most_ms` from a frame's
    coming to its score if all cameras are due at once.
    """
    if speed.failed:
        return 0
    look_s = found.watch.cpu_s + speed.resize.cpu_s
    busy_s = found.rate_hz * found.decode.cpu_s + speed.watched_hz * look_s
    busy_s += scored_hz * speed.cost.cpu_s
    by_cores = SHARE * found.cores / busy_s
    by_scorer = SHARE / (scored_hz * speed.cost.wall_s)
    before_s = found.decode.wall_s + found.watch.wall_s + speed.resize.wall_s
    by_latency = (most_ms / 1e3 - before_s) / speed.cost.wall_s
    return max(0, floor(min(by_cores, by_scorer, by_latency)))


def _unlearned(size: tuple[int, int]) -> Iterator[Model]:
    """Every video detector there is, ready to be asked."""
    from models.detector import Detector
    from models.registry import DETECTORS, build, kind_of

    for name in DETECTORS:
        if kind_of(name).kind != "video":
            continue
        like = build(name).config
        fitting = fit_size(size, like.size) if hasattr(like, "size") else None
        detector = (build(name, size=fitting) if fitting else build(name)).eval()
        for part in detector.modules():
            if isinstance(part, Detector):
                part.fitted = True
        yield Model(detector)


def _speeds(
    model: Model | StillModel,
    frames: Sequence[Frame],
    rate_hz: float,
    video: Path,
    *,
    exports: bool,
) -> Iterator[Speed]:
    spec = model.detector.spec
    watched_hz = min(rate_hz, model.rate_hz or rate_hz if isinstance(model, Model) else rate_hz)
    resize = _cost([lambda f=f: prepared(f, spec) for f in frames])  # type: ignore[misc]
    apart = max(1, round(watched_hz / SCORED_HZ))  # neighbours would share their flows
    clips = list(islice(cut_clips(frames, spec), 0, CLIPS * apart, apart))
    if not clips:
        raise SourceError(f"{video}: {len(frames)} frames hold no clip of {spec.span}")
    for runtime, precision, make in _runtimes(model, clips, exports=exports):
        yield _speed((model.detector.name, runtime, precision), watched_hz, resize, make, clips)


def _watched(frames: Sequence[Frame], size: tuple[int, int]) -> Cost:
    """What is done with every frame of a live camera, but for what its detector takes."""
    analysed = analysed_size(size, CaptureSettings("bench", "").width)
    largest = max(analysed[0] * analysed[1], size[0] * size[1])
    meter, ring = PictureMeter(), Ring.private(2, 3 * largest)

    def look(frame: Frame) -> None:
        image = frame.shrunk(analysed, 3) if isinstance(frame, LateFrame) else frame.image
        stats = meter.measure(image, frame.time_s)
        ring.write(image, Head(0, frame.index, 0, frame.time_s, 0.0, analysed, stats))
        ring.latest()  # as the scoring process does

    cost = _cost([lambda f=f: look(f) for f in frames])  # type: ignore[misc]
    ring.close()
    return cost


def _decode(stream: Iterator[Frame]) -> tuple[Cost, list[Frame]]:
    wall, cpu = time.perf_counter(), time.process_time()
    frames = list(islice(stream, FRAMES))
    count = max(1, len(frames))
    return Cost((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count), frames


def _cost(acts: Sequence[Callable[[], object]]) -> Cost:
    """The median of some acts that do the same; the first of them is not counted."""
    acts[0]()
    walls, cpus = [], []
    began = time.perf_counter()
    for act in acts:
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
        if time.perf_counter() - began > LONGEST_S:
            break
    return Cost(median(walls), sum(cpus) / len(cpus))  # the CPU's clock may tick in 10 ms


def _speed(
    named: tuple[str, str, str],  # detector, runtime, precision
    watched_hz: float,
    resize: Cost,
    make: Callable[[], Runtime],
    clips: Sequence[Clip],
) -> Speed:
    try:
        runtime = make()

        def score(clip: Clip) -> object:
            return runtime.examine(runtime.batch([clip.frames]))

        cost = _cost([lambda clip=clip: score(clip) for clip in clips])  # type: ignore[misc]
    except MonitorError as error:
        return Speed(*named, watched_hz, resize, Cost(0, 0), str(error))
    return Speed(*named, watched_hz, resize, cost)


Way = tuple[str, str, Callable[[], Runtime]]  # runtime, precision, how to make it


def _runtimes(model: Model | StillModel, clips: Sequence[Clip], *, exports: bool) -> Iterator[Way]:
    detector = model.detector
    if isinstance(detector, Exported):
        yield from _of(detector)
        return
    yield "torch", "fp32", lambda: runtime_of(detector)
    if not exports:
        return
    for exported in _exports(model, clips):
        yield from _of(exported)


def _of(exported: Exported) -> Iterator[Way]:
    for name in installed(exported.facts):
        yield name, exported.facts.precision, lambda name=name: make_runtime(exported, name)  # type: ignore[misc]


def _exports(model: Model | StillModel, clips: Sequence[Clip]) -> Iterator[Exported]:
    """A trained model, exported for its speed alone; nothing where that cannot be done."""
    from models.errors import ModelError
    from monitor.exporting import in_bf16, quantised_for_speed, unquantised

    try:
        whole = unquantised(model, "onnx")
        yield whole
        if has_bf16() and whole.facts.graph != "none" and find_spec("openvino"):
            yield in_bf16(whole)
        yield quantised_for_speed(whole, [clip.frames for clip in clips])
    except (ModelError, MonitorError):
        return  # torch's own figure stands alone


def _end_to_end(model: Model, video: Path) -> Cost:
    with open_source(str(video), folder_rate_hz=model.folder_rate_hz) as source:
        runtime_of(model.detector, lanes_of(model.detector))  # made before the clock starts
        frames, wall, cpu = 0, time.perf_counter(), time.process_time()
        until = wall + 2 * LONGEST_S

        def counted() -> Iterator[Frame]:
            nonlocal frames
            with closing(source.frames()) as stream:
                for frame in stream:
                    if time.perf_counter() > until:
                        return
                    frames += 1
                    yield frame

        for _ in readings_of(counted(), model):
            pass
    count = max(1, frames)
    return Cost((time.perf_counter() - wall) / count, (time.process_time() - cpu) / count)
