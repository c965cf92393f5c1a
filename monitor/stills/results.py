"""`scores.csv` of stills, with `terms.csv` beside it; floats in their shortest exact form."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.errors import DataSetError
from monitor.evaluation.results import csv_table
from monitor.files import write_atomically
from monitor.stills.judging import Judged

COLUMNS = ("path", "score", "p_value", "verdict", "label")


def write_still_scores(path: Path, found: Sequence[Judged]) -> None:
    """Writes `path`, and `terms.csv` in the same folder where there are terms; atomically.

    A cell is empty where there is no score, p-value or label; labels are 0 (normal) and 1.

    Raises:
        OSError: The folder is missing or cannot be written.
    """
    write_atomically(path, csv_table(COLUMNS, map(_row, found)))
    names = sorted({name for one in found for name in one.terms})
    if names:
        rows = ((one.still.name, *(_cell(one.terms.get(name)) for name in names)) for one in found)
        write_atomically(path.with_name("terms.csv"), csv_table(("path", *names), rows))


def read_still_scores(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a `scores.csv` by column, as text.

    Raises:
        OSError: The file cannot be read.
        DataSetError: The columns are not `COLUMNS`.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise DataSetError(f"{path}: expected columns {COLUMNS}, got {reader.fieldnames}")
        yield from reader


def _row(one: Judged) -> tuple[object, ...]:
    label = "" if one.still.label is None else int(one.still.label)
    return (one.still.name, _cell(one.score), _cell(one.p_value), one.verdict, label)


def _cell(value: float | None) -> object:
    return "" if value is None else value
