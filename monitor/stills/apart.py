"""Normal pictures parted into what a model learned from and what it did not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.stills.still import Still, StillSet


@dataclass(frozen=True)
class StillParts:
    """Of some normal pictures."""

    learned: tuple[Still, ...]  # networks or scales come from it
    apart: tuple[Still, ...]  # nothing but perhaps thresholds


def learned_of_stills(stills: Iterable[Still], data: StillSet) -> list[str]:
    """What is noted of the pictures that a model learns from: their places."""
    return [_place(still, data) for still in stills]


def parted_stills(provenance: Mapping[str, Any], data: StillSet) -> StillParts:
    """The normal pictures of a set, as the model with that provenance saw them."""
    noted = set(provenance.get("learned", ()))
    learned: list[Still] = []
    apart: list[Still] = []
    for still in data.train or (still for still in data.test if still.label is not True):
        (learned if _place(still, data) in noted else apart).append(still)
    return StillParts(tuple(learned), tuple(apart))


def _place(still: Still, data: StillSet) -> str:
    """Where it lies, or a place of its own in the file that holds it with others."""
    return str((data.root / still.name if still.path is None else still.path).resolve())
