"""Pictures that someone names: which files those are, verdicts on them, heat maps as files."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path

import cv2
import numpy as np

from monitor.drawn import is_drawn, marked_jpeg, say_drawn
from monitor.errors import SourceError, StoreError
from monitor.files import write_atomically
from monitor.overlay import overlay
from monitor.records import Image
from monitor.sources.listing import natural_key
from monitor.stills.judging import BATCH, Judged, heat_of, judged
from monitor.stills.model import StillModel
from monitor.stills.reading import PICTURE_SUFFIXES, read_picture
from monitor.stills.still import Still

log = logging.getLogger(__name__)

JPEG_QUALITY = 90  # what is looked at closely; 85, as alerts of video have, blurs hairlines
COLOURED = 24  # of 255 between channels: JPEG's own colour noise on gray stays under 10
LUMA = (
    "the model takes gray pictures: colours are judged by their luma, 0.299 R + 0.587 G + 0.114 B; "
    "a defect that differs in hue alone is not seen"
)


@dataclass(frozen=True, slots=True, eq=False)
class Inspected:
    """A verdict, and what of it lies on the disk."""

    judged: Judged
    heat: Path | None = None  # the picture under its heat map
    trouble: str = ""  # why there is no such file although one was asked for


def find_pictures(paths: Sequence[Path]) -> list[Still]:
    """The pictures at some paths, each once, folders with all below them; hidden files left out.

    So are those that oddwatch drew, which is said. A named file is taken whatever it is called,
    and also if it is not there: judging says so.

    Raises:
        SourceError: If a folder cannot be listed, or there is no picture in any of them.
    """
    found: dict[Path, str] = {}
    drawn: dict[Path, None] = {}
    for path in paths:
        for file, name in _files(path):
            if file != path and is_drawn(file):
                drawn[file] = None
            else:
                found.setdefault(file, name)
    if drawn:
        log.warning("%s", say_drawn(list(drawn)))
    if not found:
        named = ", ".join(map(str, paths[:3]))
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        raise SourceError(f"{named}: expected pictures ({kinds}), found none")
    return [still_of(file, name) for file, name in zip(found, _told_apart(found), strict=True)]


def still_of(path: Path, name: str = "") -> Still:
    """A picture of which nothing is known but its file."""
    return Still(name or path.name, "", None, partial(read_picture, path), path)


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The picture files at a path, in natural order, and what to call each."""
    if not path.is_dir():
        yield path, path.name
        return
    try:
        below = [file for file in path.rglob("*") if _is_picture(file.relative_to(path))]
    except OSError as error:
        raise SourceError(f"{path}: cannot be listed: {error.strerror}") from error
    for file in sorted(below, key=lambda file: natural_key(str(file))):
        yield file, file.relative_to(path).as_posix()


def _is_picture(relative: Path) -> bool:
    hidden = any(part.startswith(".") for part in relative.parts)
    return relative.suffix.lower() in PICTURE_SUFFIXES and not hidden


def _told_apart(found: dict[Path, str]) -> list[str]:
    """Names of which no two are the same: the whole path where they would be."""
    times = Counter(found.values())
    return [path.as_posix() if times[name] > 1 else name for path, name in found.items()]


def inspect_pictures(
    stills: Iterable[Still], model: StillModel, *, out: Path | None = None, batch: int = BATCH
) -> Iterator[Inspected]:
    """A verdict for each picture, in order; with `out`, each one's heat map in a file there.

    A disk that fails is said with the picture and does not end it.

    Raises:
        NotFittedError: If the model has learned nothing.
    """
    taken: set[Path] = set()
    for one in judged(stills, model, batch=batch, maps=out is not None):
        if out is None or one.map is None:
            yield Inspected(one)
            continue
        name = _heat_name(one.still.name, taken)
        taken.add(name)
        yield _with_heat(one, model, out / name)


def _with_heat(one: Judged, model: StillModel, path: Path) -> Inspected:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_heat(path, one.still.picture(), one, model)
    except (SourceError, StoreError, OSError) as error:
        said = getattr(error, "strerror", None) or str(error)
        return Inspected(one, trouble=f"{path}: no heat map can be written: {said}")
    return Inspected(one, path)


def _heat_name(name: str, taken: Collection[Path]) -> Path:
    """The picture's own place and name, kept below the folder whatever it begins with.

    With a number where another picture has that name, as ../a/1.png and a/1.png have.
    """
    path = Path(name)
    parts = [part for part in path.parts if part not in ("..", path.anchor)]
    folder, own = Path(*parts[:-1]), parts[-1]
    numbered = (folder / f"{own}-{number}.heat.jpg" for number in count(2))
    return next(p for p in chain([folder / f"{own}.heat.jpg"], numbered) if p not in taken)


def write_heat(path: Path, image: Image, one: Judged, model: StillModel) -> None:
    """The picture under its heat map, as a JPEG file that appears whole or not at all.

    Raises:
        OSError: If it cannot be written.
    """
    assert one.map is not None
    write_atomically(path, as_jpeg(overlay(image, heat_of(one.map, model), box=one.box)))


def as_jpeg(image: Image) -> bytes:
    """(H, W, 3) RGB as the bytes of a JPEG file, marked as drawn."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
    return marked_jpeg(jpeg)


class ColourWatch:
    """Looks at pictures on their way to a gray model; `seen` as soon as one has colours."""

    def __init__(self, model: StillModel) -> None:
        self._looking = model.detector.spec.channels == 1
        self.seen = False

    def over(self, still: Still) -> Still:
        """The same picture, looked at when it is read."""
        return replace(still, read=partial(self._read, still)) if self._looking else still

    def _read(self, still: Still) -> Image:
        image = still.read()
        if not self.seen:
            self.seen = is_coloured(image)
        return image


def is_coloured(image: Image) -> bool:
    """Whether (H, W, 3) has pixels that are not gray, beyond what JPEG does to gray ones."""
    spread = image.max(axis=2).astype(np.int16) - image.min(axis=2)
    return bool((spread > COLOURED).any())
