"""Normal pictures parted: to learn from, to take scales from, to set thresholds on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from monitor.errors import DataSetError
from monitor.stills.still import Still, each_once
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

    @property
    def taken(self) -> tuple[Still, ...]:
        """All of them."""
        return (*self.fit, *self.held_out, *self.calibration)

    def counts(self) -> dict[str, int]:
        """How many are in each."""
        return {name: len(part) for name, part in vars(self).items()}

    def notes(self) -> list[str]:
        """What there is to say of so few pictures."""
        counts, count = self.counts(), len(self.taken)
        if count >= FEW:
            return []
        return [
            f"only {count} normal pictures: {counts['fit']} to learn from, "
            f"{counts['held_out']} for the scale of errors, {counts['calibration']} for the "
            "threshold; expect little of it and take 50 or more"
        ]


def all_new(_still: Still) -> str | None:
    """Nothing was parted before."""
    return None


def split_stills(
    stills: Sequence[Still], seed: int, part_of: Callable[[Still], str | None] = all_new
) -> StillSplit:
    """By chance, the same for the same seed and pictures: 70 % learn, 10 % scale, 20 % calibrate.

    Of equal pictures one is taken: a copy of what is learned from would set a threshold too low.

    Args:
        stills: All normal.
        seed: Of the chance.
        part_of: The part that a picture was in before, where it stays, by its name in `StillSplit`;
            None: it is new. Of the new ones each part gets what it lacks of its share.

    Raises:
        DataSetError: If there are fewer than two, or a part that was there before is gone.
    """
    once = each_once(stills)
    _check(once, stills)
    count = len(once)
    wanted = {
        "held_out": min(max(1, round(HELD_OUT * count)), MOST_HELD_OUT),
        "calibration": min(max(2, round(CALIBRATION * count)), MOST_CALIBRATION)
        if count > 3
        else 0,
    }
    parts = {still: part_of(still) for still in once}
    new = [still for still in once if parts[still] is None]
    drawn = iter(np.random.default_rng(seed).permutation(len(new)).tolist())
    for name, number in wanted.items():
        lacking = max(0, number - sum(part == name for part in parts.values()))
        parts |= {new[index]: name for index in islice(drawn, lacking)}
    parts |= {new[index]: "fit" for index in drawn}
    split = StillSplit(*(tuple(s for s in once if parts[s] == name) for name in ("fit", *wanted)))
    _check_left(split)
    return split


def say_copies(stills: Sequence[Still], once: Sequence[Still]) -> list[str]:
    """How many pictures were left out of these, as their files are copies of others."""
    copies = len(stills) - len(once)
    if not copies:
        return []
    verb = "is a copy" if copies == 1 else "are copies"
    return [f"{copies} of {len(stills)} pictures {verb} of others, and each is taken once"]


def _check(once: Sequence[Still], stills: Sequence[Still]) -> None:
    if not once:
        raise DataSetError("there is no normal picture to learn from; expected training pictures")
    if len(once) < len(stills) and len(once) == 1:
        raise DataSetError(
            f"all {len(stills)} pictures to learn from are the same picture ({stills[0].name} and "
            "the others): expected pictures that differ as good ones do"
        )
    if len(once) == 1:
        raise DataSetError(
            f"one normal picture ({stills[0].name}) does not tell what varies: expected two at "
            "least, better 50 or more"
        )


def _check_left(split: StillSplit) -> None:
    """Of pictures that were parted before, those that a part consisted of may be gone."""
    for part, what in ((split.fit, "to learn from"), (split.held_out, "for the scale of errors")):
        if not part:
            raise DataSetError(
                f"no picture is left {what} of those that were chosen for it when the model began "
                "to learn: put them back, add others, or train it anew"
            )
