"""Normal pictures parted: to learn from, to take scales from, to set thresholds on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.errors import DataSetError
from monitor.stills.still import Still
from monitor.stills.threshold import FEW

HELD_OUT, CALIBRATION = 0.1, 0.2  # shares of the normal pictures
MOST_HELD_OUT = 500  # are enough for scales; more would be lost to learning
MOST_CALIBRATION = 500  # vouch for one false alarm in 501


@dataclass(frozen=True)
class StillSplit:
    """Normal pictures in three parts that share none."""

    fit: tuple[Still, ...]  # networks and densities learn from it
    held_out: tuple[Still, ...]  # scales of errors and maps come from it
    calibration: tuple[Still, ...]  # p-values and thresholds come from it

    def counts(self) -> dict[str, int]:
        """How many are in each."""
        return {name: len(part) for name, part in vars(self).items()}

    def notes(self) -> list[str]:
        """What there is to say of so few pictures."""
        counts = self.counts()
        count = sum(counts.values())
        if count >= FEW:
            return []
        return [
            f"only {count} normal pictures: {counts['fit']} to learn from, "
            f"{counts['held_out']} for the scale of errors, {counts['calibration']} for the "
            "threshold; expect little of it and take 50 or more"
        ]


def split_stills(stills: Sequence[Still], seed: int) -> StillSplit:
    """By chance, the same for the same seed and pictures: 70 % learn, 10 % scale, 20 % calibrate.

    Raises:
        DataSetError: If there are fewer than two.
    """
    count = len(stills)
    if count == 0:
        raise DataSetError("there is no normal picture to learn from; expected training pictures")
    if count == 1:
        raise DataSetError(
            f"one normal picture ({stills[0].name}) does not tell what varies: expected two at "
            "least, better 50 or more"
        )
    held_out = min(max(1, round(HELD_OUT * count)), MOST_HELD_OUT)
    calibration = min(max(2, round(CALIBRATION * count)), MOST_CALIBRATION) if count > 3 else 0
    order = np.random.default_rng(seed).permutation(count)
    parts = np.split(order, [held_out, held_out + calibration])
    held, calibrating, learned = (tuple(stills[i] for i in sorted(part.tolist())) for part in parts)
    return StillSplit(learned, held, calibrating)
