"""Still pictures and sets of them: each with its truth, read when asked for."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.datasets.layout import refuse
from monitor.errors import LabelError, MonitorError, SourceError
from monitor.files import digest_of
from monitor.records import Image

Mask = NDArray[np.bool_]  # (H, W), True: anomalous


@dataclass(frozen=True, eq=False)
class Still:
    """One picture by its place; nothing of it is decoded yet."""

    name: str  # path relative to the set's root; unique in its split
    kind: str  # "good", "broken_large" ...; empty: unknown
    label: bool | None  # True: anomalous; None: unknown
    read: Callable[[], Image]  # (H, W, 3) RGB; raises SourceError naming the file
    path: Path | None = None  # None: it lies in a file with others, or is made
    mask: Callable[[], Mask] | None = None  # as large as the picture; raises LabelError
    size: tuple[int, int] | None = None  # height and width by its header; None: it has no file

    @cached_property
    def digest(self) -> str | None:
        """The same for files of the same bytes; None: it has no file, or one that is not read."""
        if self.path is not None:
            with suppress(OSError):
                return digest_of(self.path)
        return None

    def picture(self) -> Image:
        """(H, W, 3) uint8 RGB, upright.

        Raises:
            SourceError: If it cannot be read; one line that names the file.
        """
        return self.read()

    def truth(self) -> Mask | None:
        """Where it is anomalous: nowhere in a normal picture; None where that is not known.

        Raises:
            LabelError: If the mask cannot be read, or is of another size than the picture.
            SourceError: If there is a picture to be read for its size, and that fails.
        """
        if self.mask is None:
            return np.zeros(self.picture().shape[:2], np.bool_) if self.label is False else None
        return self.mask()


@dataclass(frozen=True, eq=False)
class StillSet:
    """Pictures to learn from and pictures to judge by."""

    name: str
    layout: str  # key in `monitor.stills.opening.LAYOUTS`
    root: Path
    protocol: str  # what was learned and what counts as anomalous; printed beside every figure
    train: tuple[Still, ...]  # all normal
    test: tuple[Still, ...]
    label_source: str | None = None  # for the user: "folder names"; None: there are no labels
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()  # a line for each picture left out, as its file is no picture
    asked: str | None = None  # the protocol that it was opened by; None: as recognised


def each_once(stills: Iterable[Still]) -> list[Still]:
    """Of pictures whose files hold the same bytes the first."""
    found: dict[object, Still] = {}
    for still in stills:
        found.setdefault(still.digest or still, still)
    return list(found.values())


def read_stills(
    stills: Iterable[Still], *, fault: Callable[[MonitorError], None] = refuse
) -> Iterator[tuple[Still, Image]]:
    """The pictures one by one; one that cannot be read goes to `fault` and is left out."""
    for still in stills:
        try:
            image = still.picture()
        except SourceError as error:
            fault(error)
        else:
            yield still, image


def fit_mask(mask: Mask, image: Image, where: str) -> Mask:
    """The mask, if it is as large as the picture.

    Raises:
        LabelError: If it is not.
    """
    if mask.shape != image.shape[:2]:
        wanted, found = (f"{size[1]}x{size[0]}" for size in (image.shape, mask.shape))
        raise LabelError(f"{where}: the picture is {wanted}, but its mask is {found}")
    return mask
