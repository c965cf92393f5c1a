from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import label as connected
from sklearn.metrics import roc_auc_score

from monitor.evaluation.metrics import BoolArray, EvaluationError
from monitor.evaluation.pixels import PixelFigures, area_up_to, aupro, ordered_keys, pixel_auroc

Map = NDArray[np.float64]


def exact_aupro(maps: list[Map], masks: list[BoolArray], max_fpr: float = 0.3) -> float:
    """Every threshold in turn; every region by itself; trapezoids with the last one cut."""
    values, truth = np.stack(maps), np.stack(masks)
    regions = []
    for frame, mask in enumerate(masks):
        numbered, count = connected(mask, structure=np.ones((3, 3)))
        regions += [(frame, numbered == number + 1) for number in range(count)]
    points = [(0.0, 0.0)]
    for threshold in sorted(set(values.ravel().tolist()), reverse=True):
        hit = values >= threshold
        overlap = np.mean([hit[frame][region].mean() for frame, region in regions])
        points.append((float(hit[~truth].mean()), float(overlap)))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= max_fpr:
            break
        end = min(x1, max_fpr)
        y_end = y1 if x1 <= max_fpr else y0 + (y1 - y0) * (end - x0) / (x1 - x0)
        area += (end - x0) * (y0 + y_end) / 2
    return area / max_fpr


def random_frames(seed: int, decimals: int = 12) -> tuple[list[Map], list[BoolArray]]:
    rng = np.random.default_rng(seed)
    masks = [rng.random((8, 9)) < 0.15 for _ in range(3)] + [np.zeros((8, 9), np.bool_)]
    maps = [mask * 0.8 + rng.normal(size=mask.shape) for mask in masks]
    return [np.round(m, decimals) for m in maps], masks


@pytest.mark.parametrize("decimals", [1, 12])
@pytest.mark.parametrize("max_fpr", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_aupro_is_that_of_the_slow_exact_way(seed: int, max_fpr: float, decimals: int) -> None:
    maps, masks = random_frames(seed, decimals)
    expected = exact_aupro(maps, masks, max_fpr)
    assert aupro(maps, masks, max_fpr=max_fpr) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("decimals", [1, 12])
def test_pixel_auroc_is_that_of_scikit_learn_within_its_own_bound(decimals: int) -> None:
    maps, masks = random_frames(0, decimals)
    figures = PixelFigures()
    for anomaly_map, mask in zip(maps, masks, strict=True):
        figures.add(anomaly_map, mask)
    expected = roc_auc_score(np.stack(masks).ravel(), np.stack(maps).ravel())
    assert figures.pixel_auroc() == pytest.approx(expected, abs=figures.tie_error() + 1e-12)
    assert figures.tie_error() < (0.02 if decimals == 1 else 1e-4)


def test_values_a_thousandth_apart_are_told_apart_wherever_they_lie() -> None:
    mask = np.array([[False, True]])
    for size in (1e-6, 1.0, 1e6):
        assert pixel_auroc([np.array([[size, size * 1.001]])], [mask]) == 1.0


def test_a_small_region_weighs_as_much_as_a_large_one() -> None:
    mask = np.zeros((10, 10), np.bool_)
    mask[0:4, 0:4] = True
    mask[9, 9] = True
    only_large = np.zeros((10, 10))
    only_large[0:4, 0:4] = 1.0
    # Half the regions at FPR 0, then the straight line that ties make, to (1, 1).
    assert aupro([only_large], [mask]) == pytest.approx((0.5 + 0.65) / 2)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    figures = PixelFigures()
    figures.add(np.zeros((4, 4)), np.eye(4, dtype=np.bool_))
    assert figures.regions == 1


def test_a_perfect_map_has_both_figures_at_one() -> None:
    _, masks = random_frames(0)
    maps = [mask.astype(float) for mask in masks]
    assert pixel_auroc(maps, masks) == pytest.approx(1.0)
    assert aupro(maps, masks) == pytest.approx(1.0)


def test_memory_does_not_grow_with_frames() -> None:
    figures = PixelFigures()
    mask = np.zeros((240, 360), np.bool_)
    mask[100:120, 200:230] = True
    rng = np.random.default_rng(0)
    for _ in range(5):
        figures.add(rng.random((240, 360), np.float32), mask)
    held = sum(a.nbytes for a in vars(figures).values() if isinstance(a, np.ndarray))
    assert held == 96 * 2**20
    assert figures.frames == figures.regions == 5


def test_merged_figures_are_those_of_all_frames_together() -> None:
    maps, masks = random_frames(0)
    together, first, rest = PixelFigures(), PixelFigures(), PixelFigures()
    for number, (anomaly_map, mask) in enumerate(zip(maps, masks, strict=True)):
        together.add(anomaly_map, mask)
        (rest if number else first).add(anomaly_map, mask)
    first.merge(rest)
    assert (first.frames, first.regions) == (together.frames, together.regions)
    assert first.pixel_auroc() == together.pixel_auroc()
    assert first.aupro() == pytest.approx(together.aupro(), abs=1e-12)


@settings(max_examples=50)
@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=30))
def test_keys_never_turn_the_order_round(values: list[float]) -> None:
    ordered = np.sort(np.array(values, np.float32))
    keys = ordered_keys(ordered).astype(np.int64)
    assert (np.diff(keys) >= 0).all()
    assert keys.min() >= 0
    assert keys.max() < 2**22


def test_minus_zero_is_zero() -> None:
    assert ordered_keys(np.array([-0.0]))[0] == ordered_keys(np.array([0.0]))[0]


def test_the_area_is_cut_between_two_points() -> None:
    fpr, height = np.array([0.0, 0.5, 1.0]), np.array([0.0, 1.0, 1.0])
    assert area_up_to(fpr, height, 0.25) == pytest.approx(0.25)  # a triangle up to 0.5
    assert area_up_to(fpr, height, 0.5) == pytest.approx(0.5)
    assert area_up_to(fpr, height, 1.0) == pytest.approx(0.75)


def test_what_is_no_map_and_mask_is_refused() -> None:
    figures, mask = PixelFigures(), np.zeros((2, 2), np.bool_)
    with pytest.raises(EvaluationError, match=r"map \(2, 3\) and mask \(2, 2\) do not match"):
        figures.add(np.zeros((2, 3)), mask)
    with pytest.raises(EvaluationError, match="a mask must be bool"):
        figures.add(np.zeros((2, 2)), mask.astype(np.uint8))
    with pytest.raises(EvaluationError, match="NaN or infinite"):
        figures.add(np.full((2, 2), np.nan), mask)
    figures.add(np.zeros((2, 2)), mask)
    with pytest.raises(EvaluationError, match="anomalous regions"):
        figures.aupro()
    with pytest.raises(EvaluationError, match="one of the classes is empty"):
        figures.pixel_auroc()
