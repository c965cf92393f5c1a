"""One drop folder or product camera of the engine: its worker, its state, its figures.

Asked in the engine's loop and never waits. Knows nothing of stores or notices.
"""

import multiprocessing
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from multiprocessing.connection import Connection
from random import Random
from typing import Literal

from monitor.api.schema import CameraState
from monitor.config.settings import CameraSettings
from monitor.live.backoff import BackOff
from monitor.live.calendar import Calendar
from monitor.live.counters import CURVE
from monitor.live.lost_device import runtime_on_cpu
from monitor.live.still_worker import (
    StillEnded,
    StillJudged,
    StillNews,
    StillOrder,
    StillReady,
    run_stills,
)
from monitor.priorities import SCORING, run_behind

AT_WORK: tuple[CameraState, ...] = ("connecting", "running", "stalled")  # with a worker
FEW = 3  # refused in a row; one among others that are judged is that picture's own fault


class StillPost:
    """The worker is a process, or a thread with the same manners."""

    def __init__(
        self,
        settings: CameraSettings,
        order: StillOrder,
        rng: Random,
        kind: Literal["process", "thread"],
    ) -> None:
        self.settings = settings
        self.order = order
        self.slower = ""  # why it is judged on the CPU though any device would do; empty: it is not
        self.since_s = 0.0
        self.judged = 0
        self.defective = 0
        self.latest: StillJudged | None = None
        self.latest_s: float | None = None
        self.ready: StillReady | None = None
        self.snapshot = ""  # of the newest defective picture
        self.restarts = 0
        self.curve: deque[tuple[float, float, float | None]] = deque(maxlen=CURVE)
        self._calendar = Calendar.parse(settings.schedule)
        self._kind = kind
        self._back_off = BackOff(rng)
        self._again_s: float | None = None
        self._state: CameraState = "disabled"
        self._reason = ""
        self._refused = 0  # pictures in a row that came and were not judged
        self._link: Connection | None = None
        self._worker: threading.Thread | multiprocessing.process.BaseProcess | None = None

    @property
    def name(self) -> str:
        """As configured."""
        return self.settings.name

    @property
    def state(self) -> CameraState:
        """Of its worker; that what comes cannot be judged lies over `running`."""
        return "failed" if self._refuses else self._state

    @property
    def reason(self) -> str:
        """One line on the state, where it needs one."""
        if self._refuses and self.latest is not None:
            return f"its pictures are not judged: {self.latest.why}"
        return self._reason

    @property
    def _refuses(self) -> bool:
        return self._state == "running" and self._refused >= FEW

    @property
    def pid(self) -> int | None:
        """Of its process; None: it has none of its own."""
        return getattr(self._worker, "pid", None)

    def open_at(self, local: datetime) -> bool:
        """Whether its schedule has it judged at this local time."""
        return self._calendar.open_at(local)

    def start(self, now_s: float) -> None:
        """Begin to judge."""
        self.bury(0.0)
        context = multiprocessing.get_context("spawn")
        self._link, theirs = context.Pipe()
        if self._kind == "thread":
            self._worker = threading.Thread(
                target=run_stills, args=(theirs, self.order), name=f"stills {self.name}"
            )
        else:
            given = SCORING, run_stills, theirs, self.order
            self._worker = context.Process(target=run_behind, args=given, daemon=True)
        self._worker.start()
        if self._kind == "process":
            theirs.close()  # so that its end is seen here
        self._again_s, self._refused = None, 0
        self._go(now_s, "connecting")

    def pause(
        self, now_s: float, why: str, state: Literal["paused", "disabled"] = "paused"
    ) -> None:
        """Judge nothing until `start`."""
        self.close()
        self._again_s = None
        self._go(now_s, state, why)

    def poll(self, now_s: float) -> list[StillNews]:
        """What has come from the worker; starts one that ended anew when it is time."""
        if self._again_s is not None and now_s >= self._again_s:
            self.restarts += 1
            self.start(now_s)
        dead = self._worker is not None and not self._worker.is_alive()
        news = list(self._hear())  # after that look: its last words say why it ended
        for one in news:
            self._note(one, now_s)
        if dead and not news and self._state in AT_WORK:
            self._wait(now_s, "the process that judged it died")
        return news

    def close(self) -> None:
        """Tell the worker to end."""
        if self._link is not None:
            with suppress(OSError, ValueError):
                self._link.send("end")

    def bury(self, timeout_s: float) -> list[StillNews]:
        """Wait for the worker, kill it where it does not end; what it still had to say."""
        worker, self._worker = self._worker, None
        self.close()
        if worker is not None:
            worker.join(timeout_s)
        if worker is not None and not isinstance(worker, threading.Thread) and worker.is_alive():
            worker.kill()
            worker.join()
        news = list(self._hear())
        if self._link is not None:
            self._link.close()
            self._link = None
        return news

    def _hear(self) -> Iterator[StillNews]:
        with suppress(EOFError, OSError):
            while self._link is not None and self._link.poll():
                yield self._link.recv()

    def _note(self, news: StillNews, now_s: float) -> None:
        match news:
            case StillReady():
                self.ready = news
                if self._state == "connecting":  # not paused meanwhile
                    self._go(now_s, "running")
            case StillJudged():
                self.judged += news.verdict != "unjudged"
                self.defective += news.verdict == "defective"
                self.latest, self.latest_s = news, now_s
                self._back_off.reset()
                if news.strength is not None:
                    self.curve.append((now_s, news.strength, news.p_value))
                self._see(news, now_s)
            case StillEnded() if self._state in AT_WORK:
                self._end(news, now_s)

    def _see(self, news: StillJudged, now_s: float) -> None:
        refused = news.seen and news.verdict == "unjudged"
        self._refused = self._refused + 1 if refused else 0
        state: CameraState = "running" if news.seen else "stalled"
        if self._state not in ("running", "stalled"):
            return  # paused meanwhile
        if state != self._state:
            self._go(now_s, state)
        self._reason = "" if news.seen else news.why  # which may be another by now

    def _end(self, words: StillEnded, now_s: float) -> None:
        if words.hopeless:
            self._go(now_s, "failed", words.text)
            return
        if words.device and self.order.device == "auto":
            runtime = runtime_on_cpu(self.order.runtime)
            self.order = replace(self.order, device="cpu", runtime=runtime)
            self.slower = (
                f"{words.text}; pictures are judged on the CPU until the engine is restarted"
            )
        self._wait(now_s, words.text)

    def _wait(self, now_s: float, why: str) -> None:
        self._again_s = now_s + self._back_off.next_s()
        self._go(now_s, "backoff", why)

    def _go(self, now_s: float, state: CameraState, reason: str = "") -> None:
        self._state, self._reason, self.since_s = state, reason, now_s
