import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from monitor.evaluation.baselines import FlowMagnitude, clock_scores
from monitor.evaluation.metrics import auroc_causal, auroc_micro


def texture(seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (120, 160), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)


def moved(picture: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    return np.roll(picture, pixels, axis=1)


def test_the_clock_is_the_time() -> None:
    np.testing.assert_array_equal(clock_scores(np.array([4, 5, 6])), [4.0, 5.0, 6.0])


def test_flow_is_in_pixels_per_frame_and_the_first_frame_scores_zero() -> None:
    flow = FlowMagnitude()
    scores = [flow.score(moved(texture(), 2 * frame)) for frame in range(4)]
    assert scores[0] == 0.0
    assert scores[1:] == pytest.approx([2.0] * 3, abs=0.3)


def test_a_small_moving_thing_counts_though_the_rest_stands_still() -> None:
    flow, scores = FlowMagnitude(), []
    for left in (40, 43, 46):
        frame = texture()
        frame[40:72, left : left + 32] = texture(1)[:32, :32]
        scores.append(flow.score(frame))
    assert scores[-1] == pytest.approx(3.0, abs=0.6)


def test_the_score_is_the_mean_of_the_last_three_flows() -> None:
    flow, picture, offset, scores = FlowMagnitude(), texture(), 0, []
    for step in (0, 3, 0, 0, 0):
        offset += step
        scores.append(flow.score(moved(picture, offset)))
    assert scores[1:] == pytest.approx([3.0, 1.5, 1.0, 0.0], abs=0.3)


def test_reset_forgets_the_video_before() -> None:
    flow = FlowMagnitude()
    fresh = [flow.score(moved(texture(), 2 * frame)) for frame in range(3)]
    flow.reset()
    assert [flow.score(moved(texture(), 2 * frame)) for frame in range(3)] == fresh


def test_colour_and_gray_frames_agree_and_tall_frames_are_shrunk() -> None:
    frames = [np.tile(moved(texture(), step), (2, 2)) for step in (0, 2)]  # at the working size
    gray = last_score(frames)
    assert last_score([np.dstack([f] * 3) for f in frames]) == pytest.approx(gray, abs=0.05)
    doubled = [np.kron(f, np.ones((2, 2), np.uint8)) for f in frames]
    assert last_score(doubled) == pytest.approx(gray, abs=0.3)


def last_score(frames: list[NDArray[np.uint8]]) -> float:
    flow = FlowMagnitude()
    return [flow.score(frame) for frame in frames][-1]


def test_frames_smaller_than_a_cell_are_one_cell() -> None:
    flow = FlowMagnitude()
    flow.score(texture()[:15, :15])
    assert np.isfinite(flow.score(texture()[:15, :15]))


def ped2() -> Iterator[tuple[list[Path], NDArray[np.bool_]]]:
    root = Path(os.environ.get("ODDWATCH_DATA", "")) / "ped2"
    ranges = scipy.io.loadmat(root / "ped2.mat")["gt"][0]
    folders = sorted((root / "testing" / "frames").iterdir())
    for folder, rows in zip(folders, ranges, strict=True):
        paths = sorted(folder.glob("*.jpg"))
        labels = np.zeros(len(paths), np.bool_)
        for first, last in rows.astype(int).T:
            labels[first - 1 : last] = True
        yield paths, labels


@pytest.mark.data
@pytest.mark.skipif("ODDWATCH_DATA" not in os.environ, reason="ODDWATCH_DATA is not set")
def test_on_ped2_plain_motion_ranks_as_it_was_measured() -> None:
    """Without the first four frames of each video, as prediction from four frames judges it."""
    flow, labels, scores, clocks = FlowMagnitude(), [], [], []
    for paths, label in ped2():
        flow.reset()
        pictures = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths)
        scores.append(np.array([flow.score(np.asarray(p, np.uint8)) for p in pictures])[4:])
        clocks.append(clock_scores(np.arange(len(paths)))[4:])
        labels.append(label[4:])
    assert auroc_causal(labels, scores) == pytest.approx(0.964, abs=0.005)
    assert auroc_micro(labels, scores) == pytest.approx(0.950, abs=0.005)
    assert auroc_micro(labels, clocks) == pytest.approx(0.746, abs=0.005)
