"""What came of the runs of a comparison: figures per detector over its seeds, as rows of a table.

Figures of whole pictures are recomputed from `scores.csv`, so that intervals over several seeds
can be had; figures of places are those of each run's report.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from monitor.evaluation.metrics import (
    BoolArray,
    FloatArray,
    Interval,
    area_from_counts,
    auroc,
    average_precision,
    has_both_classes,
)
from monitor.stills.comparing import FACTS, Done

REPLICATES = 1000  # of the bootstrap; the third digit of an interval's ends is then stable
COLUMNS = {  # of the table; the figures that have a spread over seeds
    "auroc": "AUROC",
    "ap": "AP",
    "f1": "F1",
    "pixel_auroc": "pixel AUROC",
    "aupro": "AUPRO",
    "minutes": "minutes",
    "parameters": "parameters",
    "ms_per_picture": "ms/picture",
}
MEANINGS = (
    "AUROC with its 95 % interval (bootstrap over the test pictures); AP: average precision; "
    "F1: at the threshold as deployed, set on normal pictures alone; ms/picture: judged by itself, "
    "reading included; several seeds: the mean, and the lowest and highest"
)


@dataclass(frozen=True, eq=False)
class Run:
    """The scores and figures of one finished run."""

    label: str
    seed: int
    folder: Path
    paths: tuple[str, ...]
    scores: FloatArray  # (N,) of the pictures that could be judged
    displayed: FloatArray  # (N,) 0 typical, 1 the threshold; the scores where there is none
    labels: BoolArray | None  # (N,) None where there is no truth
    figures: Mapping[str, float | None]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Row:
    """One detector with its options: means over seeds, or why there are none."""

    label: str
    seeds: tuple[int, ...]
    means: Mapping[str, float | None] = field(default_factory=dict)
    spreads: Mapping[str, Interval] = field(default_factory=dict)  # lowest and highest of the seeds
    interval: Interval | None = None  # of the mean AUROC
    error: str = ""


def read_run(done: Done) -> Run:
    """A finished run from its folder.

    Raises:
        OSError: A file is missing.
    """
    with (done.folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if np.isfinite(float(row["score"] or "nan"))]
    if any(row["label"] for row in rows):
        rows = [row for row in rows if row["label"]]
    facts = json.loads((done.folder / FACTS).read_text(encoding="utf-8"))
    report = json.loads((done.folder / "report.json").read_text(encoding="utf-8"))
    scores = np.array([float(row["score"]) for row in rows])
    labels = None
    if rows and all(row["label"] for row in rows):
        labels = np.array([row["label"] == "1" for row in rows])
    called = np.array([row["verdict"] == "defective" for row in rows])
    figures = {name: report.get(name) for name in ("pixel_auroc", "aupro")}
    figures |= {name: facts[name] for name in ("minutes", "parameters", "ms_per_picture")}
    return Run(
        label=done.plan.label,
        seed=done.plan.seed,
        folder=done.folder,
        paths=tuple(row["path"] for row in rows),
        scores=scores,
        displayed=_displayed(scores, facts),
        labels=labels,
        figures=_ranking(labels, scores, called, judged=facts["threshold"] is not None) | figures,
        notes=tuple(facts["notes"]),
    )


def _displayed(scores: FloatArray, facts: Mapping[str, Any]) -> FloatArray:
    if facts["threshold"] is None:
        return scores
    typical, threshold = float(facts["median"]), float(facts["threshold"])
    return (scores - typical) / (threshold - typical)


def _ranking(
    labels: BoolArray | None, scores: FloatArray, called: BoolArray, *, judged: bool
) -> dict[str, float | None]:
    if labels is None or not has_both_classes(labels) or not np.isfinite(scores).all():
        return {"auroc": None, "ap": None, "f1": None}
    hits, wrong = int((called & labels).sum()), int((called != labels).sum())
    return {
        "auroc": auroc(labels, scores),
        "ap": average_precision(labels, scores),
        "f1": 2 * hits / (2 * hits + wrong) if judged else None,
    }


def rows_of(runs: Sequence[Run], failed: Sequence[Done]) -> list[Row]:
    """A row for each detector with its options, the best AUROC first, failures last."""
    labels = dict.fromkeys(run.label for run in runs)
    rows = [_row(label, [run for run in runs if run.label == label]) for label in labels]
    rows.sort(key=lambda row: -(row.means.get("auroc") or -1.0))
    errors = {done.plan.label: done for done in failed}
    seeds = {label: [d.plan.seed for d in failed if d.plan.label == label] for label in errors}
    return rows + [Row(n, tuple(seeds[n]), error=done.error) for n, done in errors.items()]


def _row(label: str, runs: Sequence[Run]) -> Row:
    means: dict[str, float | None] = {}
    spreads: dict[str, Interval] = {}
    for name in COLUMNS:
        values = [value for run in runs if (value := run.figures[name]) is not None]
        means[name] = float(np.mean(values)) if len(values) == len(runs) else None
        if len(values) == len(runs) > 1:
            spreads[name] = Interval(min(values), max(values))
    return Row(label, tuple(run.seed for run in runs), means, spreads, mean_interval(runs))


def mean_interval(runs: Sequence[Run], *, confidence: float = 0.95) -> Interval | None:
    """Percentile bootstrap over pictures of the AUROC, the mean of it for several seeds.

    All runs must have scored the same pictures; None where they have not, or without truth.
    """
    labels = runs[0].labels
    same = all(run.paths == runs[0].paths for run in runs)
    if labels is None or not same or any(run.figures["auroc"] is None for run in runs):
        return None
    bins = [np.unique(run.scores, return_inverse=True)[1] for run in runs]
    rng = np.random.default_rng(0)
    areas: list[float] = []
    for _ in range(REPLICATES):
        times = np.bincount(rng.integers(len(labels), size=len(labels)), minlength=len(labels))
        drawn = [(np.bincount(b, times * ~labels), np.bincount(b, times * labels)) for b in bins]
        if drawn[0][0].any() and drawn[0][1].any():
            areas.append(float(np.mean([area_from_counts(*counts) for counts in drawn])))
    tail = (1 - confidence) / 2
    low, high = np.quantile(areas, [tail, 1 - tail])
    return Interval(float(low), float(high))


def table_of(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Heads and cells, as people read them; a failure's reason stands in its own line."""
    heads = ["detector", "AUROC", "95 %", *list(COLUMNS.values())[1:]]
    if any(len(row.seeds) > 1 for row in rows):
        heads.insert(1, "seeds")
    cells = [_cells(row, seeds="seeds" in heads) for row in rows if not row.error]
    return heads, cells


def _cells(row: Row, *, seeds: bool) -> list[str]:
    interval = row.interval
    between = "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
    texts = {name: _say(row, name) for name in COLUMNS}
    rest = [text for name, text in texts.items() if name != "auroc"]
    number = [str(len(row.seeds))] if seeds else []
    return [row.label, *number, texts["auroc"], between, *rest]


def _say(row: Row, name: str) -> str:
    value, spread = row.means[name], row.spreads.get(name)
    if value is None:
        return "-"
    if name == "parameters":
        return f"{value:,.0f}" if value else "-"  # without a network, such as svdd
    digits = 1 if name in ("minutes", "ms_per_picture") else 3
    text = f"{value:.{digits}f}"
    if spread is None or digits == 1:
        return text
    return f"{text} ({spread.low:.3f}-{spread.high:.3f})"


def as_csv(rows: Sequence[Row]) -> str:
    """Every figure with its spread, for spreadsheets; empty where there is none."""
    text = io.StringIO(newline="")
    heads = ["detector", "seeds", "auroc_low", "auroc_high"]
    heads += [f"{name}{end}" for name in COLUMNS for end in ("", "_least", "_most")] + ["error"]
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        plain = as_plain(row)
        low, high = plain.pop("auroc_interval") or (None, None)
        values: dict[str, Any] = {"auroc_low": low, "auroc_high": high}
        for name, value in plain.pop("figures").items():
            least, most = plain["spreads"].get(name, (None, None))
            values |= {name: value, f"{name}_least": least, f"{name}_most": most}
        values |= {"detector": row.label, "seeds": " ".join(map(str, row.seeds))}
        values["error"] = row.error
        writer.writerow({name: "" if v is None else v for name, v in values.items()})
    return text.getvalue()


def as_plain(row: Row) -> dict[str, Any]:
    """For JSON."""
    interval = row.interval
    return {
        "detector": row.label,
        "seeds": list(row.seeds),
        "figures": dict(row.means),
        "auroc_interval": None if interval is None else [interval.low, interval.high],
        "spreads": {name: [s.low, s.high] for name, s in row.spreads.items()},
        "error": row.error or None,
    }
