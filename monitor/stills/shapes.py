"""Of which size a set's pictures are: a model has one shape, and squeezes what has another."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from monitor.errors import DataSetError, SourceError
from monitor.records import ASPECT_TOLERANCE, same_shape
from monitor.stills.layout import say_size
from monitor.stills.still import Still, StillSet

Size = tuple[int, int]  # height and width


def usual_size(data: StillSet) -> Size:
    """The size in whose shape most pictures to learn from are, by their headers.

    Of pictures without files, which published sets have of one size, that of the first.

    Raises:
        SourceError: If none of those can be read.
        DataSetError: If there is no picture.
    """
    stills = data.train or data.test
    return most_alike(header_sizes(stills)) or _first_size(stills, data)


def shapes_of(data: StillSet) -> list[Size]:
    """One size of each shape that there is among the pictures to learn from; raises the same."""
    found: list[Size] = []
    for size, _ in Counter(header_sizes(data.train)).most_common():
        if not any(same_shape(size, other) for other in found):
            found.append(size)
    return found or [usual_size(data)]


def header_sizes(stills: Sequence[Still]) -> list[Size]:
    """Of each picture that has a file, when it was opened."""
    return [still.size for still in stills if still.size is not None]


def most_alike(sizes: Sequence[Size]) -> Size | None:
    """The size that most of them have the shape of, and of such the most frequent, or first."""
    if not sizes:
        return None
    often = Counter(sizes)
    numbers = np.array(list(often.values()))
    ratios = np.array([width / height for height, width in often])
    order = np.argsort(ratios)
    below = np.concatenate([[0], numbers[order].cumsum()])  # by ratio, how many are before
    ends = [np.searchsorted(ratios[order], ratios * (1 - ASPECT_TOLERANCE))]
    ends += [np.searchsorted(ratios[order], ratios * (1 + ASPECT_TOLERANCE), "right")]
    alike = below[ends[1]] - below[ends[0]]
    return max(zip(often, alike, numbers, strict=True), key=lambda one: (one[1], one[2]))[0]


def say_shapes(sizes: Sequence[Size]) -> list[str]:
    """How many of these sizes are of another shape than most."""
    usual = most_alike(sizes)
    others = [size for size in sizes if usual is not None and not same_shape(size, usual)]
    if usual is None or not others:
        return []
    return [
        "pictures differ in shape, and are squeezed into one: "
        f"{len(others)} of {len(sizes)} are not of the shape of {say_size(usual)}, such as "
        f"{say_size(others[0])}"
    ]


def _first_size(stills: Sequence[Still], data: StillSet) -> Size:
    problem: SourceError | None = None
    for still in stills:
        try:
            height, width = still.picture().shape[:2]
        except SourceError as error:
            problem = problem or error
        else:
            return height, width
    raise problem or DataSetError(f"{data.root}: there are no pictures to learn from")
