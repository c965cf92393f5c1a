from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from numpy.typing import NDArray

from monitor.datasets import LAYOUTS, Video, open_data
from monitor.errors import DataSetError, LabelError, SourceNotFoundError, UsageError

Stills = Callable[..., Path]
Film = Callable[..., Path]


def names(videos: tuple[Video, ...]) -> list[str]:
    return [video.name for video in videos]


def flags(video: Video) -> NDArray[np.bool_]:
    assert video.labels is not None
    return video.labels


# --- UCSD


@pytest.fixture
def ucsd(tmp_path: Path, stills: Stills) -> Path:
    root = tmp_path / "UCSD_Anomaly_Dataset.v1p2" / "UCSDped2"
    stills(root / "Train" / "Train001", 20, suffix=".tif")
    for clip in ("Test001", "Test002"):
        stills(root / "Test" / clip, 20, suffix=".tif")
    (root / "Test" / "Test001" / "._001.tif").write_bytes(b"mac")
    (root / "Test" / "Test001" / ".DS_Store").write_bytes(b"mac")
    masks = root / "Test" / "Test001_gt"
    masks.mkdir()
    for index in range(20):
        mask = np.zeros((16, 24), np.uint8)
        mask[2, 3] = 255 * (index >= 4)
        cv2.imwrite(str(masks / f"{index + 1:03d}.bmp"), mask)
    lines = "TestVideoFile{end+1}.gt_frame = [5:20];\nTestVideoFile{end+1}.gt_frame = [1:2,9:9];\n"
    (root / "Test" / "UCSDped2.m").write_text("TestVideoFile = {};\n" + lines)
    return root


def test_ucsd_as_distributed(ucsd: Path) -> None:
    data = open_data(ucsd)
    assert (data.layout, data.name, data.label_source) == (
        "ucsd",
        "UCSDped2",
        "UCSDped2.m (frames)",
    )
    assert (names(data.train), names(data.test)) == (["Train001"], ["Test001", "Test002"])
    assert np.flatnonzero(flags(data.test[1])).tolist() == [0, 1, 8]
    assert data.test[0].n_frames == 20
    assert data.test[1].masks is None
    assert data.test[0].masks is not None
    assert data.test[0].masks[3].sum() == 0
    assert np.argwhere(data.test[0].masks[4]).tolist() == [[2, 3]]
    assert [len(data.test[0].masks), flags(data.test[0]).sum()] == [20, 16]


def test_ucsd_from_the_folder_above(ucsd: Path, stills: Stills) -> None:
    assert open_data(ucsd.parent).root == ucsd
    stills(ucsd.parent / "UCSDped1" / "Train" / "Train001")
    with pytest.raises(DataSetError, match=r"two data sets .*UCSDped1 or .*UCSDped2"):
        open_data(ucsd.parent)


def test_ucsd_masks_of_some_clips_only(ucsd: Path) -> None:
    with pytest.raises(LabelError, match="masks for 1 of 2 test clips only"):
        open_data(ucsd, labels="masks")


def test_ucsd_masks_that_do_not_match_name_both_counts(ucsd: Path) -> None:
    (ucsd / "Test" / "Test001_gt" / "007.bmp").unlink()
    with pytest.raises(LabelError, match=r"Test001: 20 frames, but 19 masks"):
        open_data(ucsd)


# --- redistributed frames


@pytest.fixture
def redistributed(tmp_path: Path, stills: Stills) -> Path:
    root = tmp_path / "ped2"
    stills(root / "training" / "frames" / "01", 20, first=0)
    for clip in ("1", "2", "10"):
        stills(root / "testing" / "frames" / clip, 18)
    gt = np.empty((1, 3), object)
    for index, last in enumerate((2, 3, 10)):
        gt[0, index] = np.array([[1], [last]], np.uint8)
    scipy.io.savemat(root / "ped2.mat", {"gt": gt})
    return root


def test_frames_with_a_mat(redistributed: Path) -> None:
    data = open_data(redistributed)
    assert (data.layout, data.label_source) == ("frames", "ped2.mat")
    assert names(data.test) == ["1", "2", "10"]  # the order that labels depend on
    assert [int(flags(video).sum()) for video in data.test] == [2, 3, 10]


def test_frames_are_read_from_anywhere(redistributed: Path) -> None:
    video = open_data(redistributed, folder_rate_hz=20).test[2]
    assert [(f.index, f.time_s, int(f.image[0, 0, 0])) for f in video.frames(7, 9)] == [
        (7, 0.35, 7),
        (8, 0.4, 8),
    ]
    assert (video.rate_hz, video.size) == (20, (16, 24))
    assert open_data(redistributed).test[2].rate_hz is None


def test_frames_without_the_level_frames(tmp_path: Path, stills: Stills) -> None:
    stills(tmp_path / "training" / "01")
    stills(tmp_path / "testing" / "testing_frames" / "07")
    data = open_data(tmp_path)
    assert (names(data.train), names(data.test)) == (["01"], ["07"])
    assert data.label_source is None


def test_frames_with_a_flat_array_named_by_hand(redistributed: Path) -> None:
    np.save(redistributed / "frame_labels.npy", np.ones((1, 54), np.int8))
    data = open_data(redistributed, labels="frame_labels.npy")
    assert data.label_source == "frame_labels.npy"
    assert all(flags(video).all() for video in data.test)
    assert open_data(redistributed, folder_rate_hz=10).notes == (
        "labels are from ped2.mat; frame_labels.npy is there too, not used",
    )


def test_frames_with_a_file_per_clip(redistributed: Path) -> None:
    folder = redistributed / "testing" / "test_frame_mask"
    folder.mkdir()
    np.save(folder / "1.npy", np.arange(18) > 15)
    (folder / "2.txt").write_text("1 4\n")
    data = open_data(redistributed)
    assert data.label_source == "test_frame_mask/"
    assert [v.labels is not None and int(v.labels.sum()) for v in data.test] == [2, 4, False]


def test_frames_with_masks_alone(redistributed: Path, stills: Stills) -> None:
    (redistributed / "ped2.mat").unlink()
    for clip in ("1", "2", "10"):
        stills(redistributed / "testing" / "pixel_masks" / clip, 18)  # level 0 first: normal
    data = open_data(redistributed)
    assert data.label_source == "pixel masks"
    assert [int(flags(video).sum()) for video in data.test] == [17, 17, 17]


def test_frames_with_labels_of_another_set(redistributed: Path) -> None:
    gt = np.empty((1, 12), object)
    for index in range(12):
        gt[0, index] = np.array([[1], [9]], np.uint8)
    scipy.io.savemat(redistributed / "ped2.mat", {"gt": gt})
    with pytest.raises(LabelError, match=r"truth of 12 clips, but there are 3"):
        open_data(redistributed)


def test_frames_with_a_clip_of_another_length(redistributed: Path) -> None:
    folder = redistributed / "testing" / "labels"
    folder.mkdir()
    np.save(folder / "1.npy", np.zeros(17))
    with pytest.raises(LabelError, match=r"frames/1: 18 frames, but 17 labels"):
        open_data(redistributed)


def test_a_label_file_that_is_not_there(redistributed: Path) -> None:
    with pytest.raises(LabelError, match=r"nix.npy: expected a label file"):
        open_data(redistributed, labels="nix.npy")


# --- Avenue


def write_cells(path: Path, n_frames: int, anomalous: list[int]) -> None:
    cells = np.empty((1, n_frames), object)
    for index in range(n_frames):
        cells[0, index] = np.zeros((32, 32), np.uint8)
        cells[0, index][5, 6] = index in anomalous
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"volLabel": cells}, do_compression=True)


@pytest.fixture
def avenue(tmp_path: Path, film: Film) -> Path:
    base = tmp_path / "Avenue Dataset"
    film(base / "training_videos" / "01.avi")
    masks = tmp_path / "ground_truth_demo" / "testing_label_mask"
    for clip, n_frames in (("01", 20), ("02", 21)):
        film(base / "testing_videos" / f"{clip}.avi", n_frames)
        write_cells(masks / f"{int(clip)}_label.mat", 20, [3, 4])
    return tmp_path


def test_avenue_takes_the_masks_and_says_so(avenue: Path) -> None:
    for root in (avenue, avenue / "Avenue Dataset"):
        data = open_data(root)
        assert (data.layout, data.label_source) == ("avenue", "volLabel masks")
        assert names(data.test) == ["01", "02"]
        assert np.flatnonzero(flags(data.test[0])).tolist() == [3, 4]
        masks = data.test[0].masks
        assert masks is not None
        assert np.argwhere(masks[4]).tolist() == [[5, 6]]


def test_avenue_tolerates_a_frame_at_the_end(avenue: Path) -> None:
    data = open_data(avenue)
    assert data.notes == ("02: 21 frames, 20 labels; the first 20 are used",)
    video = data.test[1]
    assert (video.n_frames, len(flags(video)), len(list(video.frames()))) == (20, 20, 20)


def test_avenue_refuses_three_frames(avenue: Path) -> None:
    write_cells(avenue / "ground_truth_demo" / "testing_label_mask" / "1_label.mat", 17, [])
    with pytest.raises(LabelError, match=r"01.avi: 20 frames, but 17 labels"):
        open_data(avenue)


def test_avenue_intervals_on_request(avenue: Path) -> None:
    gt = np.empty((1, 2), object)
    gt[0, 0], gt[0, 1] = np.array([[1], [10]]), np.array([[2], [22]])
    scipy.io.savemat(avenue / "avenue.mat", {"gt": gt})
    data = open_data(avenue, labels="intervals")
    assert data.label_source == "intervals (avenue.mat)"
    assert [int(flags(video).sum()) for video in data.test] == [10, 19]


def test_avenue_intervals_that_are_not_there(avenue: Path) -> None:
    with pytest.raises(LabelError, match=r"no avenue.mat or frame_labels_avenue.npy found"):
        open_data(avenue, labels="intervals")


def test_avenue_with_a_missing_mask_file(avenue: Path) -> None:
    (avenue / "ground_truth_demo" / "testing_label_mask" / "2_label.mat").unlink()
    with pytest.raises(LabelError, match=r"no 2_label.mat"):
        open_data(avenue)


# --- ShanghaiTech


@pytest.fixture
def shanghaitech(tmp_path: Path, stills: Stills, film: Film) -> Path:
    film(tmp_path / "training" / "videos" / "01_001.avi")
    for clip in ("01_0014", "01_0002"):
        stills(tmp_path / "testing" / "frames" / clip, 18, suffix=".jpg", first=0)
    truth, pixels = tmp_path / "testing" / "test_frame_mask", tmp_path / "testing/test_pixel_mask"
    truth.mkdir()
    pixels.mkdir()
    masks = np.zeros((18, 16, 24), np.uint8)
    masks[5, 1, 2] = 1
    for clip in ("01_0014", "01_0002"):
        np.save(truth / f"{clip}.npy", masks.any(axis=(1, 2)).astype(np.int64))
    np.save(pixels / "01_0002.npy", masks)
    np.save(pixels / "01_0014.npy", np.moveaxis(masks, 0, 2))
    return tmp_path


def test_shanghaitech_with_masks_either_way_round(shanghaitech: Path) -> None:
    data = open_data(shanghaitech)
    assert (data.layout, data.label_source) == ("shanghaitech", "test_frame_mask/")
    assert names(data.test) == ["01_0002", "01_0014"]
    assert names(data.train) == ["01_001"]
    for video in data.test:
        assert np.flatnonzero(flags(video)).tolist() == [5]
        assert video.masks is not None
        assert (len(video.masks), np.argwhere(video.masks[5]).tolist()) == (18, [[1, 2]])


def test_shanghaitech_s_test_folders_go_at_the_training_videos_rate(shanghaitech: Path) -> None:
    data = open_data(shanghaitech)
    assert data.train[0].rate_hz == data.test[0].rate_hz
    assert any("no clock: taken at" in note for note in data.notes)
    stated = open_data(shanghaitech, folder_rate_hz=24)
    assert [video.rate_hz for video in stated.test] == [24] * len(stated.test)
    assert not any("no clock" in note for note in stated.notes)


def test_a_rate_that_is_assumed_is_said(redistributed: Path) -> None:
    said = "folders of frames have no clock: 10 frames per second are assumed; --folder-fps says"
    assert any(note.startswith(said) for note in open_data(redistributed).notes)
    stated = open_data(redistributed, folder_rate_hz=20)
    assert (stated.test[0].rate_hz, stated.notes) == (20, ())
    with pytest.raises(UsageError, match="folders at 0 frames per second: expected a number over"):
        open_data(redistributed, folder_rate_hz=0)


def test_shanghaitech_with_the_other_name(shanghaitech: Path) -> None:
    folder = shanghaitech / "testing"
    (folder / "test_frame_mask").rename(folder / "frame_masks")
    assert open_data(shanghaitech).label_source == "frame_masks/"


# --- other footage


def test_a_folder_of_videos_is_all_for_training(tmp_path: Path, film: Film) -> None:
    for name in ("cam10.avi", "cam2.mkv"):
        film(tmp_path / name)
    data = open_data(tmp_path)
    assert (data.layout, names(data.train), data.test) == ("videos", ["cam2", "cam10"], ())


def test_train_and_test_sub_folders_are_respected(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "train_day" / "a.avi")
    film(tmp_path / "test" / "a.avi")
    data = open_data(tmp_path)
    assert (names(data.train), names(data.test)) == (["a"], ["a"])


def test_two_videos_of_one_stem_keep_their_suffix(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.avi")
    film(tmp_path / "a.mkv")
    assert names(open_data(tmp_path).train) == ["a.avi", "a.mkv"]


def test_one_video_is_both_and_one_folder_of_frames_too(
    tmp_path: Path, film: Film, stills: Stills
) -> None:
    for path in (film(tmp_path / "x.avi"), stills(tmp_path / "y")):
        data = open_data(path)
        assert (data.layout, data.label_source) == ("video", None)
        assert data.train == data.test
        assert data.train[0].n_frames == 20


# --- what is not there


def test_an_unknown_folder_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    (tmp_path / "wheel").mkdir()
    with pytest.raises(DataSetError, match=r"looked for ucsd: Train/TrainNNN.*found wheel/$"):
        open_data(tmp_path)


@pytest.mark.parametrize("content", [b"", b"a text\n", b"\0" * 300, b"MATLAB 5.0 MAT-file" * 9])
def test_a_mat_file_that_is_none_is_named(tmp_path: Path, stills: Stills, content: bytes) -> None:
    stills(tmp_path / "testing" / "frames" / "01")
    (tmp_path / "gt.mat").write_bytes(content)
    with pytest.raises(LabelError, match=r"gt\.mat: expected a MATLAB file, got something else"):
        open_data(tmp_path)


def test_a_layout_of_folders_is_not_taken_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("")
    with pytest.raises(DataSetError, match=r"a\.mp4: expected training_videos/.*found a file"):
        open_data(tmp_path / "a.mp4", layout="avenue")


def test_sets_of_stills_are_not_taken_for_videos(tmp_path: Path, stills: Stills) -> None:
    stills(tmp_path / "train" / "good")
    stills(tmp_path / "test" / "crack")
    with pytest.raises(DataSetError, match="no known layout"):
        open_data(tmp_path)


@pytest.mark.parametrize("layout", ["ucsd", "avenue", "shanghaitech", "frames", "videos"])
def test_a_layout_that_was_asked_for_and_is_not_there(tmp_path: Path, layout: str) -> None:
    (tmp_path / "wheel").mkdir()
    with pytest.raises(DataSetError, match=r"expected .*found wheel/"):
        open_data(tmp_path, layout=layout)


def test_an_unknown_layout_suggests_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean avenue"):
        open_data(tmp_path, layout="avenu")
    with pytest.raises(SourceNotFoundError, match="found nothing there"):
        open_data(tmp_path / "nix")


def test_an_unknown_label_source_is_named(ucsd: Path) -> None:
    with pytest.raises(UsageError, match=r"labels intervals: .* ucsd; it has frames or masks"):
        open_data(ucsd, labels="intervals")


def test_every_layout_says_what_it_looks_for() -> None:
    assert list(LAYOUTS) == ["ucsd", "avenue", "shanghaitech", "frames", "video", "videos"]
    assert all(layout.looks_for for layout in LAYOUTS.values())
