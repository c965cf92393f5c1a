"""How far a long command is, on stderr: a bar on a terminal, a line now and then in a pipe."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from monitor.names import shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from models.detector import Step

LINE_EVERY_S = 30.0
TOLD_AFTER_S = 2.0  # from then on the pace says something of the time that is left
DRAW_EVERY_S = 0.1  # more often nobody sees


class LongWork:
    """A context in which `step` and `frames` show how far training and scoring are."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._began_s = self._shown_s = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _new_bar()
            self._bar.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, step: "Step") -> None:
        """A step of learning was made."""
        if self._starts(step.stage):
            self._began_s = min(self._began_s, time.monotonic())
        own = [loss for name, loss in step.losses.items() if name.startswith(f"{step.stage}/")]
        loss = sum(own or step.losses.values())
        self._show(f"{step.stage}: step {step.index:,}, loss {loss:.4g}", step.spent)

    def frames(self, what: str, done: int, total: int | None) -> None:
        """So many frames are done of something."""
        self._count(what, done, total, "frames")

    def pictures(self, what: str, done: int, total: int | None) -> None:
        """So many pictures are done of something."""
        self._count(what, done, total, "pictures")

    def runs(self, text: str, share: float) -> None:
        """Such a share of several things that are done at the same time is done."""
        self._starts("")
        self._show(text, share)

    def _count(self, what: str, done: int, total: int | None, things: str) -> None:
        if self._starts(what):
            self._began_s = time.monotonic()
        of = f" of {total:,}" if total else ""
        self._show(f"{what}: {done:,}{of} {things}", min(1.0, done / total) if total else 0.0)

    def _starts(self, what: str) -> bool:
        """Whether this is new; a new one is shown at once on a terminal."""
        if what == self._what:
            return False
        self._what = what
        if self._bar is not None:
            self._shown_s = 0.0
        return True

    def _show(self, text: str, share: float) -> None:
        now_s = time.monotonic()
        every_s = LINE_EVERY_S if self._bar is None else DRAW_EVERY_S
        if now_s - self._shown_s < every_s and not (share >= 1 and self._bar is not None):
            return
        self._shown_s = now_s
        taken_s = now_s - self._began_s
        left_s = taken_s * (1 - share) / share if share > 0 and taken_s > TOLD_AFTER_S else None
        left = "" if left_s is None else f", {_span(left_s)} left"
        if self._bar is None:
            print(shown(text + left), file=sys.stderr, flush=True)
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=1.0)
        self._bar.update(self._task, completed=share, description=shown(text + left))


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.1f} minutes"


def _new_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %  {task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
