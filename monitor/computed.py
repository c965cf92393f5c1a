"""What computed scores, as reports say it: another runtime or precision gives other ones."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Computed:
    """One way of computing."""

    runtime: str  # such as openvino
    precision: str  # such as int8
    device: str  # cpu or cuda


NAMES = ("device", "runtime", "numeric_precision")  # in reports; `precision` there is a share


def computed_figures(computed: frozenset[Computed]) -> dict[str, str | None]:
    """By `NAMES`; of several all, in alphabetical order, and None of none."""
    values = zip(*((one.device, one.runtime, one.precision) for one in computed), strict=True)
    found = {name: ", ".join(sorted(set(own))) for name, own in zip(NAMES, values, strict=False)}
    return dict.fromkeys(NAMES) | found


def mixed(computed: frozenset[Computed]) -> Iterator[str]:
    """That scores are of more than one kind, where they are."""
    if len(computed) > 1:
        kinds = (f"by {one.runtime} in {one.precision} on {one.device}" for one in sorted(computed))
        yield f"scores were computed {', others '.join(kinds)}: they are not quite comparable"
