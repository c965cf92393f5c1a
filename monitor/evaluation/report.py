"""Turns scores into the figures of `report.json` and into a few lines for the terminal.

A figure that does not apply is None, with the reason in `notes`. Still images have a report of
their own (`monitor.stills.report`); `Report`, `RunFacts` and the page serve both.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from monitor.calibration import say_span
from monitor.computed import Computed, computed_figures, mixed
from monitor.evaluation import metrics
from monitor.evaluation.baselines import clock_scores
from monitor.evaluation.events import (
    Delays,
    FalseAlarms,
    detection_delay_s,
    false_alarms,
    frame_steps,
    over_threshold,
    within_alerts,
)
from monitor.evaluation.metrics import BoolArray, EvaluationError, FloatArray
from monitor.evaluation.pixels import PixelFigures
from monitor.evaluation.results import Alerts, VideoScores, alert_rows
from monitor.names import counted

T = TypeVar("T")
Figures = Mapping[str, float | None]

PROTOCOLS = {
    "auroc_causal": "raw scores of all videos in one ranking, past frames only: what a live user"
    " gets",
    "auroc_micro": "the papers' protocol: each video's scores stretched to 0..1, then one ranking;"
    " per-video min-max needs the whole video: not possible live",
    "auroc_macro": "mean of the videos' own AUROC; single-class videos skipped, never padded",
    "ap": "average precision of the raw scores; a random score gets the prevalence",
    "eer": "where misses and false alarms are equally frequent, raw scores",
    "f1_max": "oracle: the threshold is chosen on the test labels, an upper bound",
    "pixel_auroc": "all pixels of all frames in one ranking, raw map values",
    "aupro": "overlap averaged over labelled regions, for FPR up to 0.3, divided by 0.3",
    "false_alarm_rate_measured": "per day; alarms that touch no frame labelled anomalous, per time"
    " of normal footage",
    "detection_delay_s": "median over found events, from the first labelled frame to the alarm",
}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known of a scoring run besides its scores."""

    detector: str
    preset: str
    computed: frozenset[Computed]  # by what scores were
    seed: int | None
    seconds: float  # that scoring took
    fps: float | None  # frames scored per second
    versions: Mapping[str, str] = field(default_factory=dict)
    data: str = ""  # what was scored, as the reader knows it
    command: str = ""  # that does it again
    threshold: float | None = None  # from normal footage; of footage on the smoothed score
    false_alarms_per_day: float | None = None  # promised, alerts rather than frames
    false_alarm_share: float | None = None  # promised for stills, of normal pictures
    label_source: str | None = None  # several label sets of one data set are about
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The content of `report.json`: plain numbers, texts, lists and dictionaries."""

    figures: Mapping[str, object]

    def json(self) -> str:
        """Indented, and free of NaN, which is no JSON."""
        return json.dumps(self.figures, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def number(self, key: str) -> float | None:
        """A figure that is a number, or None."""
        value = self.figures.get(key)
        return float(value) if isinstance(value, int | float) else None

    def table(self, key: str) -> Mapping[str, Figures]:
        """`rules` or `baselines`."""
        value = self.figures.get(key)
        return value if isinstance(value, Mapping) else {}

    def rows(self, key: str) -> list[Mapping[str, object]]:
        """A figure that is a table by rows, such as `alerts`."""
        value = self.figures.get(key)
        return list(value) if isinstance(value, list) else []

    def texts(self, key: str) -> list[str]:
        """A figure that is a list of texts, such as `notes`."""
        value = self.figures.get(key)
        return [str(text) for text in value] if isinstance(value, list | tuple) else []


def video_report(
    facts: RunFacts,
    videos: Sequence[VideoScores],
    *,
    flow: Sequence[FloatArray] | None = None,
    alerts: Alerts | None = None,
    pixels: PixelFigures | None = None,
) -> Report:
    """All figures of scored videos.

    `flow` is what `FlowMagnitude` gives for the same frames, (N,) per video. `alerts` are those
    of the alert rule, by video name; without them a frame over the threshold is an alarm.

    Raises:
        EvaluationError: There are no videos, or a score is NaN or infinite.
    """
    if not videos:
        raise EvaluationError("there are no scored videos to report on")
    for video in videos:
        if not np.isfinite(video.score).all():
            raise EvaluationError(f"{video.name}: some scores are NaN or infinite")
    notes = [*facts.notes, *mixed(facts.computed)]
    labelled = [video for video in videos if video.label is not None]
    if not labelled:
        notes.append("no video has labels: the figures that need them are null")
    reasons = notes if labelled else []
    rules, baselines = _rules(labelled, reasons), _baselines(videos, flow, reasons)
    figures = {
        **_facts(facts, videos, labelled),
        **rules["score"],
        **_score_figures(labelled, reasons),
        **pixel_figures(pixels, reasons),
        **_alarm_figures(facts, labelled, alerts, reasons),
        "alerts": None if alerts is None else alert_rows(alerts),
        "rules": rules,
        "baselines": baselines,
        "beats_baselines": _compare(rules["score"], baselines),
        "protocols": PROTOCOLS,
        "notes": notes,
    }
    return Report(figures)


def summary_lines(report: Report) -> list[str]:
    """The report in a few lines of plain text, for a terminal."""
    figures = report.figures
    head, *rest = _all_lines(report)
    told = rest if figures["prevalence"] is not None else []
    return [head, *told, *(f"note: {note}" for note in report.texts("notes"))]


def _all_lines(report: Report) -> list[str]:
    figures = report.figures
    videos = counted(int(report.number("n_videos") or 0), "video")
    return [
        f"{figures['detector']} ({figures['preset']}), {videos}, "
        f"{figures['n_frames']} frames, {shown(report.number('fps'), 1)} frames/s "
        f"{by_what(report)}",
        f"AUROC {shown(report.number('auroc_causal'))} causal (live), "
        f"{shown(report.number('auroc_micro'))} micro (papers, needs the whole video), "
        f"{shown(report.number('auroc_macro'))} macro",
        f"AP {shown(report.number('ap'))} at prevalence {shown(report.number('prevalence'))}, "
        f"EER {shown(report.number('eer'))}, F1 max {shown(report.number('f1_max'))} (oracle)",
        f"pixel AUROC {shown(report.number('pixel_auroc'))}, AUPRO {shown(report.number('aupro'))}",
        f"false alarms per day: promised {shown(report.number('false_alarm_rate_promised'), 1)}, "
        f"measured {shown(report.number('false_alarm_rate_measured'), 1)}",
        str(figures["beats_baselines"]),
    ]


def said_alerts(report: Report) -> str:
    """How many alerts there were in how much footage; empty where no alert rule ran."""
    if report.figures["alerts"] is None:
        return ""
    number = len(report.rows("alerts"))
    said = counted(number, "alert") if number else "no alert"
    return f"{said} in {say_span(report.number('footage_s') or 0.0)} of footage"


def by_what(report: Report) -> str:
    """As `on cpu by openvino in int8`."""
    figures = report.figures
    return f"on {figures['device']} by {figures['runtime']} in {figures['numeric_precision']}"


def shown(value: float | None, digits: int = 3) -> str:
    """A figure for people; a dash where it does not apply."""
    return "-" if value is None else f"{value:,.{digits}f}"


def say_share(share: float) -> str:
    """A share for people; 100.0% are all, and no fewer."""
    return f"{share if share >= 1 else min(share, 0.999):.1%}"


def _facts(
    facts: RunFacts, videos: Sequence[VideoScores], labelled: Sequence[VideoScores]
) -> dict[str, object]:
    pairs = zip(labelled, _labels(labelled), strict=True)
    single = [video.name for video, label in pairs if not metrics.has_both_classes(label)]
    return {
        "kind": "video",
        "detector": facts.detector,
        "preset": facts.preset,
        "protocol": f"frame level, {sum(len(v.index) for v in labelled)} labelled frames of"
        f" {len(labelled)} videos, higher scores are more anomalous; what each figure means is"
        " under protocols",
        "data": facts.data,
        "label_source": facts.label_source,
        "n_videos": len(videos),
        "n_frames": sum(len(video.index) for video in videos),
        "footage_s": sum(float(frame_steps(video.time_s).sum()) for video in videos),
        "single_class_videos": {"count": len(single), "names": single},
        "threshold": facts.threshold,
        "seconds": facts.seconds,
        "fps": facts.fps,
        **computed_figures(facts.computed),
        "seed": facts.seed,
        "versions": dict(facts.versions),
        "command": facts.command,
    }


def _rules(labelled: Sequence[VideoScores], notes: list[str]) -> dict[str, Figures]:
    """The figures of the score and of every term that all videos have."""
    labels = _labels(labelled)
    rules = {"score": ranking_figures("score", labels, [v.score for v in labelled], notes)}
    for name in sorted({name for video in labelled for name in video.terms}):
        if all(name in video.terms for video in labelled):
            terms = [video.terms[name] for video in labelled]
            rules[name] = ranking_figures(name, labels, terms, notes)
        else:
            notes.append(f"{name} is not in the table: some videos have no such term")
    return rules


def _baselines(
    videos: Sequence[VideoScores], flow: Sequence[FloatArray] | None, notes: list[str]
) -> dict[str, Figures]:
    kept = [place for place, video in enumerate(videos) if video.label is not None]
    labelled = [videos[place] for place in kept]
    labels = _labels(labelled)
    clocks = [clock_scores(video.time_s) for video in labelled]
    table = {"clock": ranking_figures("clock", labels, clocks, notes)}
    if flow is None:
        notes.append("the baseline flow_magnitude is null: it was not computed")
        table["flow_magnitude"] = dict.fromkeys(table["clock"])
    else:
        scores = [flow[place] for place in kept]
        table["flow_magnitude"] = ranking_figures("flow_magnitude", labels, scores, notes)
    return table


def ranking_figures(
    name: str, labels: Sequence[BoolArray], scores: Sequence[FloatArray], notes: list[str]
) -> Figures:
    """The three AUROCs and the AP of one rule; one (N,) per video; reasons go to `notes`."""

    def joined_ap() -> float:
        return metrics.average_precision(np.concatenate(labels), np.concatenate(scores))

    reasons: list[str] = []
    macro = figure_or_none("auroc_macro", lambda: metrics.auroc_macro(labels, scores), reasons)
    figures = {
        "auroc_micro": figure_or_none(
            "auroc_micro", lambda: metrics.auroc_micro(labels, scores), reasons
        ),
        "auroc_causal": figure_or_none(
            "auroc_causal", lambda: metrics.auroc_causal(labels, scores), reasons
        ),
        "auroc_macro": None if macro is None else macro.auroc,
        "ap": figure_or_none("ap", joined_ap, reasons) if labels else None,
    }
    if reasons:
        notes.append(f"{name}: {'; '.join(reasons)}")
    return figures


def _score_figures(labelled: Sequence[VideoScores], notes: list[str]) -> dict[str, object]:
    """What is reported of the score only, not of its rivals."""
    videos = [video.score for video in labelled]
    labels, scores = _labels(labelled), np.concatenate([np.zeros(0), *videos])
    truth = np.concatenate([np.zeros(0, np.bool_), *labels])
    interval = figure_or_none(
        "auroc_causal_interval", lambda: metrics.auroc_interval(labels, videos), notes
    )
    best = figure_or_none("f1_max", lambda: metrics.f1_max(truth, scores), notes)
    return {
        "auroc_causal_interval": None if interval is None else [interval.low, interval.high],
        "prevalence": float(truth.mean()) if truth.size else None,
        "eer": figure_or_none("eer", lambda: metrics.equal_error_rate(truth, scores), notes),
        "f1_max": None if best is None else best.f1,
        "f1_max_threshold": None if best is None else best.threshold,
        "f1_max_is_oracle": True,
    }


def pixel_figures(pixels: PixelFigures | None, notes: list[str]) -> dict[str, float | None]:
    """`pixel_auroc` and `aupro`, None without masks; reasons go to `notes`."""
    if pixels is None:
        notes.append("pixel_auroc and aupro are null: there are no pixel masks, or no maps")
        return {"pixel_auroc": None, "aupro": None}
    return {
        "pixel_auroc": figure_or_none("pixel_auroc", pixels.pixel_auroc, notes),
        "aupro": figure_or_none("aupro", pixels.aupro, notes),
    }


def _alarm_figures(
    facts: RunFacts,
    labelled: Sequence[VideoScores],
    alerts: Alerts | None,
    notes: list[str],
) -> dict[str, object]:
    delays, false = Delays((), 0), FalseAlarms(0, 0.0)
    alarms = _alarms(facts, labelled, alerts, notes)
    if alarms is not None:
        delays, false = detection_delay_s(labelled, alarms), false_alarms(labelled, alarms)
        notes += _footage_notes(facts, false)
    known = alarms is not None and bool(labelled)
    return {
        "false_alarm_rate_promised": facts.false_alarms_per_day,
        "false_alarm_rate_measured": None if false.per_hour is None else 24 * false.per_hour,
        "false_alarm_rate_unit": "alerts per day",
        "false_alarms_per_hour": false.per_hour,
        "false_alarms": false.count if known else None,
        "normal_footage_s": false.normal_s if known else None,
        "detection_delay_s": delays.median_s,
        "events_found": len(delays.found_s) if known else None,
        "events_total": delays.events if known else None,
    }


def _alarms(
    facts: RunFacts,
    labelled: Sequence[VideoScores],
    alerts: Alerts | None,
    notes: list[str],
) -> list[BoolArray] | None:
    if alerts is not None:
        return [within_alerts(video, alerts.get(video.name, ())) for video in labelled]
    if facts.threshold is None:
        notes.append("false alarms and detection delay are null: there is no threshold")
        return None
    notes.append("an alarm is a run of frames over the threshold; the alert rule did not run")
    return over_threshold(labelled, facts.threshold)


def _footage_notes(facts: RunFacts, false: FalseAlarms) -> list[str]:
    if not false.normal_s:
        return ["false_alarm_rate_measured is null: there is no labelled normal footage"]
    expected = (facts.false_alarms_per_day or 0.0) * false.normal_s / 86400
    seen = f"{false.count} false alarms in {false.normal_s / 60:.1f} minutes of normal footage"
    if expected and expected < 1:
        return [f"{seen}, where {expected:.2g} were promised: too little footage to check the rate"]
    return [seen]


def _compare(score: Figures, baselines: Mapping[str, Figures]) -> str:
    sentences = [_sentence(name, score, figures) for name, figures in baselines.items()]
    return (
        "; ".join(sentence for sentence in sentences if sentence) or "no baseline to compare with"
    )


def _sentence(name: str, score: Figures, baseline: Figures) -> str:
    ours, theirs = score["auroc_causal"], baseline["auroc_causal"]
    if ours is None or theirs is None:
        return ""
    verb = "beats" if ours > theirs else "does not beat"
    return f"{verb} {name} ({ours:.3f} against {theirs:.3f}, causal AUROC)"


def figure_or_none(name: str, compute: Callable[[], T], notes: list[str]) -> T | None:
    """The figure; None where it does not apply, with the reason in `notes`."""
    try:
        return compute()
    except EvaluationError as error:
        notes.append(f"{name} is null: {error}")
        return None


def _labels(videos: Sequence[VideoScores]) -> list[BoolArray]:
    return [video.label for video in videos if video.label is not None]
