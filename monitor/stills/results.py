"""`scores.csv` of stills, with `terms.csv` beside it; floats in their shortest exact form."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from monitor.errors import DataSetError
from monitor.evaluation.results import csv_table
from monitor.stills.judging import Judged

COLUMNS = ("path", "score", "p_value", "verdict", "label")


def still_tables(found: Sequence[Judged]) -> dict[str, str]:
    """The text of `scores.csv`, and of `terms.csv` where there are terms.

    A cell is empty where there is no score, p-value or label; labels are 0 (normal) and 1.
    """
    scores = csv_table(COLUMNS, map(_row, found))
    names = sorted({name for one in found for name in one.terms})
    if not names:
        return {"scores.csv": scores}
    rows = ((one.still.name, *(_cell(one.terms.get(name)) for name in names)) for one in found)
    return {"scores.csv": scores, "terms.csv": csv_table(("path", *names), rows)}


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
