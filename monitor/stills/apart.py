"""Normal pictures parted into what a model learned from and what it did not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.apart import warn_of_no_note
from monitor.stills.still import Still, StillSet


@dataclass(frozen=True)
class StillParts:
    """Of some normal pictures."""

    learned: tuple[Still, ...]  # networks or scales come from it
    apart: tuple[Still, ...]  # nothing but perhaps thresholds


def learned_of_stills(
    stills: Iterable[Still], data: StillSet, earlier: Mapping[str, Any] | None = None
) -> list[str]:
    """What is noted of the pictures that a model learns from: their places.

    With what its earlier provenance notes, where it goes on learning.
    """
    noted = (earlier or {}).get("learned", ())
    return sorted({*noted, *(_place(still, data) for still in stills)})


def parted_stills(provenance: Mapping[str, Any], data: StillSet) -> StillParts:
    """The normal pictures of a set, as the model with that provenance saw them."""
    warn_of_no_note(provenance)
    normal = data.train or tuple(still for still in data.test if still.label is not True)
    apart = apart_of_stills(normal, data, provenance)
    kept = set(apart)
    return StillParts(tuple(still for still in normal if still not in kept), apart)


def apart_of_stills(
    stills: Iterable[Still], data: StillSet, provenance: Mapping[str, Any]
) -> tuple[Still, ...]:
    """Those of the set's pictures that the model did not learn from."""
    noted = set(provenance.get("learned", ()))
    return tuple(still for still in stills if _place(still, data) not in noted)


def _place(still: Still, data: StillSet) -> str:
    """Where it lies, or a place of its own in the file that holds it with others."""
    return str((data.root / still.name if still.path is None else still.path).resolve())
