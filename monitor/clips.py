"""Frames in, clips out: the one place that knows how a stream becomes a detector's input.

Knows nothing of detectors beyond their `ClipSpec`, nor where frames come from.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, pairwise
from math import inf
from operator import ge
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.records import Clip, Frame
from monitor.sources.late import GrayFrame, LateFrame, three_channels
from monitor.sources.opencv import load_cv2
from monitor.sources.resample import DueTimes

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MAX_GAP_S = 1.0  # a longer silence within a clip would look like a leap of everything in it
LOST_STEPS = 2.5  # of a clock: one frame that is lost is made up for, two are a leap
GAP_FRAMES = 3.0  # of a slow source: a time lapse of a frame every two seconds has no gaps
PEEKED = 16  # frames by which a source's rate is told; with them a clip is late once, not ever
FASTER = 1.2  # a source so many times faster than the model learned is thinned; less is not seen
CLEARLY_FASTER, CLEARLY_SLOWER = 1.25, 1.1  # by which a source that changes its pace is told


def gap_s(rate_hz: float | None) -> float:
    """The longest silence that a clip of a source of this rate may span."""
    return MAX_GAP_S if not rate_hz else max(MAX_GAP_S, GAP_FRAMES / rate_hz)


def at_rate(frames: Iterable[Frame], wanted_hz: float | None) -> Iterator[Frame]:
    """Frames of one source, resampled while they come over 1.2 times as often as a model learned.

    How often they come is told by their clock, of the first 16 and then of the last 16: what a
    camera or a file says of itself is often wrong, and a camera that leaves its night mode comes
    to another pace. None: all are taken.
    """
    if wanted_hz is None:
        yield from frames
        return
    stream = iter(frames)
    first = list(islice(stream, PEEKED))
    pace, due = _Pace([frame.time_s for frame in first], wanted_hz), DueTimes(wanted_hz)
    together = enumerate(chain(first, stream))
    del first
    for number, frame in together:
        if number >= PEEKED:
            pace.feed(frame.time_s)
        if not pace.fast:
            due.begin(frame)
        elif not due.keeps(frame):
            continue
        yield frame


class _Pace:
    """Whether a source comes faster than a model learned, by its last frames.

    Told once, it stays so until the pace has clearly changed: a steady source near the bound is
    not now thinned and now not. A gap among many frames makes no source slow, which the usual step
    tells, nor do frames two by two make it so, which the mean tells.
    """

    def __init__(self, times_s: Sequence[float], wanted_hz: float) -> None:
        self._times_s = deque(times_s, maxlen=PEEKED)
        self._wanted_hz = wanted_hz
        self.fast = clock_hz(times_s, gap_s(wanted_hz)) > FASTER * wanted_hz

    def feed(self, time_s: float) -> None:
        """The time of the next frame."""
        self._times_s.append(time_s)
        sound = _steps(self._times_s, gap_s(self._wanted_hz))
        mean_hz = len(sound) / sum(sound) if sound else 0.0
        if not self.fast:
            self.fast = mean_hz > CLEARLY_FASTER * self._wanted_hz
        elif mean_hz < CLEARLY_SLOWER * self._wanted_hz:
            usual_s = sorted(sound)[len(sound) // 2] if sound else inf
            self.fast = usual_s * CLEARLY_SLOWER * self._wanted_hz < 1


def clock_hz(times_s: Sequence[float], longest_s: float = MAX_GAP_S) -> float:
    """How many frames come per second, gaps left out; 0: cannot be told."""
    sound = _steps(times_s, longest_s)
    return len(sound) / sum(sound) if sound else 0.0


def _steps(times_s: Iterable[float], longest_s: float) -> list[float]:
    steps = (after - before for before, after in pairwise(times_s))
    return [step for step in steps if 0 < step <= longest_s]


def prepare(image: NDArray[np.uint8], spec: ClipSpec) -> NDArray[np.uint8]:
    """A picture, (H, W, 3) or (H, W), at the detector's size and in its channels, (C, H, W).

    Area averaging, so that small things fade instead of flickering as they do with sampling.
    """
    cv2 = load_cv2()
    height, width = spec.size
    if spec.channels == 1 and image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.shape[:2] != spec.size:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if spec.channels == 3 and image.ndim == 2:
        image = three_channels(image)
    return _planes(image)


def prepared(frame: Frame, spec: ClipSpec) -> NDArray[np.uint8]:
    """`prepare` of a frame; a larger one of a decoder is shrunk while it is converted.

    In gray that costs a tenth, in colour a third to a half, of a gray picture a third, and it
    differs by rounding.
    """
    if isinstance(frame, LateFrame | GrayFrame) and all(map(ge, frame.size, spec.size)):
        return _planes(frame.shrunk(spec.size, spec.channels))
    return prepare(frame.plane if isinstance(frame, GrayFrame) else frame.image, spec)


def _planes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[None] if image.ndim == 2 else image.transpose(2, 0, 1))


class Silences:
    """Tells of each step of a source's clock whether a clip may span it.

    Not where more than one frame is lost, of the rate that a model learned or of the source's own
    usual one if that is slower: to the model all in the clip would leap. `gap_s` is the most.
    """

    def __init__(self, rate_hz: float | None) -> None:
        self._most_s = gap_s(rate_hz)
        self._least_s = self._most_s if not rate_hz else LOST_STEPS / rate_hz
        self._steps_s: deque[float] = deque(maxlen=PEEKED - 1)

    def spans(self, step_s: float) -> bool:
        """Of the next step; the first ones tell what is usual."""
        if step_s < 0:
            return False
        usual_s = sorted(self._steps_s)[len(self._steps_s) // 2] if self._steps_s else self._most_s
        self._steps_s.append(step_s)
        return step_s <= min(self._most_s, max(self._least_s, LOST_STEPS * usual_s))


def cut_clips(
    frames: Iterable[Frame], spec: ClipSpec, rate_hz: float | None = None
) -> Iterator[Clip]:
    """The clips of one source's frames, for a model that learned at that rate; see `ClipCutter`."""
    cutter = ClipCutter(spec, Silences(rate_hz).spans)
    for frame in frames:
        clip = cutter.feed(frame)
        if clip is not None:
            yield clip


class ClipCutter:
    """Slides a window over one source's frames; a clip as soon as its newest frame is there.

    A gap, a clock that runs backwards or a new epoch starts the window anew, so no clip spans any
    of them. `spans` says of each step between two frames whether it is no gap. It is judged by the
    frames' own clock: a replayed file behaves like the camera that it was recorded from.
    """

    def __init__(self, spec: ClipSpec, spans: Callable[[float], bool]) -> None:
        self._spec = spec
        self._spans = spans
        self._planes: deque[NDArray[np.uint8]] = deque(maxlen=spec.span)
        self._frames: deque[Frame] = deque(maxlen=spec.delay + 1)  # from the target to the newest

    def feed(self, frame: Frame, planes: NDArray[np.uint8] | None = None) -> Clip | None:
        """Take the next frame, and its `planes` where they are made; the clip that it completes."""
        window, frames, spec = self._planes, self._frames, self._spec
        if frames and not self._follows(frames[-1], frame):
            window.clear()
        frames.append(frame)
        window.append(prepared(frame, spec) if planes is None else planes)
        if len(window) < spec.span:
            return None
        return Clip(tuple(window[i] for i in range(0, spec.span, spec.stride)), frames[0])

    def _follows(self, last: Frame, frame: Frame) -> bool:
        return frame.epoch == last.epoch and self._spans(frame.time_s - last.time_s)


def to_tensor(
    clips: Sequence[Sequence[NDArray[np.uint8]]], device: "str | torch.device" = "cpu"
) -> "Tensor":
    """A batch (B, T, C, H, W), float32 in [0, 1], on that device; not to be written to.

    To an accelerator go each frame's bytes, once, from pinned memory, while the caller goes on; all
    else is done there.

    A frame that several clips hold, as those of a sliding window do, is converted once, and where
    each clip is one frame on from the last they share its memory: without that, the batches of
    fusion, 17 frames each, cost a third of what its networks do.
    """
    import torch  # exported models are scored where there is none

    frames = {id(frame): frame for clip in clips for frame in clip}
    bytes_ = torch.from_numpy(np.stack(list(frames.values())))
    if torch.device(device).type == "cuda":
        bytes_ = bytes_.pin_memory()
    levels = bytes_.to(device, non_blocking=True) / 255
    B, T = len(clips), len(clips[0])
    if len(frames) == B * T:
        return levels.reshape(B, T, *levels.shape[1:])
    order = {key: place for place, key in enumerate(frames)}
    places = torch.tensor([[order[id(frame)] for frame in clip] for clip in clips])
    if torch.equal(places, torch.arange(B)[:, None] + torch.arange(T)):
        return levels.unfold(0, T, 1).movedim(-1, 1)
    return levels[places.to(device)]
