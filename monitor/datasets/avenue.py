"""CUHK Avenue as its authors distribute it.

C. Lu, J. Shi, J. Jia, "Abnormal Event Detection at 150 FPS in MATLAB", ICCV 2013.

Two sets of labels circulate and differ in 441 of the 15,324 test frames: the authors' pixel masks
(volLabel; taken unless asked otherwise) and intervals that came later with others' code.
"""

from pathlib import Path

from monitor.datasets.labels import Counts, Truth, read_flat, read_mat
from monitor.datasets.layout import DataSet, Layout, Request, attach, listing_of, missing, subfolder
from monitor.datasets.masks import CellMasks, Masks, any_anomalous
from monitor.errors import LabelError

SLACK = 2  # decoders disagree by a frame or two at the end of an .avi
INTERVALS = ("avenue.mat", "frame_labels_avenue.npy")


def recognise(root: Path) -> bool:
    """Whether `root`, or "Avenue Dataset" in it, has training_videos or testing_videos."""
    base = _base(root)
    return subfolder(base, "training_videos", "testing_videos") is not None


def load(request: Request) -> DataSet:
    """Labels are the masks' unless `labels` is "intervals" or only intervals are there."""
    base = _base(request.root)
    train = request.videos(listing_of(subfolder(base, "training_videos")).videos)
    test = request.videos(listing_of(subfolder(base, "testing_videos")).videos)
    if not train and not test:
        raise missing(base, LAYOUT.looks_for)
    counts = request.counts(test)
    masks = _masks(request, counts)
    truth, source = _truth(request, counts, masks)
    test = attach(request, test, truth, masks, slack=SLACK)
    return DataSet("Avenue", "avenue", base, train, test, source, tuple(request.notes))


def _truth(request: Request, counts: Counts, masks: dict[str, Masks]) -> tuple[Truth, str | None]:
    intervals = _intervals(request.root)
    if request.labels != "intervals" and masks:
        truth = request.read(lambda: {name: any_anomalous(own) for name, own in masks.items()})
        return truth, "volLabel masks"
    if request.labels == "masks":
        request.fault(LabelError(f"{request.root}: no testing_label_mask/k_label.mat found"))
        return {}, None
    if intervals is None:
        if request.labels == "intervals":
            names = " or ".join(INTERVALS)
            request.fault(LabelError(f"{request.root}: no {names} found; put it there"))
        return {}, None
    if request.labels is None:
        request.notes.append(f"no volLabel masks; the intervals of {intervals.name} differ")
    if intervals.suffix == ".npy":
        return request.read(lambda: read_flat(intervals, counts)), f"intervals ({intervals.name})"
    truth = request.read(lambda: read_mat(intervals, counts, slack=SLACK))
    return truth, f"intervals ({intervals.name})"


def _masks(request: Request, counts: Counts) -> dict[str, Masks]:
    """Clip 01 has 1_label.mat."""
    folder = next(
        (
            found
            for place in _places(request.root)
            if (found := subfolder(place, "testing_label_mask")) is not None
        ),
        None,
    )
    if folder is None:
        return {}
    paths = {name: folder / f"{int(name)}_label.mat" for name in counts if name.isdigit()}
    absent = [path.name for path in paths.values() if not path.is_file()]
    if absent:
        request.fault(LabelError(f"{folder}: no {', '.join(absent)}"))
    return {name: CellMasks(path) for name, path in paths.items() if path.is_file()}


def _intervals(root: Path) -> Path | None:
    places = [place / name for place in _places(root) for name in INTERVALS]
    return next((path for path in places if path.is_file()), None)


def _places(root: Path) -> list[Path]:
    """Where truth may lie: in the folder of the videos, beside it, and in ground_truth_demo."""
    base = _base(root)
    around = [base, root] if base != root else [root, root.parent]
    demos = [subfolder(place, "ground_truth_demo") for place in around]
    return around[:1] + [demo for demo in demos if demo is not None] + around[1:]


def _base(root: Path) -> Path:
    return subfolder(root, "Avenue Dataset", "Avenue_Dataset") or root


LAYOUT = Layout(
    "training_videos/*.avi and testing_videos/*.avi", recognise, load, ("masks", "intervals")
)
