"""The counts and labels of the real sets, where they lie at hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.datasets import DataSet, Video, open_data


def flags(video: Video) -> NDArray[np.bool_]:
    assert video.labels is not None
    return video.labels


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    return Path(folder)


def totals(data: DataSet) -> tuple[int, int, int]:
    return (
        sum(video.n_frames or 0 for video in data.train),
        sum(video.n_frames or 0 for video in data.test),
        sum(int(flags(video).sum()) for video in data.test),
    )


@pytest.mark.data
def test_ped2_counts_and_masks_agree_with_labels(real: Path) -> None:
    data, masked = open_data(real / "ped2"), open_data(real / "ped2", labels="masks")
    assert totals(data) == (2550, 2010, 1648)
    assert [flags(v).tolist() for v in masked.test] == [flags(v).tolist() for v in data.test]
    video = data.test[0]
    assert video.masks is not None
    assert video.masks[0].shape == video.size == (240, 360)


@pytest.mark.data
def test_avenues_two_label_sets_differ_in_441_frames(real: Path) -> None:
    from monitor.datasets.labels import read_flat, read_mat
    from monitor.datasets.masks import CellMasks, any_anomalous

    folder = real / "labels" / "avenue"
    masks = {f"{k:02d}": any_anomalous(CellMasks(folder / f"{k}_label.mat")) for k in range(1, 22)}
    counts = {name: len(own) for name, own in masks.items()}
    spans = read_mat(real / "labels" / "frames" / "avenue.mat", counts)
    flat = read_flat(real / "labels" / "frames" / "frame_labels_avenue.npy", counts)
    assert sum(counts.values()) == 15324
    assert sum(int(own.sum()) for own in masks.values()) == 3712
    assert sum(int(own.sum()) for own in spans.values()) == 3867
    assert all(np.array_equal(spans[name], flat[name]) for name in counts)
    assert sum(int((spans[name] != masks[name]).sum()) for name in counts) == 441
