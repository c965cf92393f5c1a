"""What a layout of stills is, what is asked of it, and the words the layouts share."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath

from monitor.datasets.layout import listing_of, subfolder
from monitor.drawn import is_drawn
from monitor.errors import DataSetError, LabelError, MonitorError, SourceError
from monitor.sources.listing import natural_key, say_entries
from monitor.stills.reading import PICTURE_SUFFIXES, picture_size, read_mask, read_picture
from monitor.stills.still import Still, StillSet

NORMAL_NAMES = ("good", "ok", "normal")  # of MVTec AD, BTAD, medical sets; `good` before `ok`


@dataclass(frozen=True, eq=False)
class StillRequest:
    """What a layout is asked to load, and whom to tell of problems in it."""

    root: Path
    protocol: str | None
    normal: str | None
    fault: Callable[[MonitorError], None]  # may raise; else what is wrong is left out
    notes: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def stills(self, paths: Iterable[Path], kind: str, *, label: bool | None) -> tuple[Still, ...]:
        """Pictures of one kind; a file whose header is no picture's is left out and named."""
        found = (self._still(path, kind, label=label) for path in paths)
        return tuple(still for still in found if still is not None)

    def _still(self, path: Path, kind: str, *, label: bool | None) -> Still | None:
        try:
            size = picture_size(path)
        except SourceError as error:
            self.lost.append(str(error))
            self.fault(error)
            return None
        name = path.relative_to(self.root).as_posix() if path != self.root else path.name
        return Still(name, kind, label, partial(read_picture, path), path, size=size)

    def problem(self, error: LabelError) -> None:
        """Something about the truth that leaves a part of it out."""
        self.notes.append(str(error))
        self.fault(error)

    def made(
        self,
        layout: str,
        protocol: str,
        train: tuple[Still, ...],
        test: tuple[Still, ...],
        label_source: str | None = None,
    ) -> StillSet:
        """The set, with what was noted on the way."""
        notes, lost = tuple(self.notes), tuple(self.lost)
        return StillSet(
            self.root.name, layout, self.root, protocol, train, test, label_source, notes, lost
        )


@dataclass(frozen=True)
class StillLayout:
    """One way of laying out still pictures on disk."""

    looks_for: str  # what a folder of it holds, for the user
    recognise: Callable[[Path], bool]
    load: Callable[[StillRequest], StillSet]


def pictures_below(folder: Path | None) -> list[Path]:
    """Every picture in `folder` and below, in natural order.

    Hidden files and folders are not, nor what oddwatch drew.
    """
    if folder is None:
        return []
    if folder.is_file():
        return [folder]
    found = [path for path in _walk(folder) if not is_drawn(path)]
    return sorted(found, key=lambda path: [natural_key(part) for part in path.parts])


def drawn_below(folder: Path) -> list[Path]:
    """What oddwatch drew, in `folder` and below: it is left out everywhere, and said."""
    return sorted(path for path in _walk(folder) if is_drawn(path))


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _hidden(name)]
        yield from (Path(place, name) for name in names if _is_picture(name))


def has_pictures(folder: Path | None) -> bool:
    """Whether there is one in `folder` or below; ends at the first."""
    return folder is not None and any(not is_drawn(path) for path in _walk(folder))


def classes_in(folder: Path | None) -> dict[str, list[Path]]:
    """Pictures by the sub-folder they are in; those directly in `folder` under the empty name."""
    found = {own.name: pictures_below(own) for own in listing_of(folder).folders}
    direct = pictures_here(folder)
    return {name: paths for name, paths in {"": direct, **found}.items() if paths}


def pictures_here(folder: Path | None) -> list[Path]:
    """Pictures directly in `folder`, in natural order."""
    listing = listing_of(folder)
    others = (path for path in listing.others if _is_picture(path.name))
    files = [path for path in (*listing.pictures, *others) if not is_drawn(path)]
    return sorted(files, key=lambda path: natural_key(path.name))


def train_folder(root: Path) -> Path | None:
    """Where the pictures to learn from are."""
    return subfolder(root, "train", "training")


def test_folder(root: Path) -> Path | None:
    """Where the pictures to judge by are; image classification calls it val."""
    return subfolder(root, "test", "testing", "val", "valid", "validation")


def nothing_found(request: StillRequest, looks_for: str) -> DataSetError:
    """The error of a set without pictures; says first if there were files that are none."""
    if request.lost:
        return DataSetError(
            f"{request.root}: none of {len(request.lost)} pictures can be read; "
            f"the first: {request.lost[0]}"
        )
    found = say_entries(request.root) if request.root.is_dir() else "a file"
    return DataSetError(f"{request.root}: expected {looks_for}, found {found}")


def with_masks(
    request: StillRequest, stills: tuple[Still, ...], folder: Path | None
) -> tuple[Still, ...]:
    """Give anomalous pictures masks from `folder`/KIND; say how many have none or a wrong one."""
    masks: dict[str, Path] = {}
    for kind in sorted({still.kind for still in stills if still.label}):
        own = [still.name for still in stills if still.label and still.kind == kind]
        masks |= _masks_of(request, subfolder(folder, kind) if folder is not None else None, own)
    done = tuple(_masked(s, masks[s.name]) if s.name in masks else s for s in stills)
    defects = [still for still in done if still.label]
    without = [still for still in defects if still.mask is None]
    if folder is None or not defects:
        return done
    if without:
        request.problem(
            LabelError(
                f"{folder}: masks for {len(defects) - len(without)} of {len(defects)} defects; "
                f"none for {some([still.name for still in without])}"
            )
        )
    return _of_one_size(request, done, folder, len(defects) - len(without))


def say_masks(stills: Iterable[Still]) -> str:
    """How many of the anomalous pictures have a mask, as part of the label source."""
    have = [still.mask is not None for still in stills if still.label]
    return f", masks for {sum(have)} of {len(have)} defects" if any(have) else ""


def some(names: list[str], most: int = 4) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _masked(still: Still, path: Path | None) -> Still:
    mask = None if path is None else partial(read_mask, path)
    return replace(still, mask=mask)


def _masks_of(request: StillRequest, folder: Path | None, names: list[str]) -> dict[str, Path]:
    """Mask files of one kind of defect by their pictures' names.

    MVTec AD has NNN_mask.png, BTAD NNN.png or .bmp. A mask lies in `folder` as its picture does in
    test/KIND; one that does not is taken where picture and mask are the only ones called so.
    """
    masks = {_place(path.relative_to(folder)): path for path in pictures_below(folder) if folder}
    places = {name: PurePath(*PurePath(name).parts[2:]).with_suffix("") for name in names}
    times = Counter(places.values())
    pictures_called = Counter(place.name for place in places.values())
    masks_called = Counter(place.name for place in masks)
    only = {place.name: path for place, path in masks.items() if masks_called[place.name] == 1}
    found: dict[str, Path] = {}
    unclear: list[str] = []
    for name, place in places.items():
        if place in masks and times[place] == 1:
            found[name] = masks[place]
        elif place.name in only and pictures_called[place.name] == 1:
            found[name] = only[place.name]
        elif place.name in masks_called:
            unclear.append(name)
    if unclear:
        request.problem(
            LabelError(
                f"{folder}: by their names masks may be of any of {len(unclear)} pictures, and "
                f"none has one: {some(unclear)}; lay them out in the same sub-folders"
            )
        )
    return found


def _place(mask: Path) -> PurePath:
    """Where the mask's picture lies, without its suffix."""
    return PurePath(mask.parent, mask.stem.removesuffix("_mask"))


def _of_one_size(
    request: StillRequest, stills: tuple[Still, ...], folder: Path, n_masks: int
) -> tuple[Still, ...]:
    """Without the masks that are no pictures, or not as large as theirs."""
    wrong = {still.name: said for still in stills if (said := _mask_fault(still))}
    if wrong:
        name = next(iter(wrong))
        request.problem(
            LabelError(
                f"{folder}: {len(wrong)} of {n_masks} masks do not fit their pictures and are not "
                f"used; the first is that of {name}: {wrong[name]}"
            )
        )
    return tuple(_masked(still, None) if still.name in wrong else still for still in stills)


def _mask_fault(still: Still) -> str:
    """What the headers say is wrong with a mask; empty: nothing."""
    if still.mask is None or still.path is None:
        return ""
    assert isinstance(still.mask, partial)
    try:
        size = picture_size(still.mask.args[0])
    except SourceError as error:
        return str(error)
    wanted = picture_size(still.path)
    return "" if size == wanted else f"{say_size(size)}, but the picture is {say_size(wanted)}"


def say_size(size: tuple[int, int]) -> str:
    """Height and width as people write them: 640x480 is wide."""
    return f"{size[1]}x{size[0]}"


def _is_picture(name: str) -> bool:
    return not _hidden(name) and Path(name).suffix.casefold() in PICTURE_SUFFIXES


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.casefold() == "__macosx"
