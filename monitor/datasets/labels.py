"""Frame truth in the forms it circulates in; every parser gives one bool array per clip.

Parsers that need the clips' lengths take them as `counts`, name to frames, in natural order.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.datasets.masks import load_array, load_mat
from monitor.datasets.video import Labels
from monitor.errors import LabelError

Counts = Mapping[str, int]
Truth = dict[str, Labels]


@dataclass(frozen=True)
class Span:
    """Anomalous frames, first and last, counted from 1 as MATLAB does."""

    first: int
    last: int


def from_spans(spans: Iterable[Span], n_frames: int, where: str, *, slack: int = 0) -> Labels:
    """Flags of one clip.

    Raises:
        LabelError: If a span ends more than `slack` frames beyond the clip, or begins before it.
    """
    labels = np.zeros(n_frames, np.bool_)
    for span in spans:
        if span.first < 1 or span.last > n_frames + slack or span.first > span.last:
            raise LabelError(
                f"{where}: anomalous frames {span.first} to {span.last}, but the clip has "
                f"{n_frames} frames"
            )
        labels[span.first - 1 : span.last] = True
    return labels


def read_m(path: Path) -> list[list[Span]]:
    """UCSD's UCSDpedN.m: `TestVideoFile{end+1}.gt_frame = [5:90, 140:200];`, a line per clip."""
    text = "\n".join(line.partition("%")[0] for line in path.read_text("latin-1").splitlines())
    return [_ranges(inside) for inside in re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", text)]


def read_mat(path: Path, counts: Counts, *, slack: int = 0) -> Truth:
    """A .mat with `gt` (a cell of 2 x n spans per clip), or with flags under each clip's name."""
    content = load_mat(path)
    if "gt" in content:
        cells = content["gt"].ravel()
        plain = cells.dtype != object  # a single clip, saved without a cell around it
        spans = [_columns(cell, path) for cell in ([content["gt"]] if plain else cells)]
        return spans_by_clip(spans, counts, path, slack=slack)
    if {int(name) for name in counts if name.isdigit()} <= {int(k) for k in content if k.isdigit()}:
        return _flags_by_key(content, counts, path)
    raise LabelError(
        f"{path}: expected the key gt, or one key per clip ({_some(counts)}), "
        f"found {_some(content)}"
    )


def read_flat(path: Path, counts: Counts) -> Truth:
    """An .npy with one flag per frame, all clips after each other in natural order."""
    flags = _flags(load_array(path), path)
    total = sum(counts.values())
    if len(flags) != total:
        raise LabelError(
            f"{path}: {len(flags)} labels, but the {len(counts)} test clips "
            f"({_some(counts)}) have {total} frames"
        )
    ends = np.cumsum(list(counts.values()))[:-1]
    return dict(zip(counts, np.split(flags, ends), strict=True))


def read_clip(path: Path, n_frames: int) -> Labels:
    """One clip's own file: .npy flags; .txt with a 0 or 1 per frame, or lines of "first last"."""
    if path.suffix == ".npy":
        return _flags(load_array(path), path)
    rows = [line.replace(",", " ").split() for line in path.read_text("utf-8").splitlines()]
    try:
        numbers = [[int(float(word)) for word in row] for row in rows if row]
    except ValueError as error:
        raise LabelError(f"{path}: expected numbers, got {error}") from error
    flat = [number for row in numbers for number in row]
    if set(flat) <= {0, 1} and not (len(flat) == 2 and n_frames != 2):
        return np.asarray(flat, np.bool_)
    if any(len(row) != 2 for row in numbers):
        raise LabelError(f'{path}: expected a 0 or 1 per frame, or lines of "first last"')
    return from_spans([Span(*row) for row in numbers], n_frames, str(path))


def spans_by_clip(
    spans: Sequence[Iterable[Span]], counts: Counts, path: Path, *, slack: int = 0
) -> Truth:
    """Flags of all clips from their spans, both in natural order."""
    if len(spans) != len(counts):
        raise LabelError(
            f"{path}: truth of {len(spans)} clips, but there are {len(counts)} test clips "
            f"({_some(counts)})"
        )
    return {
        name: from_spans(own, n_frames, f"{path}: clip {name}", slack=slack)
        for own, (name, n_frames) in zip(spans, counts.items(), strict=True)
    }


def _ranges(text: str) -> list[Span]:
    found = re.findall(r"(\d+)(?:\s*:\s*(\d+))?", text)
    return [Span(int(first), int(last or first)) for first, last in found]


def _columns(cell: NDArray[Any], path: Path) -> list[Span]:
    """Spans of a 2 x n array; n x 2 where that is the only way to read it."""
    if cell.size == 0:
        return []
    columns = cell if cell.ndim == 2 and cell.shape[0] == 2 else cell.T
    if columns.ndim != 2 or columns.shape[0] != 2:
        raise LabelError(f"{path}: expected spans as 2 x n, got an array of shape {cell.shape}")
    return [Span(int(first), int(last)) for first, last in columns.T]


def _flags_by_key(content: Mapping[str, NDArray[Any]], counts: Counts, path: Path) -> Truth:
    by_number = {int(key): value for key, value in content.items() if key.isdigit()}
    return {
        name: _flags(content[name] if name in content else by_number[int(name)], path)
        for name in counts
    }


def _flags(array: NDArray[Any], path: Path) -> Labels:
    """A vector of 0 and 1 in whatever shape, as (N,) of bool."""
    if array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
        raise LabelError(f"{path}: expected one flag per frame, got shape {array.shape}")
    if not np.isin(array, (0, 1)).all():
        raise LabelError(f"{path}: expected only 0 (normal) and 1 (anomalous)")
    return np.asarray(array).ravel().astype(np.bool_)


def _some(names: Iterable[str], most: int = 3) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f", ... {names[-1]}" if len(names) > most else "")
