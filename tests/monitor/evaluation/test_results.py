from pathlib import Path

import numpy as np
import pytest

from monitor.errors import DataSetError, LabelError
from monitor.evaluation.metrics import auroc_causal, auroc_micro
from monitor.evaluation.results import VideoScores, read_scores_csv, score_tables
from monitor.files import write_together


def video(name: str, n: int = 40, *, seed: int = 0) -> VideoScores:
    rng = np.random.default_rng(seed)
    return VideoScores(
        name=name,
        index=np.arange(4, 4 + n),
        time_s=np.arange(4, 4 + n) / 3,
        score=rng.normal(size=n).astype(np.float32),
        p_value=rng.random(n),
        label=rng.random(n) < 0.5,
        terms={"psnr": rng.normal(size=n), "motion": rng.normal(size=n)},
    )


def test_the_file_has_the_fixed_columns_and_empty_cells_where_there_is_nothing(
    tmp_path: Path,
) -> None:
    bare = VideoScores("lobby, 2nd", np.array([4]), np.array([0.16]), np.array([0.1]))
    known = VideoScores(
        "02", np.array([7]), np.array([0.28]), np.array([2.5]), np.array([0.01]), np.array([True])
    )
    write_together(tmp_path, score_tables([bare, known]))
    assert (tmp_path / "scores.csv").read_text() == (
        'video,frame,time_s,score,p_value,label\n"lobby, 2nd",4,0.16,0.1,,\n02,7,0.28,2.5,0.01,1\n'
    )
    assert not (tmp_path / "terms.csv").exists()


def test_terms_stand_beside_with_an_empty_cell_where_a_video_has_none(tmp_path: Path) -> None:
    some = VideoScores("a", np.array([0]), np.zeros(1), np.zeros(1), terms={"psnr": np.ones(1)})
    none = VideoScores("b", np.array([0]), np.zeros(1), np.zeros(1))
    write_together(tmp_path, score_tables([some, none]))
    assert (tmp_path / "terms.csv").read_text() == "video,frame,psnr\na,0,1.0\nb,0,\n"


def test_what_is_read_is_what_was_written_to_the_bit(tmp_path: Path) -> None:
    written = [video("01", seed=1), video("02", seed=2)]
    write_together(tmp_path, score_tables(written))
    for old, new in zip(written, read_scores_csv(tmp_path / "scores.csv"), strict=True):
        assert old.name == new.name
        assert old.label is not None
        assert new.label is not None
        assert old.p_value is not None
        assert new.p_value is not None
        np.testing.assert_array_equal(old.index, new.index)
        np.testing.assert_array_equal(old.time_s, new.time_s)
        np.testing.assert_array_equal(old.score, new.score)
        np.testing.assert_array_equal(old.p_value, new.p_value)
        np.testing.assert_array_equal(old.label, new.label)
        for name in old.terms:
            np.testing.assert_array_equal(old.terms[name], new.terms[name])


def test_figures_recomputed_from_the_file_are_the_same(tmp_path: Path) -> None:
    written = [video(str(seed), seed=seed) for seed in range(3)]
    write_together(tmp_path, score_tables(written))
    read = read_scores_csv(tmp_path / "scores.csv")
    for figure in (auroc_micro, auroc_causal):
        before, after = (
            figure([v.label for v in videos if v.label is not None], [v.score for v in videos])
            for videos in (written, read)
        )
        assert before == after


def test_missing_labels_and_p_values_come_back_as_none(tmp_path: Path) -> None:
    bare = VideoScores("a", np.arange(2), np.arange(2.0), np.zeros(2))
    write_together(tmp_path, score_tables([bare]))
    (read,) = read_scores_csv(tmp_path / "scores.csv")
    assert read.label is None
    assert read.p_value is None
    assert not read.terms


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("name,value\na,1\n")
    with pytest.raises(DataSetError, match="expected the columns video,frame,time_s"):
        read_scores_csv(path)
    path.write_text("video,frame,time_s,score,p_value,label\na,0,0.0,high,,\n")
    with pytest.raises(DataSetError, match=r"a cell is not a number: .*'high'"):
        read_scores_csv(path)


def test_terms_of_other_frames_are_refused(tmp_path: Path) -> None:
    write_together(tmp_path, score_tables([video("01")]))
    (tmp_path / "terms.csv").write_text("video,frame,psnr\n01,0,1.0\n")
    with pytest.raises(DataSetError, match=r"terms.csv: does not list the frames of scores.csv"):
        read_scores_csv(tmp_path / "scores.csv")


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    two = np.arange(2)
    with pytest.raises(DataSetError, match=r"a: score is \(3,\), expected \(2,\)"):
        VideoScores("a", two, np.zeros(2), np.zeros(3))
    with pytest.raises(DataSetError, match=r"a: psnr is \(1,\)"):
        VideoScores("a", two, np.zeros(2), np.zeros(2), terms={"psnr": np.zeros(1)})
    with pytest.raises(LabelError, match=r"expected \(2,\) bool labels, got \(2,\) int64"):
        VideoScores("a", two, np.zeros(2), np.zeros(2), label=np.array([0, 1]))
    with pytest.raises(DataSetError, match=r"expected \(N,\) scored frames, got \(0,\)"):
        VideoScores("a", np.arange(0), np.zeros(0), np.zeros(0))
