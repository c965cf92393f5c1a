from pathlib import Path

import numpy as np
import pytest
import scipy.io

from monitor.datasets.labels import (
    Span,
    from_spans,
    read_clip,
    read_flat,
    read_m,
    read_mat,
)
from monitor.errors import LabelError

COUNTS = {"01": 5, "02": 4}


def cell(*spans: list[list[int]]) -> np.ndarray[tuple[int, int], np.dtype[np.object_]]:
    out = np.empty((1, len(spans)), object)
    for index, span in enumerate(spans):
        out[0, index] = np.array(span, np.uint16)
    return out


def test_spans_count_from_one_and_include_both_ends() -> None:
    labels = from_spans([Span(2, 3), Span(5, 5)], 5, "clip")
    assert labels.tolist() == [False, True, True, False, True]


def test_ucsd_script_with_lists_comments_and_two_spans(tmp_path: Path) -> None:
    path = tmp_path / "UCSDped1.m"
    path.write_text(
        "% TestVideoFile{end+1}.gt_frame = [9:9];\nTestVideoFile = {};\n"
        "TestVideoFile{end+1}.gt_frame = [60:152];\n"
        "TestVideoFile{end+1}.gt_frame = [5:90, 140:200];  % two\n"
        "TestVideoFile{end+1}.gt_frame = [];\n"
    )
    assert read_m(path) == [[Span(60, 152)], [Span(5, 90), Span(140, 200)], []]


def test_mat_of_spans(tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"gt": cell([[1, 4], [2, 5]], [[2], [2]])})
    truth = read_mat(path, COUNTS)
    assert truth["01"].tolist() == [True, True, False, True, True]
    assert truth["02"].tolist() == [False, True, False, False]


def test_mat_with_a_normal_clip(tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    spans = cell([[1], [2]], [[1], [1]])
    spans[0, 1] = np.zeros((0, 0))
    scipy.io.savemat(path, {"gt": spans})
    assert not read_mat(path, COUNTS)["02"].any()


def test_mat_with_a_key_per_clip(tmp_path: Path) -> None:
    path = tmp_path / "avenue.mat"
    flags = {"01": np.array([0, 1, 0, 0, 1], np.int32), "02": np.array([1, 0, 0, 0], np.int32)}
    scipy.io.savemat(path, flags)
    assert read_mat(path, COUNTS)["01"].tolist() == [False, True, False, False, True]


def test_mat_of_another_number_of_clips(tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"gt": cell([[1], [2]])})
    with pytest.raises(LabelError, match=r"truth of 1 clips, but there are 2 test clips \(01, 02"):
        read_mat(path, COUNTS)


def test_mat_beyond_the_clip_names_it_and_both_counts(tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"gt": cell([[1], [7]], [[1], [1]])})
    with pytest.raises(LabelError, match=r"clip 01: anomalous frames 1 to 7, .* has 5 frames"):
        read_mat(path, COUNTS)
    assert read_mat(path, COUNTS, slack=2)["01"].all()


def test_mat_with_other_keys(tmp_path: Path) -> None:
    path = tmp_path / "gt.mat"
    scipy.io.savemat(path, {"l": np.zeros(3)})
    with pytest.raises(LabelError, match=r"expected the key gt, or one key per clip .*found l"):
        read_mat(path, COUNTS)


@pytest.mark.parametrize("shape", [(9,), (1, 9), (9, 1)])
def test_flat_array_is_cut_in_natural_order(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "flat.npy"
    np.save(path, np.array([0, 0, 0, 0, 1, 1, 0, 0, 0], np.int8).reshape(shape))
    truth = read_flat(path, COUNTS)
    assert truth["01"].tolist() == [False] * 4 + [True]
    assert truth["02"].tolist() == [True] + [False] * 3


def test_flat_array_of_another_length(tmp_path: Path) -> None:
    path = tmp_path / "flat.npy"
    np.save(path, np.zeros(8))
    with pytest.raises(LabelError, match=r"8 labels, but the 2 test clips .* have 9 frames"):
        read_flat(path, COUNTS)


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "flat.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(LabelError, match="never unpickled"):
        read_flat(path, COUNTS)


@pytest.mark.parametrize(
    "text", ["0\n1\n1\n0\n0\n", "0 1 1 0 0", "0,1,1,0,0", "2 3\n", "2 2\n3,3\n"]
)
def test_text_of_flags_or_spans(tmp_path: Path, text: str) -> None:
    path = tmp_path / "01.txt"
    path.write_text(text)
    assert read_clip(path, 5).tolist() == [False, True, True, False, False]


def test_text_of_neither(tmp_path: Path) -> None:
    path = tmp_path / "01.txt"
    path.write_text("3 4 5\n")
    with pytest.raises(LabelError, match='expected a 0 or 1 per frame, or lines of "first last"'):
        read_clip(path, 5)


def test_flags_other_than_zero_and_one(tmp_path: Path) -> None:
    path = tmp_path / "01.npy"
    np.save(path, np.array([0, 2, 1]))
    with pytest.raises(LabelError, match="expected only 0"):
        read_clip(path, 3)
