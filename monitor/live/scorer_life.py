"""The scoring process's life: that it hangs or ended, why, when another is started, and on what.

Knows no cameras, and reads no clock but the one it is given.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf
from typing import Protocol

from monitor.live.health import Opened
from monitor.live.lost_device import runtime_on_cpu
from monitor.live.messages import Answer, LoadModel, Order, ScorerEnds

log = logging.getLogger(__name__)

ROUND_LIMIT_S = 60.0  # a scorer that is silent for longer hangs
DEATHS = 5  # of the scorer within `DEATHS_S`; then it is started once in that time
DEATHS_S = 60.0


class ScorerLink(Protocol):
    """The engine's end of the scoring process."""

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def send(self, order: Order) -> bool:
        """False: it is gone."""

    def answers(self) -> Iterable[Answer]:
        """What has come; never waits."""

    def stop(self) -> None:
        """End it, by force where it does not."""

    def kill(self) -> None:
        """By force at once."""


class ScorerLife:
    """The scorer that there is, and the next one where it ended."""

    def __init__(
        self, new_scorer: Callable[[], ScorerLink], order_of: Callable[[str], LoadModel]
    ) -> None:
        self._new_scorer = new_scorer
        self._order_of = order_of
        self._link: ScorerLink | None = None
        self._last_words: ScorerEnds | None = None
        self._deaths: list[float] = []
        self._again_s = inf  # when another is started; inf: it lives
        self._on_cpu = False  # since a device failed and any would do

    def open(self) -> None:
        """Start it."""
        self._link = self._new_scorer()

    def close(self) -> None:
        """End it."""
        if self._link is not None:
            self._link.stop()

    def send(self, order: Order) -> bool:
        """False: it is gone."""
        return self._link is not None and self._link.send(order)

    def load(self, path: str) -> None:
        """Have it read a model file."""
        order = self._order_of(path)
        if self._on_cpu:
            order = replace(order, device="cpu", runtime=runtime_on_cpu(order.runtime))
        self.send(order)

    def answers(self) -> Iterable[Answer]:
        """What has come; never waits."""
        return () if self._link is None else self._link.answers()

    def runs(self, silent_s: float) -> bool:
        """Whether it does; one that has owed an answer for too long is killed."""
        if self._link is None:
            return True
        if self._link.alive and silent_s > ROUND_LIMIT_S:
            log.error("scoring has not answered for %.0f s: it is started anew", ROUND_LIMIT_S)
            self._link.kill()
        return self._link.alive

    def ends(self, words: ScorerEnds) -> None:
        """It said why it ends."""
        self._last_words = words

    def mourn(self, now_s: float) -> list[Opened]:
        """What is to be said of its end, once."""
        if self._again_s < inf:
            return []
        self._deaths = [at for at in self._deaths if at > now_s - DEATHS_S] + [now_s]
        self._again_s = now_s + (DEATHS_S if len(self._deaths) > DEATHS else 0.0)
        words, self._last_words = self._last_words, None
        how = f"ended ({words.text})" if words else "died"
        text = f"the scoring process {how}; nothing is judged until it is back"
        said = [Opened("scoring", "error", text)]
        if words and words.device and not self._on_cpu and self._order_of("").device == "auto":
            self._on_cpu = True
            text = f"{words.text}; models are computed on the CPU until the engine is restarted"
            said.append(Opened("device", "warning", text))
        return said

    def again(self, now_s: float) -> bool:
        """Start another, where it is time to."""
        if self._link is None or now_s < self._again_s:
            return False
        self._link.stop()
        self._link, self._again_s = self._new_scorer(), inf
        return True
