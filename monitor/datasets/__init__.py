"""Data sets: clips with their truth, recognised by how they lie on disk."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from math import inf
from pathlib import Path

from monitor.datasets import avenue, frames, shanghaitech, ucsd, videos
from monitor.datasets.layout import DataSet, Layout, Request, refuse
from monitor.datasets.masks import Masks
from monitor.datasets.video import Labels, Video
from monitor.errors import DataSetError, MonitorError, SourceNotFoundError, UsageError
from monitor.files import no_file, plain_path
from monitor.sources import FOLDER_RATE_HZ, is_device, open_source
from monitor.sources.listing import say_entries

__all__ = ["LAYOUTS", "DataSet", "Labels", "Layout", "Masks", "Video", "open_data"]

LAYOUTS = {  # tried in this order
    "ucsd": ucsd.LAYOUT,
    "avenue": avenue.LAYOUT,
    "shanghaitech": shanghaitech.LAYOUT,
    "frames": frames.LAYOUT,
    "video": videos.VIDEO,
    "videos": videos.VIDEOS,
}


def open_data(
    path: str | Path,
    *,
    layout: str | None = None,
    labels: str | None = None,
    folder_rate_hz: float | None = None,
    strict: bool = False,
    fault: Callable[[MonitorError], None] = refuse,
) -> DataSet:
    """Find the clips of a data set, and its truth; no frame is decoded yet.

    Args:
        path: A folder, a video, an address or a camera.
        layout: A key of `LAYOUTS`; None: recognise it.
        labels: Which truth to take where there are several; see the layout's `label_sources`.
        folder_rate_hz: Frames per second that folders of frames were taken at; None: not known.
        strict: Raise at a frame that cannot be read, instead of leaving it out.
        fault: Told of what is wrong with the truth; by default raises it.

    Raises:
        DataSetError: If there is no such layout there.
        LabelError: If labels and frames do not match.
        SourceNotFoundError: If there is nothing at `path`.
        UsageError: If `layout` or `labels` is not known, or the rate is not over 0.
    """
    if folder_rate_hz is not None and not 0 < folder_rate_hz < inf:
        raise UsageError(
            f"folders at {folder_rate_hz:g} frames per second: expected a number over 0"
        )
    if "://" in str(path) or is_device(str(path)):
        return _open_live(str(path), strict=strict)
    root = Path(path)
    if not root.exists():
        raise SourceNotFoundError(f"{root}: expected a data set or a video, found nothing there")
    if found := no_file(root):
        raise DataSetError(f"{root}: expected a data set or a video, found {found}")
    name = _known(layout) if layout is not None else recognise(root)
    _check_labels(name, labels)
    if root.is_file() and not LAYOUTS[name].recognise(root):
        raise DataSetError(f"{root}: expected {LAYOUTS[name].looks_for}, found a file")
    data = LAYOUTS[name].load(
        Request(plain_path(root), labels, folder_rate_hz, strict=strict, fault=fault)
    )
    notes = (*data.notes, *_assumed(data))
    return replace(data, notes=notes, folder_rate_hz=folder_rate_hz)


def _assumed(data: DataSet) -> Iterator[str]:
    """What is to be said of folders whose rate nobody has stated."""
    videos = (*data.train, *data.test)
    if any(video.folder_rate_hz is None and Path(video.path).is_dir() for video in videos):
        yield (
            f"folders of frames have no clock: {FOLDER_RATE_HZ:g} frames per second are assumed; "
            "--folder-fps says otherwise"
        )


def recognise(root: Path) -> str:
    """The name of the layout of what lies at `root`."""
    for name, layout in LAYOUTS.items():
        if layout.recognise(root):
            return name
    if root.is_dir() and not any(root.iterdir()):
        raise DataSetError(
            f"{root}: no known layout: the folder is empty; expected a data set or videos"
        )
    wanted = "; ".join(f"{name}: {layout.looks_for}" for name, layout in LAYOUTS.items())
    raise DataSetError(f"{root}: no known layout; looked for {wanted}; found {say_entries(root)}")


def _known(layout: str) -> str:
    if layout in LAYOUTS:
        return layout
    near = get_close_matches(layout, LAYOUTS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UsageError(f"layout {layout}: not known; known are {', '.join(LAYOUTS)}{hint}")


def _check_labels(name: str, labels: str | None) -> None:
    sources = LAYOUTS[name].label_sources
    files = any(source.startswith("FILE") for source in sources)
    if labels is not None and labels not in sources and not files:
        known = " or ".join(sources) if sources else "none: it has no labels"
        raise UsageError(f"labels {labels}: not known for layout {name}; it has {known}")


def _open_live(address: str, *, strict: bool) -> DataSet:
    source = open_source(address, strict=strict)
    video = Video(source.name, address, strict=strict)
    vars(video)["source"] = source  # already open; a camera is not opened twice
    return DataSet(source.name, "video", source.name, (video,), (video,))
