"""What a comparison leaves on the disk beside its runs: tables, plots, contact sheet, page."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from models.errors import ModelError
from monitor.errors import MonitorError
from monitor.evaluation.page import Picture, drawable, write_page
from monitor.stills.comparing import MODEL, Done, Terms
from monitor.stills.comparison import Row, Run, as_csv, as_plain, read_run, rows_of
from monitor.stills.comparison_page import comparison_page
from monitor.stills.model import load_still_model
from monitor.stills.still import StillSet

log = logging.getLogger(__name__)


def write_comparison(
    out: Path, terms: Terms, done: Sequence[Done], data: StillSet, *, command: str = ""
) -> list[Row]:
    """Write `compare.json`, `compare.csv`, `compare.html` and its pictures; the rows of the table.

    Raises:
        StoreError: They cannot be written.
    """
    runs = [read_run(item) for item in done if not item.error]
    rows = rows_of(runs, [item for item in done if item.error])
    best = [run for row in rows for run in runs if run.label == row.label][:1000]
    firsts = list({run.label: run for run in reversed(best)}.values())[::-1]
    notes = [*data.notes, *_notes(runs)]
    pictures = list(_pictures(firsts, data, notes)) if firsts else []
    files = {
        "compare.html": comparison_page(terms, rows, pictures, notes=notes, command=command),
        "compare.csv": as_csv(rows),
        "compare.json": _json(terms, rows, runs, notes, command),
    }
    write_page(out, "compare.html", files, pictures)
    return rows


def _json(
    terms: Terms, rows: Sequence[Row], runs: Sequence[Run], notes: Sequence[str], command: str
) -> str:
    plain = {
        "terms": asdict(terms),
        "rows": [as_plain(row) for row in rows],
        "runs": [
            {"detector": r.label, "seed": r.seed, "folder": str(r.folder), "figures": r.figures}
            for r in runs
        ],
        "notes": list(notes),
        "command": command,
    }
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _notes(runs: Sequence[Run]) -> Iterator[str]:
    said: dict[str, list[str]] = {}
    for run in runs:
        for note in run.notes:
            said.setdefault(note, []).append(run.label)
    for note, labels in said.items():
        names = ", ".join(dict.fromkeys(labels))
        yield note if len(set(labels)) == len({run.label for run in runs}) else f"{names}: {note}"


def _pictures(runs: Sequence[Run], data: StillSet, said: list[str]) -> Iterator[Picture]:
    """Plots and the contact sheet; why some are missing goes to `said`."""
    yield from drawable(_plots(runs, data), said)
    yield from drawable(_contact_sheet(runs, data), said)


def _plots(runs: Sequence[Run], data: StillSet) -> Iterator[Picture]:
    from monitor.stills.comparison_plots import comparison_pictures

    stills = data.test or data.train
    yield from comparison_pictures(runs, {still.name: still.kind for still in stills})


def _contact_sheet(runs: Sequence[Run], data: StillSet) -> Iterator[Picture]:
    """Of the best detectors; one whose model cannot look again loses only its columns."""
    from monitor.stills.contact_sheet import MOST_COLUMNS, Sheet, draw, some_of_each_kind

    sheet = Sheet(some_of_each_kind(data.test or data.train))
    for run in runs[:MOST_COLUMNS]:
        try:
            sheet.add(run.label, load_still_model(run.folder / MODEL))
        except (MonitorError, ModelError) as error:
            log.warning("%s: no pictures for the contact sheet: %s", run.label, error)
    if not sheet.columns:
        return
    left_out = f"; the best {MOST_COLUMNS} of {len(runs)}" if len(runs) > MOST_COLUMNS else ""
    caption = (
        "Some pictures of each kind, what each detector expected there (where it has such a "
        f"thing), and its map over the picture{left_out}."
    )
    yield Picture("contact_sheet", caption, draw(sheet))
