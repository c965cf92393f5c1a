"""Video or stills: which half of the program is asked, and refusing what is the other half's."""

from collections.abc import Mapping
from pathlib import Path

from monitor.errors import UsageError

SEE = "see: oddwatch detectors"
FOLDER_FPS = "Folders of frames were taken at so many per second; 10 are assumed."


def folder_rate(asked: float | None, kept: float | None) -> float | None:
    """What `--folder-fps` comes to: what a model keeps, unless something else is asked for."""
    return kept if asked is None else asked


def takes_stills(detector: str) -> bool:
    """Whether the detector of that name judges still pictures.

    Raises:
        UsageError: There is no such detector.
    """
    from models.errors import UnknownDetectorError
    from models.registry import kind_of

    try:
        return kind_of(detector).kind == "image"
    except UnknownDetectorError as error:
        raise UsageError(str(error)) from error


def refuse_options(given: Mapping[str, object], detector: str, *, stills: bool) -> None:
    """Refuse options of the other kind; those that were not given are None.

    Raises:
        UsageError: One of them was given.
    """
    for name, value in given.items():
        if value is not None:
            does, other = (
                ("judges still pictures", "video detectors")
                if stills
                else ("watches video", "still-image detectors")
            )
            raise UsageError(f"{name} is for {other}, and {detector} {does}; leave it out ({SEE})")


def refuse_stills(data: str, detector: str, layout: str | None) -> None:
    """Refuse a set of still pictures for a video detector.

    Raises:
        UsageError: It is one.
    """
    from monitor.stills.opening import LAYOUTS, is_stills, recognise

    if layout in LAYOUTS or (layout is None and is_stills(Path(data))):
        found = layout or recognise(Path(data))
        raise UsageError(
            f"{data} is a set of still pictures (layout {found}), and {detector} watches video; "
            f"take a still-image detector ({SEE})"
        )


def refuse_footage(data: str, detector: str, layout: str | None) -> None:
    """Refuse footage for a still-image detector.

    Raises:
        UsageError: It is some.
    """
    found = layout if layout is not None else _footage_layout(data)
    from monitor.datasets import LAYOUTS

    if found in LAYOUTS:
        raise UsageError(
            f"{data} is footage (layout {found}), and {detector} judges still pictures; "
            f"take a video detector ({SEE})"
        )


def _footage_layout(data: str) -> str | None:
    """What it is, unless it may also be taken for pictures; None for what is not there."""
    from monitor import datasets
    from monitor.files import no_file
    from monitor.sources import is_device
    from monitor.stills.opening import footage_layout, recognise

    if "://" in data or is_device(data):
        return "video"
    root = Path(data)
    if not root.exists() or no_file(root):
        return None
    first = footage_layout(root)
    if first is not None or recognise(root) is not None:
        return first
    return next((name for name, own in datasets.LAYOUTS.items() if own.recognise(root)), None)
