"""What lies in a folder: pictures, videos, folders, litter; in natural order (2 before 10)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
VIDEOS = frozenset(
    {".avi", ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts"}
    | {".wmv", ".flv", ".3gp", ".ogv", ".asf", ".mjpeg", ".mjpg", ".h264", ".264", ".hevc", ".265"}
)
LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})  # and everything that begins with "."


@dataclass(frozen=True)
class Listing:
    """A folder's entries by kind, each kind in natural order."""

    pictures: tuple[Path, ...] = ()
    videos: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    litter: tuple[Path, ...] = ()


def list_folder(folder: Path) -> Listing:
    """Look at one folder, not below it."""
    kinds: dict[str, list[Path]] = {}
    for path in natural_order(folder.iterdir()):
        kinds.setdefault(_kind(path), []).append(path)
    return Listing(**{kind: tuple(paths) for kind, paths in kinds.items()})


def natural_order(paths: Iterable[Path]) -> list[Path]:
    """Sorted by name with numbers as numbers: data sets number with and without zeros."""
    return sorted(paths, key=lambda path: (natural_key(path.name), path.name))


def natural_key(name: str) -> tuple[tuple[str, int], ...]:
    """A sort key: "Test2" before "Test10", "01_0014" before "01_0015"."""
    parts = re.findall(r"(\D*)(\d*)", name.casefold())
    return tuple((text, int(digits) if digits else -1) for text, digits in parts)


def find_holes(paths: Sequence[Path]) -> list[str]:
    """Numbers that a numbered series leaves out, as "17" or "18-20"; any start, any even step."""
    found = [re.search(r"(\d+)$", path.stem) for path in paths]
    numbers = [int(match[1]) for match in found if match]
    if len(numbers) != len(paths) or len(numbers) < 3:
        return []
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps)
    if step < 1:
        return []
    holes = [(n + step, n + jump - step) for n, jump in zip(numbers, steps, strict=False)]
    return [str(a) if a == b else f"{a}-{b}" for a, b in holes if a <= b]


def say_entries(folder: Path, most: int = 6) -> str:
    """What a folder holds, in words for an error message."""
    names = [path.name + "/" * path.is_dir() for path in natural_order(folder.iterdir())]
    if not names:
        return "nothing at all"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _kind(path: Path) -> str:
    if path.name.startswith(".") or path.name.casefold() in LITTER:
        return "litter"
    if path.is_dir():
        return "folders"
    if path.suffix.casefold() in PICTURES:
        return "pictures"
    return "videos" if path.suffix.casefold() in VIDEOS else "others"
