"""Sets of still pictures, recognised by how they lie on disk. Imports no torch by itself."""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from monitor import datasets
from monitor.datasets.layout import listing_of, refuse
from monitor.drawn import say_drawn
from monitor.errors import DataSetError, MonitorError, SourceNotFoundError, UsageError
from monitor.files import no_file, plain_path
from monitor.sources.listing import say_entries
from monitor.stills import btad, classes, mvtec, plain, synthetic, torchvision_sets
from monitor.stills.layout import (
    NORMAL_NAMES,
    StillLayout,
    StillRequest,
    drawn_below,
    nothing_found,
    some,
    test_folder,
    train_folder,
)
from monitor.stills.protocol import ONE_NORMAL
from monitor.stills.still import StillSet

LAYOUTS: dict[str, StillLayout] = {  # tried in this order
    "mnist": torchvision_sets.MNIST,
    "fashion_mnist": torchvision_sets.FASHION_MNIST,
    "cifar10": torchvision_sets.CIFAR10,
    "mvtec": mvtec.LAYOUT,
    "btad": btad.LAYOUT,
    "classes": classes.LAYOUT,
    "image_folder": classes.WHOLE,
    "plain": plain.LAYOUT,
    "synthetic": synthetic.LAYOUT,
}
VIDEO_FIRST = ("ucsd", "avenue", "shanghaitech", "frames")  # some look like class folders
CLASSLESS = {"mvtec": "classes", "btad": "classes", "plain": "image_folder"}  # what else it may be


def open_stills(
    path: str | Path,
    *,
    layout: str | None = None,
    protocol: str | None = None,
    normal: str | None = None,
    strict: bool = False,
    fault: Callable[[MonitorError], None] | None = None,
) -> StillSet:
    """Find the pictures of a set, and their truth; headers are read, no picture is decoded yet.

    Args:
        path: A folder, or one picture.
        layout: A key of `LAYOUTS`; None: recognise it.
        protocol: `one-normal:CLASS` or `one-abnormal:CLASS`; for `synthetic`, `severity:N`.
        normal: Which class is normal; short for `one-normal:CLASS`.
        strict: Raise at a file that is no picture, or a mask that does not fit, instead of leaving
            it out; it is then in `lost` or `notes`.
        fault: Told of each of these; by default raises it if `strict`.

    Raises:
        DataSetError: If there is no such layout there, or no picture, or no such class.
        UsageError: If there is no such layout or protocol at all.
        SourceNotFoundError: If there is nothing at `path`.
    """
    root = plain_path(path)
    if not root.exists():
        raise SourceNotFoundError(f"{path}: expected pictures, found nothing there")
    if odd := no_file(root):
        raise DataSetError(f"{path}: expected pictures, found {odd}")
    asked = protocol or normal
    name = known(layout) if layout is not None else recognise(root, asked)
    if fault is None:
        fault = refuse if strict else _let_go
    request = StillRequest(root, protocol, normal, fault)
    if drawn := drawn_below(root):
        request.notes.append(say_drawn(drawn))
    if name is None:
        raise _not_recognised(request)
    if asked and name in CLASSLESS:
        raise UsageError(f"{asked}: layout {name} has its own protocol; classes may be asked for")
    found = LAYOUTS[name].load(request)
    return replace(found, asked=protocol or (normal and f"{ONE_NORMAL}:{normal}"))


def recognise(root: Path, asked: str | None = None) -> str | None:
    """The name of the still layout of what lies at `root`; None: no pictures there.

    Args:
        root: A folder or a file.
        asked: The protocol or normal class that was asked for; a folder of folders is then classes.

    Raises:
        DataSetError: If there are several sets in it, or it is footage.
    """
    if not root.is_dir():
        return "plain" if plain.recognise(root) else None
    _refuse_several(root)
    footage = footage_layout(root)
    if footage:
        raise DataSetError(
            f"{root}: is footage (layout {footage}), which detectors of video take; for its frames "
            "one by one, name a folder of them"
        )
    name = next((name for name, layout in LAYOUTS.items() if layout.recognise(root)), None)
    return CLASSLESS.get(name, name) if name and asked else name


def is_stills(root: Path) -> bool:
    """Whether data of no stated layout is a set of stills rather than footage.

    A folder that directly holds pictures is a video, frame by frame: both are possible, and the
    video half was there first.
    """
    if no_file(root) or (root.is_dir() and (footage_layout(root) or _holds_films(root))):
        return False
    try:
        name = recognise(root)
    except DataSetError:  # several sets: of stills, and opening says so
        return True
    if root.is_file():
        return name is not None
    if name in ("plain", None):
        video = any(layout.recognise(root) for layout in datasets.LAYOUTS.values())
        return name == "plain" and not video
    return True


def known(layout: str) -> str:
    """The layout, if there is one of that name.

    Raises:
        UsageError: If there is none.
    """
    if layout in LAYOUTS:
        return layout
    near = get_close_matches(layout, LAYOUTS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"layout {layout}: not known; known are {', '.join(LAYOUTS)}{hint}")


def footage_layout(root: Path) -> str | None:
    """The layout of published footage that looks like class folders; None: it is none."""
    found = next((n for n in VIDEO_FIRST if datasets.LAYOUTS[n].recognise(root)), None)
    learned = listing_of(train_folder(root)).folders
    normal = any(path.name.casefold().startswith(NORMAL_NAMES) for path in learned)
    return None if found == "frames" and normal else found


def _holds_films(root: Path) -> bool:
    """Whether there are video files where the video half looks; pictures beside are previews."""
    places = (root, train_folder(root), test_folder(root))
    return any(listing_of(place).videos for place in places)


def _refuse_several(root: Path) -> None:
    """Several categories of MVTec AD, or several of torchvision's sets, are several sets."""
    inside = [
        path.name
        for path in listing_of(root).folders
        if mvtec.recognise(path) or btad.recognise(path)
    ]
    if inside:
        raise DataSetError(
            f"{root}: holds {len(inside)} data sets ({some(inside)}); name one of them, "
            f"e.g. {root / inside[0]}"
        )
    found = [name for name in torchvision_sets.NAMES if LAYOUTS[name].recognise(root)]
    if len(found) > 1:
        raise DataSetError(f"{root}: holds {' and '.join(found)}; say which with the layout")


def _not_recognised(request: StillRequest) -> DataSetError:
    if request.root.is_file():
        return nothing_found(request, "a picture or a folder of them")
    wanted = "; ".join(f"{name}: {layout.looks_for}" for name, layout in LAYOUTS.items())
    return DataSetError(
        f"{request.root}: no pictures there; looked for {wanted}; found {say_entries(request.root)}"
    )


def _let_go(problem: MonitorError) -> None:
    """It is in the set's `lost` or `notes`."""
