"""The usual levels of a camera's pictures: quickly over the first good minute, slowly after."""

from dataclasses import dataclass
from math import exp

from monitor.capture.records import PictureStats

LEARN_S = 60.0  # of pictures that nothing is wrong with
FOLLOW_S = 3600.0  # time constant after that: dusk is followed, dirt on the lens hardly
LONGEST_STEP_S = 5.0  # a picture stands for no longer than that, whatever the gap before it


def focus(stats: PictureStats) -> float:
    """Sharpness over contrast: at dusk both fall, and only a lens out of focus lowers this."""
    return stats.sharpness / (stats.std**2 + 1.0)


@dataclass(slots=True)
class Levels:
    """Weighted means; of use once `learned`."""

    std: float = 0.0
    focus: float = 0.0
    edges: float = 0.0
    seen_s: float = 0.0  # how much went in
    last_s: float | None = None

    @property
    def learned(self) -> bool:
        """Whether there was a minute to learn from."""
        return self.seen_s >= LEARN_S

    def learn(self, stats: PictureStats, now_s: float) -> None:
        """Take in a picture that nothing is wrong with."""
        step_s = 0.0 if self.last_s is None else min(now_s - self.last_s, LONGEST_STEP_S)
        self.last_s = now_s
        first = self.seen_s == 0.0
        self.seen_s += max(step_s, 1e-3)
        weight = 1.0 if first else step_s / self.seen_s
        if self.learned:
            weight = 1 - exp(-step_s / FOLLOW_S)
        self.std += weight * (stats.std - self.std)
        self.focus += weight * (focus(stats) - self.focus)
        self.edges += weight * (stats.edges - self.edges)
