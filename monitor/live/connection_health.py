"""Which health events a camera's connection opens: few, debounced, one at a time.

Told of losses and recoveries by the supervisor; decides nothing about the connection itself.
"""

from typing import Literal

from monitor.live.backoff import Recently
from monitor.live.health import Closed, HealthNews, Opened

Loss = Literal["offline", "stalled", "crashed", "failed"]

OFFLINE_S = 30.0  # a camera that is back within it was no news (frigate 3910 asks for a debounce)
STALLED_S = 2.0  # as `SupervisorSettings.settle_s`
UNSTABLE_CONNECTS = 4  # within
UNSTABLE_S = 300.0
STABLE_S = 300.0  # so long without a loss
GONE_S = 900.0  # so long without a connection it is not unstable but away


class ConnectionHealth:
    """One camera's events: at most one of the losses is open, or "unstable" in their place."""

    def __init__(self) -> None:
        self._connects = Recently(UNSTABLE_S)
        self._connected_s: float | None = None  # the last time
        self._kind: Loss | None = None  # what is wrong, told or not
        self._since_s = 0.0
        self._text = ""
        self._open = ""  # kind of the open event, but for "unstable"
        self._waiting: list[HealthNews] = []
        self.unstable = False

    def connected(self, now_s: float) -> None:
        """A connection stands."""
        self._connected_s = now_s
        connects = self._connects.add(now_s)
        if connects >= UNSTABLE_CONNECTS and not self.unstable:
            self.unstable = True
            text = f"connected {connects} times within {UNSTABLE_S / 60:.0f} minutes"
            self._waiting += [*self._close(), Opened("unstable", "warning", text)]

    def lost(self, kind: Loss, now_s: float, text: str) -> None:
        """The connection failed. A stall that goes on as a refusal stays one event, a stall."""
        if self._kind is None:
            self._since_s = now_s
        if kind != "offline" or self._kind in (None, "failed"):
            self._kind = kind
        self._text = text

    def running(self, flowing_s: float) -> list[HealthNews]:
        """Frames come, and have for `flowing_s` without a stall."""
        self._kind = None
        news = [*self._waiting, *self._close()]
        self._waiting = []
        if self.unstable and flowing_s >= STABLE_S:
            news += self._settle_down()
        return news

    def tick(self, now_s: float, trouble: str | None, *, quiet: bool) -> list[HealthNews]:
        """Let time pass.

        Args:
            now_s: Now.
            trouble: The camera's state in a line; None: frames come.
            quiet: The trouble is everybody's: keep to oneself what is not this camera's own.
        """
        news, self._waiting = self._waiting, []
        if self.unstable and self._connected_s is not None and now_s - self._connected_s > GONE_S:
            news += self._settle_down()
        if trouble is not None and self._kind is not None:
            news += self._tell(self._kind, now_s, quiet=quiet)
        return news

    def end(self) -> list[HealthNews]:
        """The camera is not watched any more."""
        news = [*self._waiting, *self._close()]
        self._waiting, self._kind = [], None
        return [*news, *self._settle_down()] if self.unstable else news

    def _tell(self, kind: Loss, now_s: float, *, quiet: bool) -> list[HealthNews]:
        if kind != "failed" and self.unstable:
            return self._close()
        if kind != "failed" and quiet:
            self._since_s = now_s  # its own time begins when the others are well
            return []
        waited_s = now_s - self._since_s
        early = waited_s < {"offline": OFFLINE_S, "stalled": STALLED_S}.get(kind, 0.0)
        if early or self._open == kind:
            return []
        closed = self._close()
        self._open = kind
        return [*closed, Opened(kind, "error" if kind == "failed" else "warning", self._text)]

    def _close(self) -> list[HealthNews]:
        kind, self._open = self._open, ""
        return [Closed(kind)] if kind else []

    def _settle_down(self) -> list[HealthNews]:
        self.unstable = False
        return [Closed("unstable")]
