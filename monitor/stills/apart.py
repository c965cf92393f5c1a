"""Normal pictures parted into what a model learned from and what it did not."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from monitor.apart import warn_of_no_note
from monitor.errors import MonitorError
from monitor.stills.opening import open_stills
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


def open_again(
    provenance: Mapping[str, Any], place: str, *, layout: str | None = None, strict: bool = False
) -> StillSet:
    """A set, of its classes the one that the model was asked to learn, where it has that.

    Raises:
        DataSetError: As `open_stills` does.
    """
    asked = provenance.get("asked")
    if asked is not None:
        with suppress(MonitorError):  # it has no classes, or others
            return open_stills(place, layout=layout, protocol=asked, strict=strict)
    return open_stills(place, layout=layout, strict=strict)


def _place(still: Still, data: StillSet) -> str:
    """Where it lies; of a published set that has no files for pictures its name there."""
    return f"{data.layout}/{still.name}" if still.path is None else str(still.path.resolve())
