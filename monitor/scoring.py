"""Clips in, readings out: batches, the device, the detector, and decoding ahead of it."""

import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from monitor.records import Clip, Reading
from monitor.runtimes import Exported, Runtime, runtime_of

if TYPE_CHECKING:
    import torch

    from models.detector import Detector

Item = TypeVar("Item")

BATCH = 8  # clips; larger ones gain nothing on a CPU and cost memory
AHEAD = 16  # clips made ready before they are asked for: a keyframe's pause, not a memory


def score_clips(
    clips: Iterable[Clip],
    detector: "Detector | Exported",
    *,
    batch: int = BATCH,
    maps: bool = False,
    most: int = 0,
) -> Iterator[Reading]:
    """A reading per clip, in order. `maps` keeps the anomaly maps with the readings.

    `most` clips, and a batch at least, are made ready in a thread of their own; 0: in this one.
    """
    runtime = runtime_of(detector)
    batches = _batches(clips, runtime, batch)
    if most:
        batches = ahead(batches, max(1, most // batch))
    for group, ready in batches:
        yield from _score_group(group, ready, runtime, maps=maps)


def _batches(
    clips: Iterable[Clip], runtime: Runtime, batch: int
) -> Iterator[tuple[list[Clip], Any]]:
    stream = iter(clips)
    while group := list(islice(stream, batch)):
        yield group, runtime.batch([clip.frames for clip in group])


def device_of(detector: "Detector") -> "torch.device":
    """Where its parameters and buffers lie; the CPU where it has none."""
    from monitor.runtimes import pytorch

    return pytorch.device_of(detector)


def device_type(detector: "Detector | Exported") -> str:
    """What computes its scores, for reports: cpu or cuda."""
    return "cpu" if isinstance(detector, Exported) else device_of(detector).type


def parameters_of(detector: "Detector | Exported") -> int:
    """How many numbers its networks have learned."""
    if isinstance(detector, Exported):
        return detector.facts.parameters
    return sum(parameter.numel() for parameter in detector.parameters())


def _score_group(
    group: list[Clip], batch: Any, runtime: Runtime, *, maps: bool
) -> Iterator[Reading]:
    found = runtime.examine(batch)
    scores = found.scores.tolist()
    terms = {name: values.tolist() for name, values in found.terms.items()}
    heat = found.maps if maps else None
    for i, clip in enumerate(group):
        yield Reading(
            clip.target,
            scores[i],
            terms={name: values[i] for name, values in terms.items()},
            map=None if heat is None else heat[i],
        )


def ahead(items: Iterable[Item], most: int = AHEAD) -> Iterator[Item]:
    """The same items, made in a thread of their own while the consumer works.

    An error of the maker is raised here, in its place. When the consumer stops early the maker
    is told, and has ended when this generator is closed.
    """
    ready: queue.Queue[tuple[str, object]] = queue.Queue(maxsize=most)
    stop = threading.Event()
    maker = threading.Thread(target=_fill, args=(items, ready, stop), daemon=True)
    maker.start()
    try:
        while True:
            what, value = ready.get()
            if what == "end":
                return
            if what == "error":
                raise value  # type: ignore[misc]
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        maker.join()


def _fill(
    items: Iterable[Item], ready: "queue.Queue[tuple[str, object]]", stop: threading.Event
) -> None:
    def put(what: str, value: object) -> bool:
        while not stop.is_set():
            try:
                ready.put((what, value), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    try:
        for item in items:
            if not put("item", item):
                return
        put("end", None)
    except BaseException as error:  # noqa: BLE001  handed over, raised by the consumer
        put("error", error)
