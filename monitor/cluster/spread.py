"""Footage over workers: the readings of videos from many processes, in order, as from one.

`Spread` stands in for the local reading of videos in `monitor.scored`; everything after the
readings is computed there, as without a cluster.
"""

import hashlib
import logging
import os
import platform
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from monitor.cluster.pieces import Kept, Piece, Scores, cut, is_exact, score_piece, whole
from monitor.cluster.workers import RETRIES, How, Post, start, unseen
from monitor.datasets import Video
from monitor.errors import ClusterError, DeviceError, MonitorError, SourceNotFoundError
from monitor.model import Model, load_model, versions
from monitor.records import Reading
from monitor.runtimes.graphs import GraphError
from monitor.tally import Count

log = logging.getLogger(__name__)

PER_WORKER = 2  # pieces that a worker has before it: none waits for the next order
AHEAD = 4  # pieces per worker that may be ready before their turn


class Worker:
    """One detector in a process of its own."""

    def __init__(self, post: Post, model: bytes, name: str, runtime: str) -> None:
        import tempfile

        import torch

        from monitor.runtimes import choose_runtime

        torch.set_num_threads(post.threads)
        self._problem: MonitorError | None = None
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / name
                path.write_bytes(model)
                self._model = load_model(path, post.device)
            choose_runtime(self._model.detector, runtime)
        except (DeviceError, GraphError) as error:
            self._problem = _here(error)
        if problem := post.problem():
            self._problem = ClusterError(problem)

    def score(self, piece: Piece) -> "Scores | MonitorError":
        """An error comes back as a value: only the death of the worker is to be retried."""
        if self._problem is not None:
            return self._problem
        try:
            return score_piece(piece, self._model)
        except SourceNotFoundError:
            return ClusterError(unseen(piece.path))  # whoever asks has seen it
        except (DeviceError, GraphError) as error:
            return _here(error)
        except MonitorError as error:
            return error

    def pid(self) -> int:
        """Of its process."""
        return os.getpid()


def _here(error: DeviceError | GraphError) -> DeviceError | GraphError:
    return type(error)(f"node {platform.node()}: {error}")


@dataclass(eq=False)
class _Video:
    pieces: list[Piece]
    done: dict[int, Scores | MonitorError] = field(default_factory=dict)
    waiting: deque[Piece] = field(init=False)  # to be handed out

    def __post_init__(self) -> None:
        self.waiting = deque(self.pieces)


class Spread:
    """The readings of some videos, made by workers. Close it at the end."""

    def __init__(
        self,
        ray: ModuleType,
        path: Path,
        model: Model,
        videos: Sequence[Video],
        *,
        how: How,
        kept: Path,
    ) -> None:
        self._ray = ray
        content = path.read_bytes()
        run = hashlib.sha256(content).hexdigest() + repr((how.device, how.runtime, versions()))
        self._kept = Kept(kept, run)
        self._model = model
        self._videos: dict[str, _Video | None] = {video.name: None for video in videos}
        self._order = list(videos)
        self._content = ray.put(content)  # held: who is started again is given it again
        self._workers = start(ray, Worker, how, self._content, path.name, how.runtime)
        self._out: dict[Any, tuple[str, Piece, int]] = {}  # reference -> video, piece, worker
        self._busy = dict.fromkeys(range(len(self._workers)), 0)  # pieces that each well one has

    def close(self, *, done: bool) -> None:
        """Let the workers go; `done` forgets what was kept for another attempt."""
        for worker in self._busy:
            self._ray.kill(self._workers[worker])
        if done:
            self._kept.clear()

    def __call__(
        self,
        video: Video,
        model: Model,  # noqa: ARG002  the workers have it
        seen: Count,
        *,
        maps: bool,
    ) -> Iterator[Reading]:
        """As `monitor.scored.look` gives them: the same values in the same order."""
        try:
            yield from self._readings(video, seen, maps=maps)
        finally:
            self._order = [other for other in self._order if other.name != video.name]
            self._drop(video.name)

    def _readings(self, video: Video, seen: Count, *, maps: bool) -> Iterator[Reading]:
        state = self._planned(video, maps=maps)
        frames: int | None = video.n_frames
        given = 0
        for piece in state.pieces:
            found = self._wait_for(video.name, piece)
            if not is_exact(piece, found):
                log.info("%s: scored as a whole, frames of it cannot be read", video.name)
                found = self._do_whole(video.name, piece)
                frames = found.frames
                self._note(video, found)
                seen.computed |= found.computed
                yield from islice(found.readings(), given, None)
                break
            if piece.taken is None:
                frames = found.frames
                self._note(video, found)
            seen.computed |= found.computed
            yield from found.readings()
            given += len(found.index)
        seen.frames = frames or 0

    @staticmethod
    def _note(video: Video, found: Scores) -> None:
        video.source.corrupt += [x for x in found.lost if x not in video.source.corrupt]
        video.source.notes += [x for x in found.notes if x not in video.source.notes]

    def _planned(self, video: Video, *, maps: bool) -> _Video:
        state = self._videos.get(video.name)
        if state is None:
            state = self._videos[video.name] = _Video(cut(video, self._model, maps=maps))
        return state

    def _wait_for(self, name: str, piece: Piece) -> Scores:
        state = self._videos[name]
        assert state is not None
        while piece.number not in state.done:
            self._hand_out()
            self._collect()
        found = state.done.pop(piece.number)
        if isinstance(found, MonitorError):
            raise found
        return found

    def _do_whole(self, name: str, piece: Piece) -> Scores:
        """Instead of what is left of its pieces."""
        self._drop(name)
        self._videos[name] = _Video([whole(piece)])
        return self._wait_for(name, whole(piece))

    def _drop(self, name: str) -> None:
        """Nobody asks any more for what waits of a video, is under way or is ready."""
        self._videos[name] = None
        for reference, (video, _, worker) in list(self._out.items()):
            if video == name:
                del self._out[reference]
                if worker in self._busy:  # else it was the last, and let go
                    self._busy[worker] -= 1

    def _hand_out(self) -> None:
        """The next pieces in order, to the workers that have the least to do."""
        while True:
            worker = min(self._busy, key=self._busy.__getitem__)
            ready = sum(len(state.done) for state in self._videos.values() if state)
            room = len(self._out) + ready < AHEAD * len(self._busy)
            if self._busy[worker] >= PER_WORKER or not (room or not self._out):
                return
            found = self._next()
            if found is None:
                return
            name, state, piece = found
            kept = self._kept.get(piece)
            if kept is not None:
                state.done[piece.number] = kept
                return
            reference = self._workers[worker].score.remote(piece)
            self._out[reference] = name, piece, worker
            self._busy[worker] += 1

    def _next(self) -> tuple[str, _Video, Piece] | None:
        for video in self._order:
            try:
                state = self._planned(video, maps=video.masks is not None)
            except MonitorError:  # it will be said when its turn comes
                continue
            if state.waiting:
                return video.name, state, state.waiting.popleft()
        return None

    def _collect(self) -> None:
        if not self._out:
            return
        ready, _ = self._ray.wait(list(self._out), num_returns=1, timeout=1.0)
        for reference in ready:
            name, piece, worker = self._out[reference]
            found = self._result(reference, piece)
            if isinstance(found, DeviceError | GraphError):
                self._let_go(worker, found)
                continue
            del self._out[reference]
            self._busy[worker] -= 1
            if isinstance(found, Scores):
                self._kept.put(piece, found)
            state = self._videos.get(name)
            if state is not None:
                state.done[piece.number] = found

    def _let_go(self, worker: int, error: DeviceError | GraphError) -> None:
        """Its device or runtime fails: others do what it had, as long as there are any."""
        del self._busy[worker]
        self._ray.kill(self._workers[worker])
        if not self._busy:
            raise error
        number, count = worker + 1, len(self._workers)
        log.warning("worker %d of %d is let go, others do its work: %s", number, count, error)
        had = [reference for reference, (*_, whose) in self._out.items() if whose == worker]
        for reference in reversed(had):  # the first one is handed out first again
            name, piece, _ = self._out.pop(reference)
            state = self._videos[name]
            if state is not None:
                state.waiting.appendleft(piece)

    def _result(self, reference: Any, piece: Piece) -> "Scores | MonitorError":
        try:
            found: Scores | MonitorError = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            raise ClusterError(
                f"{piece.name} could not be scored, its worker died {RETRIES + 1} times or cannot "
                f"start: {first}; what is done is kept, the same command goes on"
            ) from error
        return found
