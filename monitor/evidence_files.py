"""Evidence as it lies on the disk: which files are an alert's, which are half-written. No database.

Files are named after their alert's id, a ULID, in a folder per camera; nothing else in there is
ever taken for evidence.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

EVIDENCE = re.compile(r"([0-9A-HJKMNP-TV-Z]{26})(?:-plain)?\.(?:jpg|mp4)")  # Crockford's letters
PARTIAL = re.compile(r"\.[\w.-]+\.part")
DEPTH = 2  # folder/camera/file


@dataclass(frozen=True, slots=True)
class Found:
    """One file."""

    path: Path
    alert_id: str  # empty: half-written
    size_bytes: int
    changed_s: float  # Unix time


def walk(folder: Path) -> Iterator[Found]:
    """All evidence and half-written files; what vanishes meanwhile is passed over."""
    yield from _walk(str(folder), DEPTH)


def _walk(folder: str, depth: int) -> Iterator[Found]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth > 1:
                    yield from _walk(entry.path, depth - 1)
                continue
            owner = _owner(entry.name)
            if owner is not None and entry.is_file(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                yield Found(Path(entry.path), owner, found.st_size, found.st_mtime)
        except OSError:
            continue


def _owner(name: str) -> str | None:
    """The alert's id, empty for a half-written file, None for anything else."""
    if matched := EVIDENCE.fullmatch(name):
        return matched[1]
    return "" if PARTIAL.fullmatch(name) else None


def place_of(folder: Path, kept: str) -> Path:
    """Where a path that a row names lies.

    An engine's are within `folder`, a watch's begin where it was started, and a folder may have
    been moved since.
    """
    path = Path(kept)
    if path.is_absolute():
        return path
    within = [folder / path, folder.joinpath(*path.parts[-DEPTH:]), path]
    return next((one for one in within if one.is_file()), within[0])


def files_of(folder: Path, *paths: str) -> list[Path]:
    """The files at an alert's paths and those beside them that are of the same alert.

    What lies outside of `folder` is not given: nothing there is ever removed.
    """
    home = folder.resolve()
    found: dict[Path, None] = {}
    for path in (place_of(home, text) for text in paths if text):
        inside = path.resolve().is_relative_to(home)
        matched = EVIDENCE.fullmatch(path.name)
        if inside and matched:
            names = (f"{matched[1]}{ending}" for ending in (".jpg", "-plain.jpg", ".mp4"))
            found |= dict.fromkeys(path.with_name(name) for name in names)
        elif inside:
            found[path] = None
    return [path for path in found if path.is_file()]
