"""Turns verdicts on stills into the figures of `report.json`, and into lines for the terminal.

A figure that does not apply is None, with the reason in `notes`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from monitor.computed import computed_figures, mixed
from monitor.evaluation import metrics
from monitor.evaluation.metrics import BoolArray, FloatArray
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.report import (
    Figures,
    Report,
    RunFacts,
    by_what,
    figure_or_none,
    pixel_figures,
    shown,
)
from monitor.intervals import share_interval
from monitor.stills.judging import Judged
from monitor.stills.maps import SIGMA

CONFIDENCE = 0.95

STILL_PROTOCOLS = {
    "auroc": "raw scores of all labelled pictures in one ranking; a random score gets 0.5",
    "ap": "average precision of the raw scores; a random score gets the prevalence",
    "eer": "where misses and false alarms are equally frequent, raw scores",
    "f1_max": "oracle: the threshold is chosen on the test labels, an upper bound",
    "f1": "at the deployed threshold, which was set on held-out normal pictures alone",
    "pixel_auroc": "all pixels of all pictures in one ranking; maps bilinear to the mask's size, "
    f"then blurred, sigma {SIGMA:g} pixels",
    "aupro": "overlap averaged over labelled regions, for FPR up to 0.3, divided by 0.3; maps as "
    "for pixel AUROC",
    "false_alarm_rate_measured": "share of the normal test pictures above the deployed threshold",
}


@dataclass(frozen=True, kw_only=True)
class StillFacts:
    """What is known of a run over stills besides what the video report has too."""

    run: RunFacts
    protocol: str  # what was learned and what counts as anomalous
    parameters: int  # of the detector, learned numbers
    size: tuple[int, int]  # of its input, height and width


def still_report(
    facts: StillFacts, found: Sequence[Judged], pixels: PixelFigures | None = None
) -> Report:
    """All figures of judged pictures; those without a score or a label count where they can."""
    notes = [*facts.run.notes, *mixed(facts.run.computed)]
    scored = [one for one in found if one.score is not None and isfinite(one.score)]
    labelled = [one for one in scored if one.still.label is not None]
    if not labelled:
        notes.append("no picture has a label: the figures that need them are null")
    elif len(labelled) < len(scored):
        notes.append(f"{len(scored) - len(labelled)} pictures without a label are in no figure")
    reasons = notes if labelled else []
    figures = {
        **_facts(facts, found, scored, labelled),
        **_ranking(labelled, reasons),
        **pixel_figures(pixels, notes),
        "pixel_smoothing_sigma": None if pixels is None else SIGMA,
        **_at_threshold(facts.run, labelled, notes),
        "rules": _rules(labelled),
        "kinds": kind_table(scored),
        "protocols": STILL_PROTOCOLS,
        "notes": notes,
    }
    return Report(figures)


def still_summary_lines(report: Report) -> list[str]:
    """The report in a few lines of plain text, for a terminal."""
    figures = report.figures
    head, *rest = _all_lines(report)
    told = rest if figures["prevalence"] is not None else []
    return [head, *told, *(f"note: {note}" for note in report.texts("notes"))]


def labels_of(found: Sequence[Judged]) -> BoolArray:
    """(N,), of pictures that all have one."""
    return np.array([bool(one.still.label) for one in found], np.bool_)


def scores_of(found: Sequence[Judged]) -> FloatArray:
    """(N,), of pictures that all have one."""
    return np.array([one.score for one in found], np.float64)


def kind_table(scored: Sequence[Judged]) -> dict[str, Figures]:
    """By kind of picture: how many, median score, share called defective, AUROC against normal."""
    normal = [one for one in scored if one.still.label is False]
    counts = Counter(one.still.kind or "unknown" for one in scored)
    table: dict[str, Figures] = {}
    for kind in counts:
        own = [one for one in scored if (one.still.kind or "unknown") == kind]
        anomalous = [one for one in own if one.still.label]
        judged = [one for one in own if one.verdict != "unjudged"]
        called = sum(one.verdict == "defective" for one in judged)
        table[kind] = {
            "pictures": len(own),
            "median_score": float(np.median(scores_of(own))),
            "called_defective": called / len(judged) if judged else None,
            "auroc": _auroc(normal, anomalous) if normal and anomalous else None,
        }
    return table


def _auroc(normal: Sequence[Judged], anomalous: Sequence[Judged]) -> float:
    both = [*normal, *anomalous]
    return metrics.auroc(labels_of(both), scores_of(both))


def _facts(
    facts: StillFacts, found: Sequence[Judged], scored: Sequence[Judged], labelled: Sequence[Judged]
) -> dict[str, object]:
    run = facts.run
    return {
        "kind": "stills",
        "detector": run.detector,
        "preset": run.preset,
        "protocol": facts.protocol,
        "data": run.data,
        "label_source": run.label_source,
        "n_images": len(scored),
        "n_labelled": len(labelled),
        "n_unreadable": sum(one.size is None for one in found),
        "n_other_shape": sum(one.score is None and one.size is not None for one in found),
        "threshold": run.threshold,
        "seconds": run.seconds,
        "fps": run.fps,
        "ms_per_picture": 1000 * run.seconds / len(found) if found else None,
        "parameters": facts.parameters,
        "size": list(facts.size),
        **computed_figures(run.computed),
        "seed": run.seed,
        "versions": dict(run.versions),
        "command": run.command,
    }


def _ranking(labelled: Sequence[Judged], notes: list[str]) -> dict[str, object]:
    """What the order of the scores gives, whatever the threshold."""
    truth, scores = labels_of(labelled), scores_of(labelled)
    interval = figure_or_none(
        "auroc_interval", lambda: metrics.auroc_interval_by_class(truth, scores), notes
    )
    best = figure_or_none("f1_max", lambda: metrics.f1_max(truth, scores), notes)
    return {
        "auroc": figure_or_none("auroc", lambda: metrics.auroc(truth, scores), notes),
        "auroc_interval": None if interval is None else [interval.low, interval.high],
        "ap": figure_or_none("ap", lambda: metrics.average_precision(truth, scores), notes),
        "prevalence": float(truth.mean()) if truth.size else None,
        "eer": figure_or_none("eer", lambda: metrics.equal_error_rate(truth, scores), notes),
        "f1_max": None if best is None else best.f1,
        "f1_max_threshold": None if best is None else best.threshold,
        "f1_max_is_oracle": True,
    }


def _rules(labelled: Sequence[Judged]) -> dict[str, Figures]:
    """AUROC and AP of the score and of every term that all pictures have."""
    truth = labels_of(labelled)
    if not metrics.has_both_classes(truth):
        return {}
    rules = {"score": scores_of(labelled)}
    for name in sorted({name for one in labelled for name in one.terms}):
        if all(isfinite(one.terms.get(name, np.nan)) for one in labelled):
            rules[name] = np.array([one.terms[name] for one in labelled])
    return {
        name: {
            "auroc": metrics.auroc(truth, values),
            "ap": metrics.average_precision(truth, values),
        }
        for name, values in rules.items()
    }


def _at_threshold(run: RunFacts, labelled: Sequence[Judged], notes: list[str]) -> dict[str, object]:
    """What comes of the verdicts."""
    counts = _confusion(labelled) if run.threshold is not None else None
    if counts is None:
        notes.append("there is no threshold: no verdicts, and no figures of them")
    tp, fp, fn, tn = (0, 0, 0, 0) if counts is None else counts.values()
    interval = share_interval(fp, fp + tn, CONFIDENCE) if fp + tn else None
    notes += _promise_notes(run, fp, fp + tn, interval)
    return {
        "confusion": counts,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fn else None,
        "precision": tp / (tp + fp) if tp + fp else None,
        "recall": tp / (tp + fn) if tp + fn else None,
        "false_alarm_rate_promised": run.false_alarm_share,
        "false_alarm_rate_measured": fp / (fp + tn) if fp + tn else None,
        "false_alarm_rate_interval": None if interval is None else list(interval),
        "false_alarm_rate_unit": "share of normal pictures",
        "false_alarms": None if counts is None else fp,
    }


def _confusion(labelled: Sequence[Judged]) -> dict[str, int]:
    """Verdicts against labels: found, false alarms, missed, rightly passed."""
    cells = Counter((one.verdict, bool(one.still.label)) for one in labelled)
    return {
        "true_defective": cells["defective", True],
        "false_defective": cells["defective", False],
        "false_ok": cells["ok", True],
        "true_ok": cells["ok", False],
    }


def _promise_notes(
    run: RunFacts, count: int, total: int, interval: tuple[float, float] | None
) -> Iterator[str]:
    if interval is None or run.false_alarm_share is None:
        return
    low, high = interval
    kept = "more than" if run.false_alarm_share < low else "no contradiction to"
    yield (
        f"{count} of {total} normal test pictures were called defective, a share of "
        f"{count / total:.3f} (95 % interval {low:.3f} to {high:.3f}): {kept} the promised "
        f"{run.false_alarm_share:g}"
    )


def _all_lines(report: Report) -> list[str]:
    figures = report.figures
    number = report.number
    interval = figures["auroc_interval"]
    between = (
        f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"
        if isinstance(interval, list)
        else ""
    )
    cells = figures["confusion"]
    counts: Mapping[str, object] = cells if isinstance(cells, Mapping) else {}
    verdicts = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items())
    return [
        f"{figures['detector']} ({figures['preset']}), {figures['n_images']} pictures, "
        f"{shown(number('ms_per_picture'), 1)} ms each {by_what(report)}",
        f"protocol: {figures['protocol']}",
        f"AUROC {shown(number('auroc'))}{between}, AP {shown(number('ap'))} at prevalence "
        f"{shown(number('prevalence'))}, EER {shown(number('eer'))}",
        f"at the threshold: {verdicts or 'there is none'}; F1 {shown(number('f1'))}, "
        f"{shown(number('f1_max'))} at best (oracle)",
        f"pixel AUROC {shown(number('pixel_auroc'))}, AUPRO {shown(number('aupro'))}",
        f"false alarms: promised {shown(number('false_alarm_rate_promised'))}, "
        f"measured {shown(number('false_alarm_rate_measured'))} of normal pictures",
    ]
