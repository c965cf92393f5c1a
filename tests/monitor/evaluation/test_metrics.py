import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from monitor.evaluation.metrics import (
    BoolArray,
    EvaluationError,
    auroc,
    auroc_causal,
    auroc_interval,
    auroc_macro,
    auroc_micro,
    average_precision,
    equal_error_rate,
    f1_max,
    per_video_min_max,
    pr,
    roc,
)

Floats = NDArray[np.float64]

# Frame counts and anomalous ranges (1-based, inclusive) of UCSD Ped2's twelve test videos, as
# its UCSDped2.m gives them.
PED2 = [
    (180, 61, 180), (180, 95, 180), (150, 1, 146), (180, 31, 180), (150, 1, 129), (180, 1, 159),
    (180, 46, 180), (180, 1, 180), (120, 1, 120), (150, 1, 150), (180, 1, 180), (180, 88, 180),
]  # fmt: skip


def ped2_labels() -> list[BoolArray]:
    return [
        np.array([first <= frame <= last for frame in range(1, n + 1)]) for n, first, last in PED2
    ]


def random_case(seed: int, decimals: int) -> tuple[BoolArray, Floats]:
    rng = np.random.default_rng(seed)
    labels = rng.random(200) < 0.3
    scores = rng.normal(size=200) + labels
    return labels, np.round(scores, decimals)


def f1_at(labels: BoolArray, alarms: BoolArray) -> float:
    hits = int((labels & alarms).sum())
    return 2 * hits / int(labels.sum() + alarms.sum())


cases = pytest.mark.parametrize(
    ("seed", "decimals"), [(seed, decimals) for seed in range(5) for decimals in (1, 12)]
)


@cases
def test_areas_are_those_of_scikit_learn(seed: int, decimals: int) -> None:
    labels, scores = random_case(seed, decimals)
    assert auroc(labels, scores) == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    expected = sklearn_metrics.average_precision_score(labels, scores)
    assert average_precision(labels, scores) == pytest.approx(expected)


@cases
def test_the_roc_curve_is_that_of_scikit_learn(seed: int, decimals: int) -> None:
    labels, scores = random_case(seed, decimals)
    fpr, tpr, threshold = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    curve = roc(labels, scores)
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    np.testing.assert_allclose(curve.threshold, threshold)


@cases
def test_the_pr_curve_is_that_of_scikit_learn(seed: int, decimals: int) -> None:
    labels, scores = random_case(seed, decimals)
    precision, recall, threshold = sklearn_metrics.precision_recall_curve(labels, scores)
    curve = pr(labels, scores)
    np.testing.assert_allclose(curve.precision, precision[:-1][::-1])
    np.testing.assert_allclose(curve.recall, recall[:-1][::-1])
    np.testing.assert_allclose(curve.threshold, threshold[::-1])


@cases
def test_f1_max_is_the_best_of_all_thresholds_tried_one_by_one(seed: int, decimals: int) -> None:
    labels, scores = random_case(seed, decimals)
    tried = {t: f1_at(labels, scores >= t) for t in scores.tolist()}
    best = f1_max(labels, scores)
    assert best.f1 == pytest.approx(max(tried.values()))
    assert tried[best.threshold] == pytest.approx(best.f1)
    alarms = scores >= best.threshold
    assert best.precision == pytest.approx(labels[alarms].mean())
    assert best.recall == pytest.approx(alarms[labels].mean())


@cases
def test_at_the_equal_error_rate_the_curve_has_as_many_misses(seed: int, decimals: int) -> None:
    """Walks the curve in steps of a thousandth of a segment."""
    labels, scores = random_case(seed, decimals)
    fpr, tpr, _ = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    walk = np.linspace(0, len(fpr) - 1, 1000 * (len(fpr) - 1) + 1)
    along_fpr = np.interp(walk, np.arange(len(fpr)), fpr)
    along_tpr = np.interp(walk, np.arange(len(tpr)), tpr)
    nearest = np.abs(along_fpr - (1 - along_tpr)).argmin()
    assert equal_error_rate(labels, scores) == pytest.approx(along_fpr[nearest], abs=1e-4)


def test_equal_error_rates_worked_out_by_hand() -> None:
    labels = np.array([False, False, True, True])
    assert equal_error_rate(labels, np.array([1.0, 2, 3, 4])) == 0.0
    assert equal_error_rate(labels, np.array([4.0, 3, 2, 1])) == 1.0
    assert equal_error_rate(labels, np.zeros(4)) == 0.5
    assert equal_error_rate(labels, np.array([1.0, 3, 2, 4])) == 0.5


two_classes = st.lists(
    st.tuples(st.booleans(), st.integers(-50, 50)), min_size=2, max_size=60
).filter(lambda pairs: len({label for label, _ in pairs}) == 2)


def arrays(pairs: list[tuple[bool, int]]) -> tuple[BoolArray, Floats]:
    return np.array([p[0] for p in pairs]), np.array([float(p[1]) for p in pairs])


@given(two_classes)
def test_auroc_counts_the_pairs_in_the_right_order(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(pairs)
    wins = [(a > n) + (a == n) / 2 for a in scores[labels] for n in scores[~labels]]
    assert auroc(labels, scores) == pytest.approx(np.mean(wins))


@given(two_classes, st.floats(0.1, 10), st.floats(-10, 10))
def test_increasing_maps_change_no_ranking_figure(
    pairs: list[tuple[bool, int]], slope: float, shift: float
) -> None:
    labels, scores = arrays(pairs)
    for moved in (slope * scores + shift, np.exp(scores / 10), scores**3):
        assert auroc(labels, moved) == pytest.approx(auroc(labels, scores))
        assert f1_max(labels, moved).f1 == pytest.approx(f1_max(labels, scores).f1)


@given(two_classes)
def test_negation_swaps_auroc(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(pairs)
    assert auroc(labels, -scores) == pytest.approx(1 - auroc(labels, scores))
    assert auroc(~labels, scores) == pytest.approx(1 - auroc(labels, scores))


@given(two_classes)
def test_constants_are_chance(pairs: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(pairs)
    assert auroc(labels, 0 * scores) == 0.5
    assert average_precision(labels, 0 * scores) == pytest.approx(labels.mean())


def test_min_max_stretches_to_the_unit_interval_and_leaves_constants_at_zero() -> None:
    np.testing.assert_array_equal(per_video_min_max(np.array([2.0, 4, 3])), [0, 1, 0.5])
    np.testing.assert_array_equal(per_video_min_max(np.array([7.0, 7])), [0, 0])
    assert per_video_min_max(np.zeros(0)).shape == (0,)


def test_min_max_hides_an_offset_between_videos_that_a_live_user_would_suffer() -> None:
    labels = [np.array([False, False, True])] * 2
    scores = [np.array([0.0, 0.1, 1.0]), np.array([5.0, 5.1, 6.0])]
    assert auroc_micro(labels, scores) == 1.0
    assert auroc_causal(labels, scores) == 0.75  # 6 of 8 pairs: 1.0 lies under 5.0 and 5.1


def test_a_perfect_score_stays_perfect_where_every_video_has_both_classes() -> None:
    labels = [label for label in ped2_labels() if not label.all()]
    scores = [label.astype(float) for label in labels]
    assert auroc_micro(labels, scores) == auroc_causal(labels, scores) == 1.0


def test_a_perfect_score_is_spoiled_by_min_max_where_a_video_has_one_class() -> None:
    labels = ped2_labels()
    scores = [label.astype(float) for label in labels]
    assert auroc_causal(labels, scores) == 1.0
    assert auroc_micro(labels, scores) < 0.9  # four anomalous videos become constants, then zeros


def test_min_max_costs_a_near_oracle_on_ped2_seven_points() -> None:
    """Label plus noise of 0.3: measured before as 0.990 raw, 0.917 with min-max."""
    labels, rng = ped2_labels(), np.random.default_rng(0)
    scores = [label + rng.normal(0, 0.3, len(label)) for label in labels]
    assert auroc_causal(labels, scores) == pytest.approx(0.990, abs=0.005)
    assert auroc_micro(labels, scores) == pytest.approx(0.917, abs=0.015)


def test_macro_skips_and_counts_the_single_class_videos_of_ped2() -> None:
    labels, rng = ped2_labels(), np.random.default_rng(0)
    scores = [rng.random(len(label)) for label in labels]
    macro = auroc_macro(labels, scores)
    assert (macro.videos, macro.skipped) == (8, 4)
    own = [
        sklearn_metrics.roc_auc_score(label, score)
        for label, score in zip(labels, scores, strict=True)
        if not label.all()
    ]
    assert macro.auroc == pytest.approx(np.mean(own))


def test_padding_would_give_random_scores_what_macro_does_not() -> None:
    """A made-up 0 and 1 per video, as published code has it, lifts chance on Ped2 to 0.68."""
    labels, rng = ped2_labels(), np.random.default_rng(0)
    plain, padded = [], []
    for _ in range(20):
        scores = [rng.random(len(label)) for label in labels]
        plain.append(auroc_macro(labels, scores).auroc)
        padded_labels = [np.r_[False, label, True] for label in labels]
        padded_scores = [np.r_[0.0, score, 1.0] for score in scores]
        padded.append(auroc_macro(padded_labels, padded_scores).auroc)
    assert np.mean(plain) == pytest.approx(0.5, abs=0.02)
    assert np.mean(padded) == pytest.approx(0.684, abs=0.02)


def test_the_interval_holds_the_value_and_shrinks_to_it_for_equal_videos() -> None:
    rng = np.random.default_rng(0)
    labels = [rng.random(50) < 0.5 for _ in range(10)]
    scores = [label + rng.normal(0, 1, 50) for label in labels]
    interval = auroc_interval(labels, scores, replicates=200)
    assert interval.low < auroc_causal(labels, scores) < interval.high
    same = auroc_interval([labels[0]] * 5, [scores[0]] * 5, replicates=20)
    assert same.low == pytest.approx(same.high) == pytest.approx(auroc(labels[0], scores[0]))


def test_the_interval_is_that_of_resampling_written_out() -> None:
    rng = np.random.default_rng(1)
    labels = [rng.random(30) < 0.4 for _ in range(6)]
    scores = [np.round(label + rng.normal(0, 1, 30), 1) for label in labels]
    draw, areas = np.random.default_rng(0), []
    for _ in range(100):
        videos = draw.integers(6, size=6)
        truth = np.concatenate([labels[v] for v in videos])
        areas.append(
            sklearn_metrics.roc_auc_score(truth, np.concatenate([scores[v] for v in videos]))
        )
    interval = auroc_interval(labels, scores, replicates=100, seed=0)
    assert [interval.low, interval.high] == pytest.approx(np.quantile(areas, [0.025, 0.975]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("figure", [auroc, roc, pr, average_precision, f1_max, equal_error_rate])
def test_scores_that_are_no_numbers_are_refused(figure: object, bad: float) -> None:
    assert callable(figure)
    with pytest.raises(EvaluationError, match="1 of 3 scores are NaN or infinite"):
        figure(np.array([True, False, True]), np.array([0.0, bad, 1.0]))


@pytest.mark.parametrize("figure", [auroc_micro, auroc_causal, auroc_macro, auroc_interval])
def test_figures_over_videos_refuse_nan_too(figure: object) -> None:
    assert callable(figure)
    labels = [np.array([True, False]), np.array([True, False])]
    with pytest.raises(EvaluationError, match="NaN"):
        figure(labels, [np.array([1.0, 0]), np.array([np.nan, 0])])


def test_one_class_wrong_lengths_and_wrong_types_are_refused() -> None:
    with pytest.raises(EvaluationError, match="one of the classes is empty"):
        auroc(np.array([True, True]), np.array([0.0, 1]))
    with pytest.raises(EvaluationError, match="there is one class only"):
        roc(np.array([False, False]), np.array([0.0, 1]))
    with pytest.raises(EvaluationError, match="there are none"):
        average_precision(np.array([False, False]), np.array([0.0, 1]))
    with pytest.raises(EvaluationError, match=r"labels \(2,\) and scores \(1,\) do not match"):
        auroc(np.array([False, True]), np.array([0.0]))
    with pytest.raises(EvaluationError, match="labels must be bool"):
        auroc(np.array([0, 1]), np.array([0.0, 1]))
    with pytest.raises(EvaluationError, match="no labelled videos"):
        auroc_causal([], [])
    with pytest.raises(EvaluationError, match="1 label arrays for 2 videos"):
        auroc_causal([np.array([True, False])], [np.zeros(2), np.zeros(2)])
    with pytest.raises(EvaluationError, match="no video has both"):
        auroc_macro([np.array([True])], [np.zeros(1)])
    with pytest.raises(EvaluationError, match="two videos or more"):
        auroc_interval([np.array([True, False])], [np.array([1.0, 0])])
