"""ShanghaiTech Campus as its authors distribute it: training videos, testing frames, .npy truth.

W. Luo, W. Liu, S. Gao, "A Revisit of Sparse Coding Based Anomaly Detection in Stacked RNN
Framework", ICCV 2017. The number before the underscore of a clip's name is its camera.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from monitor.datasets.frames import read_truth
from monitor.datasets.layout import (
    DataSet,
    Layout,
    Request,
    attach,
    clip_folders,
    listing_of,
    missing,
    subfolder,
)
from monitor.datasets.masks import ArrayMasks, Masks
from monitor.datasets.video import Video
from monitor.errors import MonitorError


def recognise(root: Path) -> bool:
    """Whether there is .npy truth per clip under testing, or training videos beside frames."""
    testing = subfolder(root, "testing")
    truth = subfolder(testing, "test_frame_mask", "frame_masks") if testing else None
    return truth is not None or bool(_training_videos(root) and _testing(root))


def load(request: Request) -> DataSet:
    """Training clips are videos, or folders of frames where someone has extracted them."""
    root = request.root
    frames = subfolder(root / "training", "frames")
    train = request.videos(_training_videos(root) or clip_folders(frames))
    rate_hz = _rate_hz(train)
    test = request.videos(_testing(root), rate_hz)
    if not train and not test:
        raise missing(root, LAYOUT.looks_for)
    if rate_hz and test and request.folder_rate_hz is None:
        request.notes.append(
            f"test folders have no clock: taken at {rate_hz:.4g} frames per second, as the "
            "training videos are"
        )
    counts = request.counts(test)
    masks = _masks(root, counts)
    truth, source = read_truth(request, counts, masks)
    test = attach(request, test, truth, masks)
    return DataSet(root.name, "shanghaitech", root, train, test, source, tuple(request.notes))


def _rate_hz(train: Iterable[Video]) -> float | None:
    """Of the first training video that can be opened; None: of folders, which have none."""
    for video in train:
        with suppress(MonitorError):
            return video.rate_hz
    return None


def _training_videos(root: Path) -> tuple[Path, ...]:
    return listing_of(subfolder(root / "training", "videos")).videos


def _testing(root: Path) -> list[Path]:
    return clip_folders(subfolder(root / "testing", "frames"))


def _masks(root: Path, counts: dict[str, int]) -> dict[str, Masks]:
    folder = subfolder(root / "testing", "test_pixel_mask", "pixel_masks")
    if folder is None:
        return {}
    paths = {name: folder / f"{name}.npy" for name in counts}
    return {n: ArrayMasks(path, counts[n]) for n, path in paths.items() if path.is_file()}


LAYOUT = Layout(
    "training/videos/*.avi, testing/frames/NN_NNNN/*.jpg and testing/test_frame_mask/*.npy",
    recognise,
    load,
    ("masks",),
)
