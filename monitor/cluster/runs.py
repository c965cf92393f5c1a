"""The runs of a comparison over workers: each makes one at a time, from files to files.

A run is made by `monitor.stills.comparing.make_run`, as without a cluster, in a folder of the
worker; what is in its folder here goes there first, and comes back at its end or its stop.
"""

import hashlib
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Literal

from models.detector import Log, Step
from monitor.cluster.workers import RETRIES, How, Post, start, unseen
from monitor.errors import (
    ClusterError,
    DataSetError,
    DeviceError,
    DeviceFullError,
    MonitorError,
    SourceNotFoundError,
)
from monitor.files import write_atomically
from monitor.stills.comparing import Done, Plan, Terms, Tools, is_finished, make_run, one_line
from monitor.stills.opening import open_stills
from monitor.stills.still import StillSet

log = logging.getLogger(__name__)

ASK_S = 0.5  # between questions how far runs are
STOP_S = 120.0  # for a step to end and the files to come

Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open the set, as `open_stills` takes it, and by what to know it again."""

    path: str
    layout: str | None
    protocol: str | None
    normal: str | None
    digest: str

    def set(self) -> StillSet:
        """The set as it is here.

        Raises:
            ClusterError: It is not there, or another.
        """
        try:
            found = open_stills(
                self.path, layout=self.layout, protocol=self.protocol, normal=self.normal
            )
        except (SourceNotFoundError, DataSetError) as error:
            raise ClusterError(unseen(self.path)) from error
        if digest_of_set(found) != self.digest:
            raise ClusterError(f"{unseen(self.path)}; there are other pictures there")
        return found


def digest_of_set(data: StillSet) -> str:
    """The same for the same names."""
    names = [(part, [s.name for s in getattr(data, part)]) for part in ("train", "test")]
    return hashlib.sha256(repr(names).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run."""

    files: Files
    end: Literal["done", "failed", "stopped", "lost"]  # lost: by the worker, whose device fails
    error: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a run under way has done since it was last asked."""

    attempt: float  # another one: a worker died, and the run began anew
    steps: Sequence[Step]
    doing: tuple[str, int, int | None] | None  # after the steps: scoring, so many of so many


class Runner:
    """Makes runs, one at a time, in a process of its own; answers while it does."""

    def __init__(self, post: Post, opening: Opening, terms: Terms) -> None:
        self._post, self._opening, self._terms = post, opening, terms
        self._data: StillSet | None = None
        self._steps: list[Step] = []
        self._doing: tuple[str, int, int | None] | None = None
        self._attempt = 0.0
        self._stop = threading.Event()

    def run(self, plan: Plan, files: Files) -> Ran | MonitorError:
        """One run; an error as a value is of the worker, not of the run."""
        import torch

        torch.set_num_threads(self._post.threads)  # of this very thread
        if problem := self._post.problem():
            return ClusterError(problem)
        self._steps, self._doing, self._attempt = [], None, time.time()
        tools = Tools(self._post.device, lambda _plan: self._step, self._progress)
        with TemporaryDirectory(prefix="oddwatch-run-") as place:
            folder = Path(place)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            try:
                self._data = self._data or self._opening.set()
                make_run(plan, self._data, self._terms, folder, tools)
            except KeyboardInterrupt:
                return Ran(files_in(folder), "stopped")
            except ClusterError as error:
                return error
            except DeviceError as error:
                full = isinstance(error, DeviceFullError)  # of this run; it computes others
                said = f"node {platform.node()}: {error}"
                return Ran(files_in(folder), "failed" if full else "lost", said)
            except Exception as error:  # noqa: BLE001  as `comparing.compare` has it
                return Ran(files_in(folder), "failed", one_line(error))
            return Ran(files_in(folder), "done")

    def told(self) -> Told:
        """How far it is, since the last question."""
        steps, self._steps = self._steps, []
        return Told(self._attempt, steps, self._doing)

    def pid(self) -> int:
        """Of its process."""
        return os.getpid()

    def stop(self) -> None:
        """End the run at its next step, and any later one."""
        self._stop.set()

    def _step(self, step: Step) -> None:
        self._steps.append(step)
        if self._stop.is_set():
            raise KeyboardInterrupt

    def _progress(self, what: str, done: int, total: int | None) -> None:
        self._doing = what, done, total
        if self._stop.is_set():
            raise KeyboardInterrupt


def files_in(folder: Path) -> dict[str, bytes]:
    """By name; of the folder itself only."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@dataclass(eq=False)
class _Busy:
    plan: Plan
    worker: Any
    log: Log
    attempt: float = 0.0
    question: Any = None  # under way


@dataclass(eq=False)
class Runs:
    """A comparison on the workers of a cluster."""

    ray: ModuleType
    opening: Opening
    terms: Terms
    out: Path
    tools: Tools
    how: How
    workers: list[Any] = field(default_factory=list)
    _idle: list[Any] = field(default_factory=list)
    _busy: dict[Any, _Busy] = field(default_factory=dict)  # by the reference to the result
    _moved: list[Plan] = field(default_factory=list)  # whose worker was let go
    _why: str = ""  # the last one was

    def __call__(self, plans: Sequence[Plan]) -> Iterator[Done]:
        """As `comparing.compare`, in the order in which runs end.

        Raises:
            KeyboardInterrupt: What was learned so far is kept; called again, it goes on there.
            ClusterError: A worker cannot do the work as this machine would.
        """
        waiting = [plan for plan in plans if not is_finished(plan.folder(self.out))]
        yield from (
            Done(plan, plan.folder(self.out), again=True) for plan in plans if plan not in waiting
        )
        if not waiting:
            return
        given = (self.opening, self.terms)
        self.workers = start(self.ray, Runner, self.how, *given, calls=2, most=len(waiting))
        self._idle, self._moved = list(self.workers), []
        try:
            yield from self._made(waiting)
        except KeyboardInterrupt:
            self._stop()
            raise
        finally:
            for worker in self.workers:
                self.ray.kill(worker)

    def _made(self, waiting: list[Plan]) -> Iterator[Done]:
        while waiting or self._busy:
            while waiting and self._idle:
                self._give(waiting.pop(0))
            for busy, ran in self._ended(ASK_S):
                busy.question = busy.question or busy.worker.told.remote()
                self._tell(busy, 1.0)
                if ran.end == "lost" and self._let_go(busy, ran.error):
                    waiting.insert(0, busy.plan)
                else:
                    yield Done(busy.plan, busy.plan.folder(self.out), error=ran.error)
            if not self.workers:
                yield from (self._lost(plan) for plan in waiting)
                return
            self._ask()

    def _give(self, plan: Plan) -> None:
        folder, worker = plan.folder(self.out), self._idle.pop()
        folder.mkdir(parents=True, exist_ok=True)
        reference = worker.run.remote(plan, files_in(folder))
        self._busy[reference] = _Busy(plan, worker, self.tools.log(plan))

    def _ended(self, patience_s: float) -> Iterator[tuple[_Busy, Ran]]:
        """Runs that have ended, their files written here before anything else is done."""
        ready, _ = self.ray.wait(list(self._busy), num_returns=1, timeout=patience_s)
        for reference in ready:
            busy = self._busy[reference]
            ran = self._result(reference, busy.plan)
            folder = busy.plan.folder(self.out)
            for name, content in ran.files.items():
                write_atomically(folder / name, content)
            for gone in set(files_in(folder)) - set(ran.files):
                (folder / gone).unlink()
            del self._busy[reference]
            if ran.end != "lost":
                self._idle.append(busy.worker)
            yield busy, ran

    def _let_go(self, busy: _Busy, why: str) -> bool:
        """Its device fails; whether another does its run, which may be what devices fail at."""
        self.workers = [worker for worker in self.workers if worker is not busy.worker]
        self.ray.kill(busy.worker)
        again = bool(self.workers) and busy.plan not in self._moved
        self._moved.append(busy.plan)
        self._why = why
        left = f"{len(self.workers)} left"
        log.warning("a worker is let go, %s; %s: %s", left, busy.plan.label, why)
        return again

    def _lost(self, plan: Plan) -> Done:
        """What nobody is left to do."""
        return Done(plan, plan.folder(self.out), error=f"no worker is left: {self._why}")

    def _result(self, reference: Any, plan: Plan) -> Ran:
        try:
            found: Ran | MonitorError = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            first = " ".join(str(error).split())[:200]
            return Ran(
                files_in(plan.folder(self.out)),
                "failed",
                f"its worker died {RETRIES + 1} times or cannot start: {first}",
            )
        if isinstance(found, MonitorError):
            raise found
        return found

    def _ask(self) -> None:
        """How far the runs are; who does not answer at once is heard later."""
        for busy in self._busy.values():
            self._tell(busy, 0.0)
            if busy.question is None:
                busy.question = busy.worker.told.remote()

    def _tell(self, busy: _Busy, patience_s: float) -> None:
        if busy.question is None:
            return
        ready, _ = self.ray.wait([busy.question], timeout=patience_s)
        if not ready:
            return
        try:
            told: Told = self.ray.get(busy.question)
        except self.ray.exceptions.RayError:  # it died; its run is begun anew
            busy.question = None
            return
        busy.question = None
        if told.attempt != busy.attempt:
            busy.attempt, busy.log = told.attempt, self.tools.log(busy.plan)
        for step in told.steps:
            busy.log(step)
        if told.doing is not None:
            self.tools.progress(busy.plan.label, *told.doing[1:])

    def _stop(self) -> None:
        """Let every run end at its next step, and keep what it has."""
        for busy in self._busy.values():
            busy.worker.stop.remote()
        until_s = time.monotonic() + STOP_S
        while self._busy and time.monotonic() < until_s:
            for _ in self._ended(1.0):
                pass
