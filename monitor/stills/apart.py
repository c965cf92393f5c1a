"""Normal pictures parted into what a model learned from and what it did not.

A picture is known by its place and by the bytes of its file, so that it is on another machine, too.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from monitor.apart import warn_of_no_note
from monitor.errors import MonitorError
from monitor.stills.opening import open_stills
from monitor.stills.split import StillSplit
from monitor.stills.still import Still, StillSet

Noted = dict[str, list[str]]  # places and digests, by their key in a model's provenance


@dataclass(frozen=True)
class StillParts:
    """Of some normal pictures."""

    learned: tuple[Still, ...]  # networks or scales come from it
    apart: tuple[Still, ...]  # nothing but perhaps thresholds


def noted_of_stills(
    parts: StillSplit, data: StillSet, earlier: Mapping[str, Any] | None = None
) -> Noted:
    """What is noted of the pictures that a model learns from, and of those that it does not.

    With what its earlier provenance notes, where it goes on learning.
    """
    now = {
        "learned": (*parts.fit, *parts.held_out),
        "held_out": parts.held_out,
        "kept_apart": parts.calibration,
    }
    before = earlier or {}
    return {
        key: sorted({*before.get(key, ()), *(own for s in stills for own in _known_by(s, data))})
        for key, stills in now.items()
    }


def part_in(provenance: Mapping[str, Any] | None, data: StillSet) -> Callable[[Still], str | None]:
    """Tells in which part of `StillSplit` a picture of the set was; None: in none of them.

    What is noted for several parts, as pictures were moved, is in the one that learned the most.
    """
    noted = provenance or {}
    learned, held_out, apart = (
        set(noted.get(key, ())) for key in ("learned", "held_out", "kept_apart")
    )
    parts = {"fit": learned - held_out, "held_out": held_out, "calibration": apart}

    def part_of(still: Still) -> str | None:
        known = _known_by(still, data)
        return next((name for name, own in parts.items() if known & own), None)

    return part_of


def parted_stills(provenance: Mapping[str, Any], data: StillSet) -> StillParts:
    """The normal pictures of a set, as the model with that provenance saw them."""
    warn_of_no_note(provenance)
    normal = data.train or tuple(still for still in data.test if still.label is not True)
    learned = learned_among(normal, data, provenance)
    kept = set(learned)
    return StillParts(learned, tuple(still for still in normal if still not in kept))


def learned_among(
    stills: Iterable[Still], data: StillSet, provenance: Mapping[str, Any]
) -> tuple[Still, ...]:
    """Those of the set's pictures that the model learned from."""
    part_of = part_in(provenance, data)
    return tuple(still for still in stills if part_of(still) in ("fit", "held_out"))


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


def _known_by(still: Still, data: StillSet) -> set[str]:
    """Where it lies and what its file holds; of a published set without files its name there."""
    if still.path is None:
        return {f"{data.layout}/{still.name}"}
    digest = set() if still.digest is None else {f"sha256:{still.digest}"}
    return {str(still.path.resolve()), *digest}
