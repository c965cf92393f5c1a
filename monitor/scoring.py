"""Clips in, readings out: batches, the device, the detector, and decoding ahead of it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from monitor.ahead import ahead
from monitor.cpu import cores
from monitor.records import Clip, Reading
from monitor.runtimes import Exported, Found, Runtime, runtime_of

if TYPE_CHECKING:
    import torch

    from models.detector import Detector

BATCH = 8  # clips; larger ones gain nothing on a CPU and cost memory
ON_ACCELERATOR = 2  # batches at a time: one is computed while the other comes and goes
LANES = 8  # batches at a time, at most: decoding is the slower half long before


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
    Batches of more than one clip, whose readings may wait for each other, are examined side by
    side on a CPU where the detector bears it.
    """
    lanes = lanes_of(detector) if most and batch > 1 else 1
    runtime = runtime_of(detector, lanes)
    batches = _batches(clips, runtime, batch)
    if most:
        batches = ahead(batches, max(1, most // batch))
    with closing(batches), ExitStack() as stack:
        pool = None if lanes == 1 else stack.enter_context(_pool(detector, lanes))
        for group, found in _examined(batches, runtime, pool, lanes):
            yield from _readings(group, found, maps=maps)


def _examined(
    batches: Iterable[tuple[list[Clip], Any]],
    runtime: Runtime,
    pool: ThreadPoolExecutor | None,
    lanes: int,
) -> Iterator[tuple[list[Clip], Found]]:
    if pool is None:
        yield from ((group, runtime.examine(ready)) for group, ready in batches)
        return
    under_way: deque[tuple[list[Clip], Future[Found]]] = deque()
    for group, ready in batches:
        under_way.append((group, pool.submit(runtime.examine, ready)))
        if len(under_way) > lanes:
            first, found = under_way.popleft()
            yield first, found.result()
    for first, found in under_way:
        yield first, found.result()


@contextmanager
def _pool(detector: "Detector | Exported", lanes: int) -> Iterator[ThreadPoolExecutor]:
    """A thread for each lane; those of a graph share the cores since it was compiled."""
    with nullcontext() if isinstance(detector, Exported) else _torch_shared(lanes) as begin:
        pool = ThreadPoolExecutor(lanes, thread_name_prefix="lane", initializer=begin)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _torch_shared(lanes: int) -> Iterator[Callable[[], None]]:
    """What a lane begins with, so that each computes on its share of torch's threads."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield partial(torch.set_num_threads, max(1, threads // lanes))
    finally:
        torch.set_num_threads(threads)  # of threads to come: what a lane sets they begin with


def _batches(
    clips: Iterable[Clip], runtime: Runtime, batch: int
) -> Generator[tuple[list[Clip], Any]]:
    stream = iter(clips)
    while group := list(islice(stream, batch)):
        yield group, runtime.batch([clip.frames for clip in group])


def device_of(detector: "Detector") -> "torch.device":
    """Where its parameters and buffers lie; the CPU where it has none."""
    from monitor.runtimes import pytorch

    return pytorch.device_of(detector)


def parameters_of(detector: "Detector | Exported") -> int:
    """How many numbers its networks have learned."""
    if isinstance(detector, Exported):
        return detector.facts.parameters
    return sum(parameter.numel() for parameter in detector.parameters())


def lanes_of(detector: "Detector | Exported") -> int:
    """How many batches it examines at a time.

    A small network split over all cores waits at every layer for the slowest of them; as many
    batches as there are cores, each on one of its own, get a third more done.
    """
    if isinstance(detector, Exported):
        return min(LANES, cores()) if detector.facts.graph != "none" else 1
    if not detector.concurrent:
        return 1
    import torch

    on_cpu = device_of(detector).type == "cpu"
    return min(LANES, torch.get_num_threads()) if on_cpu else ON_ACCELERATOR


def _readings(group: list[Clip], found: Found, *, maps: bool) -> Iterator[Reading]:
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
