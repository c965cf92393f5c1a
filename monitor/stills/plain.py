"""One picture, or a folder of them, nested or not: normal to learn from, unlabelled to judge."""

from dataclasses import replace
from pathlib import Path

from monitor.stills.layout import (
    StillLayout,
    StillRequest,
    classes_in,
    has_pictures,
    nothing_found,
    pictures_below,
    some,
)
from monitor.stills.reading import PICTURE_SUFFIXES
from monitor.stills.still import StillSet


def recognise(root: Path) -> bool:
    """Whether there is any picture."""
    if root.is_file():
        return root.suffix.casefold() in PICTURE_SUFFIXES
    return has_pictures(root)


def load(request: StillRequest) -> StillSet:
    """All there is, at once to learn from and to judge."""
    root = request.root
    paths = pictures_below(root)
    normal = request.stills(paths, "", label=False)
    if not normal:
        raise nothing_found(request, LAYOUT.looks_for)
    unknown = tuple(replace(still, label=None) for still in normal)
    folders = [name for name in classes_in(root) if name] if root.is_dir() else []
    if folders:
        request.notes.append(
            f"{len(folders)} sub-folders ({some(folders)}) are all taken as normal pictures; "
            "layout image_folder takes them for classes"
        )
    return request.made("plain", "all pictures are taken as normal; no truth", normal, unknown)


LAYOUT = StillLayout("pictures, in sub-folders or not", recognise, load)
