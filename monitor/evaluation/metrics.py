"""Figures of frame scores against labels: ranks, thresholds, per-video protocols.

Labels are bool, True = anomalous; scores are finite, higher = more anomalous. Frames with equal
scores count half, as in scikit-learn, so that constant scores give an AUROC of 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.errors import MonitorError

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]
Counts = NDArray[np.floating] | NDArray[np.integer]


class EvaluationError(MonitorError, ValueError):
    """A figure cannot be computed from these scores and labels."""


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Starts at (0, 0) with threshold inf; a frame is called anomalous from `threshold` up."""

    fpr: FloatArray  # (K,) ascending
    tpr: FloatArray  # (K,)
    threshold: FloatArray  # (K,) descending


@dataclass(frozen=True, slots=True, eq=False)
class PrCurve:
    """One point per distinct score, from the highest down, so recall ascends."""

    precision: FloatArray  # (K,)
    recall: FloatArray  # (K,)
    threshold: FloatArray  # (K,) descending


@dataclass(frozen=True, slots=True)
class BestF1:
    """The best F1 that any threshold gives: an oracle, since it was chosen on the labels."""

    f1: float
    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class MacroAuroc:
    """The mean over the videos that have both classes, and how many those were."""

    auroc: float
    videos: int
    skipped: int  # single-class videos; padding them instead would flatter


def area_from_counts(normal: Counts, anomalous: Counts) -> float:
    """AUROC from how many normal and anomalous items fall in each bin, bins by ascending score.

    Raises:
        EvaluationError: One of the two classes is empty.
    """
    n_normal, n_anomalous = float(normal.sum()), float(anomalous.sum())
    if not (n_normal and n_anomalous):
        raise EvaluationError("AUROC needs normal and anomalous items, one of the classes is empty")
    below = np.cumsum(normal, dtype=np.float64) - normal / 2
    return float(below @ anomalous) / (n_normal * n_anomalous)


def auroc(labels: BoolArray, scores: FloatArray) -> float:
    """The chance that an anomalous frame outscores a normal one; (N,) each.

    Raises:
        EvaluationError: A score is not finite, the lengths differ, or there is only one class.
    """
    labels, scores = _checked(labels, scores)
    bins = np.unique(scores, return_inverse=True)[1]
    return area_from_counts(np.bincount(bins, ~labels), np.bincount(bins, labels))


def roc(labels: BoolArray, scores: FloatArray) -> RocCurve:
    """The curve whose area is `auroc`; K = distinct scores + 1.

    Raises:
        EvaluationError: As in `auroc`.
    """
    labels, scores = _checked(labels, scores)
    _require_both(labels)
    ranking = _rank(labels, scores)
    return RocCurve(
        fpr=np.r_[0.0, (ranking.alarms - ranking.hits) / (~labels).sum()],
        tpr=np.r_[0.0, ranking.hits / labels.sum()],
        threshold=np.r_[np.inf, ranking.threshold],
    )


def pr(labels: BoolArray, scores: FloatArray) -> PrCurve:
    """Precision and recall at every distinct score.

    Raises:
        EvaluationError: A score is not finite, the lengths differ, or no frame is anomalous.
    """
    labels, scores = _checked(labels, scores)
    if not labels.any():
        raise EvaluationError("precision and recall need anomalous frames, there are none")
    ranking = _rank(labels, scores)
    recall = ranking.hits / labels.sum()
    return PrCurve(ranking.hits / ranking.alarms, recall, ranking.threshold)


def average_precision(labels: BoolArray, scores: FloatArray) -> float:
    """Precision averaged over recall steps, without interpolation; read it beside prevalence.

    Raises:
        EvaluationError: As in `pr`.
    """
    curve = pr(labels, scores)
    return float(np.diff(curve.recall, prepend=0.0) @ curve.precision)


def f1_max(labels: BoolArray, scores: FloatArray) -> BestF1:
    """The highest F1 over all thresholds, the higher threshold of two that are equally good.

    Raises:
        EvaluationError: As in `pr`.
    """
    curve = pr(labels, scores)
    total = curve.precision + curve.recall
    f1 = 2 * curve.precision * curve.recall / np.where(total > 0, total, 1.0)
    best = int(f1.argmax())
    return BestF1(
        f1=float(f1[best]),
        threshold=float(curve.threshold[best]),
        precision=float(curve.precision[best]),
        recall=float(curve.recall[best]),
    )


def equal_error_rate(labels: BoolArray, scores: FloatArray) -> float:
    """Where misses and false alarms are equally frequent, interpolated along the ROC curve.

    Raises:
        EvaluationError: As in `auroc`.
    """
    curve = roc(labels, scores)
    excess = curve.fpr + curve.tpr - 1  # from -1 to 1, never falling
    after = int(np.argmax(excess >= 0))
    before = after - 1
    share = -excess[before] / (excess[after] - excess[before])
    return float(curve.fpr[before] + share * (curve.fpr[after] - curve.fpr[before]))


def per_video_min_max(scores: FloatArray) -> FloatArray:
    """Scores of one whole video stretched to [0, 1], as the papers do; zeros if constant.

    It needs the video's future, so no live monitor can do it, and it puts a 0 and a 1 in every
    video, also in those that are normal throughout.

    Raises:
        EvaluationError: A score is not finite.
    """
    scores = _finite(scores)
    low, high = scores.min(initial=np.inf), scores.max(initial=-np.inf)
    return (scores - low) / (high - low) if high > low else np.zeros(scores.shape)


def auroc_micro(labels: Sequence[BoolArray], scores: Sequence[FloatArray]) -> float:
    """The papers' protocol: min-max per video, all frames in one ranking; one (N,) per video.

    Raises:
        EvaluationError: As in `auroc`.
    """
    return auroc_causal(labels, [per_video_min_max(video) for video in scores])


def auroc_causal(labels: Sequence[BoolArray], scores: Sequence[FloatArray]) -> float:
    """What a live user gets: raw scores of all videos in one ranking; one (N,) per video.

    Raises:
        EvaluationError: As in `auroc`.
    """
    return auroc(*_joined(labels, scores))


def auroc_macro(labels: Sequence[BoolArray], scores: Sequence[FloatArray]) -> MacroAuroc:
    """The mean of the videos' own AUROC, those with one class left out; one (N,) per video.

    Raises:
        EvaluationError: A score is not finite, lengths differ, or no video has both classes.
    """
    _joined(labels, scores)
    pairs = zip(labels, scores, strict=True)
    areas = [auroc(truth, video) for truth, video in pairs if has_both_classes(truth)]
    if not areas:
        raise EvaluationError("no video has both normal and anomalous frames")
    return MacroAuroc(float(np.mean(areas)), len(areas), len(labels) - len(areas))


def auroc_interval(
    labels: Sequence[BoolArray],
    scores: Sequence[FloatArray],
    *,
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of `auroc_causal`, resampling whole videos: frames are no sample.

    Resamples that happen to hold one class only are left out.

    Raises:
        EvaluationError: As in `auroc`, or there are fewer than two videos.
    """
    joined_labels, joined_scores = _joined(labels, scores)
    _require_both(joined_labels)
    if len(labels) < 2:
        raise EvaluationError("an interval over videos needs two videos or more, got one")
    video = np.repeat(np.arange(len(labels)), [len(truth) for truth in labels])
    bins = np.unique(joined_scores, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    areas = []
    for _ in range(replicates):
        times_drawn = np.bincount(
            rng.integers(len(labels), size=len(labels)), minlength=len(labels)
        )
        weight = times_drawn[video]
        normal = np.bincount(bins, weight * ~joined_labels)
        anomalous = np.bincount(bins, weight * joined_labels)
        if normal.any() and anomalous.any():
            areas.append(area_from_counts(normal, anomalous))
    tail = (1 - confidence) / 2
    low, high = np.quantile(areas, [tail, 1 - tail])
    return Interval(float(low), float(high))


def auroc_interval_by_class(
    labels: BoolArray,
    scores: FloatArray,
    *,
    confidence: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of `auroc` of items that are each their own witness, such as pictures.

    Normal and anomalous items are resampled apart, so that their numbers stay; (N,) each.

    Raises:
        EvaluationError: As in `auroc`.
    """
    labels, scores = _checked(labels, scores)
    _require_both(labels)
    bins = np.unique(scores, return_inverse=True)[1]
    width = int(bins.max()) + 1
    rng = np.random.default_rng(seed)

    def drawn(own: NDArray[np.intp]) -> NDArray[np.intp]:
        return np.bincount(rng.choice(own, len(own)), minlength=width)

    normal, anomalous = bins[~labels], bins[labels]
    areas = [area_from_counts(drawn(normal), drawn(anomalous)) for _ in range(replicates)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(areas, [tail, 1 - tail])
    return Interval(float(low), float(high))


def has_both_classes(labels: BoolArray) -> bool:
    """Whether there are normal and anomalous frames."""
    return bool(labels.any() and not labels.all())


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """Distinct scores from the highest down, and how many frames score that much or more."""

    threshold: FloatArray  # (K,)
    hits: NDArray[np.intp]  # (K,) anomalous frames
    alarms: NDArray[np.intp]  # (K,) all frames


def _rank(labels: BoolArray, scores: FloatArray) -> _Ranking:
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.r_[np.flatnonzero(np.diff(ranked)), len(ranked) - 1]  # of each run of equal scores
    return _Ranking(ranked[last], np.cumsum(labels[order], dtype=np.intp)[last], last + 1)


def _joined(
    labels: Sequence[BoolArray], scores: Sequence[FloatArray]
) -> tuple[BoolArray, FloatArray]:
    if not labels:
        raise EvaluationError("there are no labelled videos")
    if len(labels) != len(scores):
        raise EvaluationError(f"{len(labels)} label arrays for {len(scores)} videos of scores")
    checked = [_checked(*pair) for pair in zip(labels, scores, strict=True)]
    return np.concatenate([c[0] for c in checked]), np.concatenate([c[1] for c in checked])


def _checked(labels: BoolArray, scores: FloatArray) -> tuple[BoolArray, FloatArray]:
    labels = np.asarray(labels)
    if labels.dtype != np.bool_:
        raise EvaluationError(f"labels must be bool (True = anomalous), got {labels.dtype}")
    if labels.shape != np.shape(scores) or labels.ndim != 1:
        raise EvaluationError(f"labels {labels.shape} and scores {np.shape(scores)} do not match")
    return labels, _finite(scores)


def _finite(scores: FloatArray) -> FloatArray:
    scores = np.asarray(scores, dtype=np.float64)
    bad = int(np.count_nonzero(~np.isfinite(scores)))
    if bad:
        raise EvaluationError(f"{bad} of {scores.size} scores are NaN or infinite")
    return scores


def _require_both(labels: BoolArray) -> None:
    if not has_both_classes(labels):
        raise EvaluationError("AUROC needs normal and anomalous frames, there is one class only")
