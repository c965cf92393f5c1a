"""Whether an export says what its model says, and one of less precision what that says."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from models.detector import Detector
from models.errors import ExportError
from monitor.errors import UsageError
from monitor.exporting.examples import LEAST, Bytes, Examples
from monitor.runtimes import Exported, Facts, Found, Runtime, runtime_of
from monitor.runtimes.choosing import installed, make_runtime

BATCH = 8
PARITY = 32  # clips; fp32 differs by rounding, which few show as well as many
SCORE_TOLERANCE = 1e-3  # of the largest score; rounding comes to 1e-5 and less
MAP_TOLERANCE = 1e-2  # of the largest value; one place of ten thousands may lie at a rim
RANK_BOUND = 0.98  # Spearman's, of scores fp32 against those of less precision
AUROC_BOUND = 0.005  # that AUROC may change by


@dataclass(frozen=True)
class Agreement:
    """How scores in less precision agree with those in fp32."""

    clips: int
    rank_correlation: float  # Spearman's
    rank_bound: float
    labelled: int  # clips with labels
    auroc_fp32: float | None  # over those; None: they have no labels
    auroc: float | None  # in less precision
    auroc_bound: float


def parity(detector: Detector, exported: Exported, examples: Examples) -> dict[str, Any]:
    """Largest differences of scores and maps at some clips, for each runtime that is installed.

    Raises:
        ExportError: If a difference is over its tolerance.
        UsageError: If no runtime that takes the export is installed.
    """
    if not installed(exported.facts):
        raise UsageError(
            "a runtime that takes the export, to compare it by, is not installed here: "
            "pip install 'oddwatch[export]'"
        )
    places = np.linspace(0, len(examples.judged) - 1, min(PARITY, len(examples.judged)))
    clips = examples.judged[places.round().astype(int)]
    wanted = examined(runtime_of(detector), clips)
    tolerances = {"score_tolerance": SCORE_TOLERANCE, "map_tolerance": MAP_TOLERANCE}
    report: dict[str, Any] = {"clips": len(clips), "source": examples.source, **tolerances}
    for name in installed(exported.facts):
        found = examined(make_runtime(exported, name), clips)
        report[name] = _differences(wanted, found)
        _check(report[name], name, detector.name)
    return report


def agree(whole: Exported, small: Exported, examples: Examples) -> dict[str, Agreement]:
    """Compare scores in fp32 and in less precision, by each runtime that is installed.

    Raises:
        ExportError: If there are too few clips to tell, or their order or the AUROC differs by more
            than its bound.
    """
    if len(examples.judged) < LEAST:
        raise ExportError(
            f"{small.facts.precision} is compared at clips that the model did not learn from: "
            f"{examples.source} has {len(examples.judged)}, expected {LEAST} at least; name more "
            "normal data with --data"
        )
    return {name: _agreement(whole, small, name, examples) for name in installed(small.facts)}


def _agreement(whole: Exported, small: Exported, name: str, examples: Examples) -> Agreement:
    before, after = (
        examined(make_runtime(e, name), examples.judged).scores for e in (whole, small)
    )
    labels = examples.labels
    rank = float(spearmanr(before, after).statistic) if np.ptp(after) > 0 else 0.0
    found = Agreement(
        clips=len(before),
        rank_correlation=rank,
        rank_bound=RANK_BOUND,
        labelled=examples.labelled,
        auroc_fp32=None if labels is None else _auroc(labels, before),
        auroc=None if labels is None else _auroc(labels, after),
        auroc_bound=AUROC_BOUND,
    )
    _check_agreement(found, name, small.facts)
    return found


def _auroc(labels: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    return float(roc_auc_score(labels, scores[-len(labels) :]))


def examined(runtime: Runtime, clips: Bytes) -> Found:
    """What a runtime says of many clips."""
    found = [runtime.examine(clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)]
    return Found(
        np.concatenate([f.scores for f in found]), np.concatenate([f.maps for f in found]), {}
    )


def _differences(wanted: Found, found: Found) -> dict[str, float]:
    return {
        "score_difference": _largest(wanted.scores, found.scores),
        "score_share": _share(wanted.scores, found.scores),
        "map_difference": _largest(wanted.maps, found.maps),
        "map_share": _share(wanted.maps, found.maps),
    }


def _largest(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    return float(np.abs(wanted - found).max())


def _share(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """The largest difference over the largest magnitude."""
    return _largest(wanted, found) / max(float(np.abs(wanted).max()), 1e-9)


def _check(found: dict[str, float], runtime: str, detector: str) -> None:
    for what, most in (("score", SCORE_TOLERANCE), ("map", MAP_TOLERANCE)):
        share = found[f"{what}_share"]
        if not share <= most:
            raise ExportError(
                f"the exported {detector} does not say what the model says: {what}s by {runtime} "
                f"differ by up to {share:.2g} of the largest, expected {most:g} at most; nothing "
                "is written"
            )


def _check_agreement(found: Agreement, runtime: str, facts: Facts) -> None:
    detector, precision = facts.detector, facts.precision
    refused = f"nothing is written; export it without --{precision}"
    if not found.rank_correlation >= found.rank_bound:
        raise ExportError(
            f"{precision} changes what {detector} says: by {runtime} the rank correlation "
            f"with fp32 is {found.rank_correlation:.4f} over {found.clips} clips, expected "
            f"{RANK_BOUND} at least; {refused}"
        )
    if found.auroc_fp32 is None or found.auroc is None:
        return
    change = found.auroc - found.auroc_fp32
    if not abs(change) <= found.auroc_bound:
        raise ExportError(
            f"{precision} changes what {detector} finds: by {runtime} AUROC over "
            f"{found.labelled} clips goes from {found.auroc_fp32:.4f} to {found.auroc:.4f}, "
            f"expected a change of {AUROC_BOUND} at most; {refused}"
        )
