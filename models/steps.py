"""How long a detector learns, and what is said of each step. Imports no torch, as `models.spec`."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """When learning has to end: after so many seconds, so many steps, or whichever is first."""

    seconds: float | None = None
    steps: int | None = None

    def spent(self, seconds: float, steps: int) -> float:
        """The share that is used up, 0 at the start, 1 at the end."""
        shares = [0.0]
        if self.seconds is not None:
            shares.append(seconds / self.seconds if self.seconds > 0 else 1.0)
        if self.steps is not None:
            shares.append(steps / self.steps if self.steps > 0 else 1.0)
        return min(1.0, max(shares))


@dataclass(frozen=True)
class Step:
    """One step of learning, for progress bars, loss curves and checkpoints."""

    stage: str  # what is being learned, e.g. "generator", "motion"
    index: int  # steps so far, this one counted
    seconds: float  # since learning began, earlier runs that were resumed included
    spent: float  # share of the budget, 0 to 1
    losses: dict[str, float]  # "generator/intensity" and the like, weighted as they are added


Log = Callable[[Step], None]


def silent(_step: Step) -> None:
    """A log for those who do not want one."""
