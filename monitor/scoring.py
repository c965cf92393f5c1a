"""Clips in, readings out: batches, the device, the detector, and decoding ahead of it."""

import queue
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor

from models.detector import Detector
from monitor.clips import to_tensor
from monitor.records import Clip, Reading

Item = TypeVar("Item")

BATCH = 8  # clips; larger ones gain nothing on a CPU and cost memory
AHEAD = 16  # clips made ready before they are asked for: a keyframe's pause, not a memory


def score_clips(
    clips: Iterable[Clip],
    detector: Detector,
    *,
    batch: int = BATCH,
    maps: bool = False,
    most: int = 0,
) -> Iterator[Reading]:
    """A reading per clip, in order. `maps` keeps the anomaly maps with the readings.

    `most` clips, and a batch at least, are made ready in a thread of their own; 0: in this one.
    """
    device = device_of(detector)
    batches = _batches(clips, batch)
    if most:
        batches = ahead(batches, max(1, most // batch))
    for group, tensor in batches:
        yield from _score_group(group, tensor.to(device), detector, maps=maps)


def _batches(clips: Iterable[Clip], batch: int) -> Iterator[tuple[list[Clip], Tensor]]:
    stream = iter(clips)
    while group := list(islice(stream, batch)):
        yield group, to_tensor([clip.frames for clip in group])


def device_of(detector: Detector) -> torch.device:
    """Where its parameters and buffers lie; the CPU where it has none."""
    return next((value.device for value in detector.state_dict().values()), torch.device("cpu"))


def _score_group(
    group: list[Clip], batch: Tensor, detector: Detector, *, maps: bool
) -> Iterator[Reading]:
    with torch.inference_mode():
        findings = detector.examine(batch)
    scores = findings.scores.tolist()
    terms = {name: values.tolist() for name, values in findings.terms.items()}
    heat = findings.maps.float().cpu().numpy() if maps else None
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
