"""Plots of scores, as PNG files in memory; each title says what one sees.

Imports matplotlib, so import this module late.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)

from monitor.evaluation.drawing import (
    ANOMALOUS,
    BLUE,
    BROWN,
    FAINT,
    INK,
    NORMAL,
    ORANGE,
    SERIES,
    list_names,
    name_axes,
    new_figure,
    plain_axes,
    png,
    say,
    write,
)
from monitor.evaluation.events import events_of, frame_steps
from monitor.evaluation.metrics import BoolArray, FloatArray, auroc, has_both_classes, pr, roc
from monitor.evaluation.report import say_share
from monitor.evaluation.results import Alerts, VideoScores
from monitor.names import shown
from monitor.records import Alert

ALERT_THRESHOLD = "alert threshold\n(on the smoothed score)"
RAW_AND_LEVEL = "faint: raw score; strong: smoothed, as alerts compare it"
SHEET_VIDEOS = 36  # on one overview; more would be too small to read


@dataclass(frozen=True, slots=True)
class LossPoint:
    """One step of training; losses are named "network/term"."""

    step: int
    seconds: float
    losses: Mapping[str, float]


def score_curve(
    video: VideoScores, *, threshold: float | None = None, alerts: Sequence[Alert] = ()
) -> bytes:
    """The score of one video over time, labelled stretches shaded, alerts barred below."""
    figure = new_figure(9, 3.4)
    axes = plain_axes(figure.add_subplot())
    _draw_score(axes, video, threshold, alerts)
    _name_parts(axes, video, threshold, alerts)
    say(axes, f"{video.name}: anomaly score over time", _curve_detail(video))
    name_axes(axes, "seconds", "anomaly score")
    return png(figure)


def overview(
    videos: Sequence[VideoScores],
    *,
    threshold: float | None = None,
    alerts: Alerts | None = None,
) -> bytes:
    """Score curves of all videos (at most SHEET_VIDEOS) on one scale, so that they compare."""
    shown = videos[:SHEET_VIDEOS]
    columns = 3 if len(shown) <= 12 else 6
    rows = -(-len(shown) // columns)
    figure = new_figure(11, 1.25 * rows + 1.1)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, video in zip(grid.flat, shown, strict=False):
        _draw_score(plain_axes(axes), video, threshold, (alerts or {}).get(video.name, ()))
        axes.set_title(video.name, loc="left", fontsize=8.5, color=INK, pad=3)
        axes.set_title(_own_auroc(video), loc="right", fontsize=8, color=FAINT, pad=3)
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_visible(False)
    left_out = f" (the first {SHEET_VIDEOS} of {len(videos)})" if len(videos) > SHEET_VIDEOS else ""
    title = f"Anomaly score over seconds{left_out}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    legend = "; ".join(_what_is_there(shown, threshold, alerts or {}))
    figure.supxlabel(legend, x=0.01, ha="left", fontsize=8.5, color=FAINT)
    return png(figure)


def roc_plot(
    labels: BoolArray, rules: Mapping[str, FloatArray], *, things: str = "frames"
) -> bytes:
    """ROC of one or more rules on the same `things`, (N,) each, the first being the detector's."""
    figure = new_figure(5.6, 5.4)
    axes = plain_axes(figure.add_subplot(), grid="both")
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    names: list[tuple[str, str]] = []
    for (name, scores), colour in zip(rules.items(), SERIES, strict=False):
        curve, area = roc(labels, scores), auroc(labels, scores)
        axes.plot(curve.fpr, curve.tpr, color=colour, linewidth=1.8 if not names else 1.1)
        names.append((f"{name}  {area:.3f}", colour))
    list_names(axes, names, (0.5, 0.03 + 0.05 * len(names)))
    first = auroc(labels, next(iter(rules.values())))
    ranking = "raw scores, all videos in one ranking" if things == "frames" else "raw scores"
    detail = f"{ranking}; dotted: chance; figures: area under the curve"
    say(axes, f"Anomalous outranks normal {say_share(first)} of the time", detail)
    _unit_axes(axes, f"normal {things} falsely called anomalous", f"anomalous {things} found")
    return png(figure)


def pr_plot(labels: BoolArray, rules: Mapping[str, FloatArray], *, things: str = "frames") -> bytes:
    """Precision over recall, as `roc_plot`; the dotted line is what chance gives."""
    figure = new_figure(5.6, 5.4)
    axes = plain_axes(figure.add_subplot(), grid="both")
    axes.axhline(labels.mean(), color=FAINT, linewidth=0.8, linestyle=(0, (2, 3)))
    names: list[tuple[str, str]] = []
    for (name, scores), colour in zip(rules.items(), SERIES, strict=False):
        curve = pr(labels, scores)
        area = float(np.diff(curve.recall, prepend=0.0) @ curve.precision)
        axes.step(
            np.r_[0.0, curve.recall],
            np.r_[curve.precision[0], curve.precision],
            where="pre",
            color=colour,
            linewidth=1.8 if not names else 1.1,
        )
        names.append((f"{name}  {area:.3f}", colour))
    list_names(axes, names, (0.06, 0.03 + 0.05 * len(names)))
    detail = f"dotted: chance, {say_share(labels.mean())} of {things} are anomalous; figures: AP"
    say(axes, "How many alarms are right, by how much is found", detail)
    _unit_axes(axes, f"anomalous {things} found (recall)", "alarms that are right (precision)")
    return png(figure)


def histogram(
    labels: BoolArray,
    scores: FloatArray,
    *,
    threshold: float | None = None,
    things: str = "frames",
) -> bytes:
    """Share of normal and of anomalous `things` by score; the last bins hold what lies beyond."""
    figure = new_figure(7, 3.8)
    axes = plain_axes(figure.add_subplot())
    low, high = _core_range(scores)
    edges = np.linspace(low, high, 51)
    for own, colour, name in ((~labels, NORMAL, "normal"), (labels, ANOMALOUS, "anomalous")):
        if own.any():
            counts = np.histogram(np.clip(scores[own], low, high), edges)[0] / own.sum()
            axes.stairs(counts, edges, color=colour, fill=True, alpha=0.3)
            axes.stairs(counts, edges, color=colour, linewidth=1.4)
            peak = int(counts.argmax())
            at = ((edges[peak] + edges[peak + 1]) / 2, counts[peak])
            write(axes, name, at, offset=(0, 8), colour=colour).set(ha="center")
    if threshold is not None and low <= threshold <= high:
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        top = axes.get_xaxis_transform()
        name = ALERT_THRESHOLD if things == "frames" else "threshold"
        write(axes, name, (threshold, 1), coords=top, offset=(4, -8))
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    say(axes, _overlap_title(labels, scores, things), "share of each class by anomaly score")
    name_axes(axes, "anomaly score", f"{things} of the class")
    return png(figure)


def box_plot(
    groups: Mapping[str, FloatArray],
    *,
    normal: Collection[str] = ("normal",),
    threshold: float | None = None,
) -> bytes:
    """Scores by class, (N,) each: median, quartiles, 5th to 95th percentile, and the rest."""
    figure = new_figure(7.5, 1.5 + 0.42 * len(groups))
    axes = plain_axes(figure.add_subplot(), grid="x")
    names = list(groups)[::-1]
    for row, name in enumerate(names):
        _draw_box(axes, row, groups[name], NORMAL if name in normal else ANOMALOUS)
    if threshold is not None:
        axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        top = axes.get_xaxis_transform()
        write(axes, "threshold", (threshold, 1), coords=top, offset=(4, -4))
    axes.set_yticks(range(len(names)), [f"{shown(n)}  ({len(groups[n])})" for n in names])
    axes.tick_params(axis="y", labelsize=9, labelcolor=INK)
    say(axes, "Scores by class", "box: middle half; line: median; whiskers: 5th to 95th percentile")
    name_axes(axes, "anomaly score", "")
    return png(figure)


def loss_curves(points: Sequence[LossPoint]) -> bytes:
    """Losses over steps, one panel per network, since their losses do not compare."""
    panels: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for point in points for name in point.losses):
        panels.setdefault(name.partition("/")[0], []).append(name)
    figure = new_figure(9, 0.9 + 2.5 * len(panels))
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
    for axes, (network, members) in zip(grid[:, 0], panels.items(), strict=True):
        for name, colour in zip(members, SERIES * len(members), strict=False):
            _draw_loss(plain_axes(axes), points, name, colour)
        drawn = [point.losses[name] for point in points for name in members if name in point.losses]
        if min(drawn) > 0:
            _log_losses(axes)
        say(axes, f"Losses of the {network}", "faint: each step; strong: running mean")
        name_axes(axes, "", "loss, as added up")
    grid[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    grid[-1, 0].set_xlabel(f"step  ({points[-1].seconds:.0f} s in all)", fontsize=8.5, color=FAINT)
    return png(figure)


def _draw_box(axes: Axes, row: int, scores: FloatArray, colour: str) -> None:
    low, first, middle, third, high = np.quantile(scores, [0.05, 0.25, 0.5, 0.75, 0.95])
    beyond = scores[(scores < low) | (scores > high)]
    axes.plot([low, high], [row, row], color=colour, linewidth=1, zorder=1)
    axes.barh(row, third - first, left=first, height=0.5, color="white", edgecolor=colour, zorder=2)
    axes.barh(row, third - first, left=first, height=0.5, color=colour, alpha=0.3, zorder=2)
    axes.plot([middle, middle], [row - 0.25, row + 0.25], color=INK, linewidth=1.8, zorder=3)
    axes.plot(beyond, np.full(len(beyond), row), "|", color=colour, markersize=5, alpha=0.4)


def _draw_score(
    axes: Axes, video: VideoScores, threshold: float | None, alerts: Sequence[Alert]
) -> None:
    step = float(np.median(frame_steps(video.time_s)))
    for event in events_of(video) if video.label is not None else ():
        axes.axvspan(event.start_s, event.end_s + step, color=ORANGE, alpha=0.22, linewidth=0)
    (raw,) = axes.plot(video.time_s, video.score, color=BLUE, linewidth=1.2)
    if video.level is not None:
        raw.set(linewidth=0.8, alpha=0.4)
        level = np.where(np.isfinite(video.level), video.level, np.nan)
        axes.plot(video.time_s, level, color=BLUE, linewidth=1.5)
    if threshold is not None:
        axes.axhline(threshold, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    for alert in alerts:
        axes.plot(
            [alert.start_s, max(alert.end_s, alert.start_s + step)],
            [0.02, 0.02],
            color=ANOMALOUS,
            linewidth=4,
            solid_capstyle="butt",
            transform=axes.get_xaxis_transform(),
        )
    axes.margins(x=0, y=0.12)
    axes.set_xlim(left=min(0.0, float(video.time_s[0])))


def _name_parts(
    axes: Axes, video: VideoScores, threshold: float | None, alerts: Sequence[Alert]
) -> None:
    """Words at the first shaded stretch, at the threshold and at the first alert."""
    events = events_of(video) if video.label is not None else []
    across = axes.get_xaxis_transform()
    if events:
        write(
            axes,
            "labelled anomalous",
            (events[0].start_s, 1),
            coords=across,
            offset=(4, -8),
            colour=BROWN,
        )
    if threshold is not None:
        beside = axes.get_yaxis_transform()
        write(axes, ALERT_THRESHOLD, (1, threshold), coords=beside, offset=(4, 0))
    if alerts:
        start = alerts[0].start_s
        write(axes, "alert", (start, 0.02), coords=across, offset=(2, 9), colour=ANOMALOUS)


def _curve_detail(video: VideoScores) -> str:
    own = _own_auroc(video)
    frames = f"{len(video.index)} frames" + (f"; {own}" if own else ", unlabelled")
    return frames if video.level is None else f"{frames}; {RAW_AND_LEVEL}"


def _own_auroc(video: VideoScores) -> str:
    if video.label is None:
        return ""
    if not has_both_classes(video.label):
        return "all anomalous" if video.label.all() else "all normal"
    return f"AUROC {auroc(video.label, video.score):.3f}"


def _what_is_there(
    videos: Sequence[VideoScores], threshold: float | None, alerts: Alerts
) -> Iterator[str]:
    """What the marks of the overview mean, of those that are on it."""
    yield "raw score" if all(video.level is None for video in videos) else RAW_AND_LEVEL
    if threshold is not None:
        yield f"dashed: {ALERT_THRESHOLD.replace(chr(10), ' ')}"
    if any(events_of(video) for video in videos if video.label is not None):
        yield "shaded: labelled anomalous"
    if any(alerts.get(video.name) for video in videos):
        yield "bars: alerts"


def _unit_axes(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    name_axes(axes, x, y)


def _core_range(scores: FloatArray) -> tuple[float, float]:
    """Where nearly all scores lie: a few extremes must not squeeze the rest into one bin."""
    low, high = np.quantile(scores, [0.002, 0.998])
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def _overlap_title(labels: BoolArray, scores: FloatArray, things: str) -> str:
    if not has_both_classes(labels):
        return "Scores"
    above = float(np.mean(scores[labels] > np.median(scores[~labels])))
    return f"{say_share(above)} of anomalous {things} score above the typical normal one"


def _draw_loss(axes: Axes, points: Sequence[LossPoint], name: str, colour: str) -> None:
    own = [(point.step, point.losses[name]) for point in points if name in point.losses]
    steps, losses = np.array(own).T
    width = max(1, len(losses) // 50)
    kernel = np.ones(width) / width
    mean = np.convolve(losses, kernel, mode="valid")
    axes.plot(steps, losses, color=colour, linewidth=0.7, alpha=0.3)
    axes.plot(steps[width - 1 :], mean, color=colour, linewidth=1.6)
    term = name.rpartition("/")[-1]
    write(axes, term, (steps[-1], mean[-1]), offset=(5, 0), colour=colour)


def _log_losses(axes: Axes) -> None:
    """A scale of powers, on which nothing at zero or below could be seen."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda loss, _: f"{loss:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
