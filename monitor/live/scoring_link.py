"""The engine's end of the scoring process: starts it, speaks with it, sees when it is gone."""

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import Literal

from monitor.config.settings import EngineSettings
from monitor.live.messages import Answer, LoadModel, Order, Quit
from monitor.priorities import SCORING, run_behind

RunScorer = Callable[[Connection, float], None]  # importable by its name: it is spawned

QUIT_S = 3.0


def run_scorer(link: Connection, stale_s: float) -> None:
    """The real one's whole life. Torch is imported there and nowhere else."""
    from monitor.live.scorer import Scorer, serve

    serve(link, Scorer(stale_s=stale_s))


def loading(engine: EngineSettings) -> Callable[[str], LoadModel]:
    """The order for a model's path."""
    return partial(LoadModel, device=engine.device, runtime=engine.runtime)


class ScoringLink:
    """One scoring process, or a thread with the same manners."""

    def __init__(
        self, run: RunScorer, *, stale_s: float, kind: Literal["process", "thread"] = "process"
    ) -> None:
        """Start it; nothing is loaded yet."""
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        self._worker: threading.Thread | multiprocessing.process.BaseProcess
        if kind == "thread":
            self._worker = threading.Thread(target=run, args=(theirs, stale_s), daemon=True)
        else:
            given = SCORING, run, theirs, stale_s
            self._worker = context.Process(target=run_behind, args=given, daemon=True)
        self._worker.start()
        if kind == "process":
            theirs.close()  # so that its end is seen here

    @property
    def pid(self) -> int | None:
        """Of the process; None: it is a thread."""
        return getattr(self._worker, "pid", None)

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._worker.is_alive()

    def send(self, order: Order) -> bool:
        """False: it is gone."""
        try:
            self._link.send(order)
        except (OSError, ValueError):
            return False
        return True

    def answers(self) -> Iterator[Answer]:
        """What has come since the last call; never waits."""
        try:
            while self._link.poll():
                yield self._link.recv()
        except (EOFError, OSError):
            return

    def fileno(self) -> int:
        """Readable when an answer is there or the process is gone."""
        return self._link.fileno()

    def kill(self) -> None:
        """End it at once; a thread is left alone."""
        if not isinstance(self._worker, threading.Thread):
            self._worker.kill()
            self._worker.join()

    def stop(self) -> None:
        """Ask it to end; kill it where it does not."""
        self.send(Quit())
        self._worker.join(QUIT_S)
        if self._worker.is_alive():
            self.kill()
        self._link.close()
