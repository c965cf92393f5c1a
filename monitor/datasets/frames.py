"""Data sets redistributed as folders of frames, as most papers' code expects them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from monitor.datasets.labels import Counts, Truth, read_clip, read_flat, read_mat
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
from monitor.datasets.masks import Masks, any_anomalous, first_masks
from monitor.errors import LabelError
from monitor.sources.listing import natural_order

MASK_FOLDERS = ("pixel_masks", "test_pixel_mask", "pixel_mask", "masks")
LABEL_FOLDERS = ("test_frame_mask", "frame_masks", "frame_labels", "labels")

Parse = Callable[[], Truth]


def recognise(root: Path) -> bool:
    """Whether `root` has frames under training or testing, or under train/frames, test/frames."""
    return bool(_train(root) or _test(root))


def load(request: Request) -> DataSet:
    """Labels: the file that is named, else per clip, else .mat, else .npy, else from the masks."""
    root = request.root
    train, test = request.videos(_train(root)), request.videos(_test(root))
    if not train and not test:
        raise missing(root, LAYOUT.looks_for)
    counts = request.counts(test)
    masks = _masks(root, counts)
    truth, source = read_truth(request, counts, masks)
    test = attach(request, test, truth, masks)
    return DataSet(root.name, "frames", root, train, test, source, tuple(request.notes))


def read_truth(
    request: Request, counts: Counts, masks: dict[str, Masks]
) -> tuple[Truth, str | None]:
    """Frame labels and where they are from; none where nothing is found."""
    if not counts:
        return {}, None
    for source, parse in _candidates(request, counts, masks):
        truth = request.read(parse)
        return truth, source if truth else None
    return {}, None


def _candidates(
    request: Request, counts: Counts, masks: dict[str, Masks]
) -> list[tuple[str, Parse]]:
    """The label sources that are there, the one to take first."""
    root, wanted = request.root, request.labels
    if wanted not in (None, "masks"):
        return [_from_file(root, str(wanted), counts)]
    by_masks: list[tuple[str, Parse]] = []
    if len(masks) == len(counts):
        by_masks = [("pixel masks", partial(_from_masks, masks))]
    if wanted == "masks":
        return by_masks or [("pixel masks", partial(_no_masks, root, counts, masks))]
    found = [_from_file(root, str(path), counts) for path in _files(root)]
    found = _per_clip(root, counts) + found
    for source, _ in found[1:]:
        request.notes.append(f"labels are from {found[0][0]}; {source} is there too, not used")
    return found + by_masks


def _from_masks(masks: dict[str, Masks]) -> Truth:
    return {name: any_anomalous(own) for name, own in masks.items()}


def _from_file(root: Path, name: str, counts: Counts) -> tuple[str, Parse]:
    path = Path(name) if Path(name).is_file() else root / name
    if not path.is_file():
        return name, partial(_no_file, path)
    read = read_flat if path.suffix == ".npy" else read_mat
    return path.name, partial(read, path, counts)


def _per_clip(root: Path, counts: Counts) -> list[tuple[str, Parse]]:
    """Folders with a label file for at least one clip; clips without are left unlabelled."""
    found: list[tuple[str, Parse]] = []
    for folder in _folders(root, LABEL_FOLDERS):
        paths = {path.stem: path for path in listing_of(folder).others}
        own = {n: paths[n] for n in counts if n in paths and paths[n].suffix in (".npy", ".txt")}
        if own:
            found.append((f"{folder.name}/", partial(_read_clips, own, counts)))
    return found


def _read_clips(paths: dict[str, Path], counts: Counts) -> Truth:
    return {name: read_clip(path, counts[name]) for name, path in paths.items()}


def _files(root: Path) -> list[Path]:
    others = listing_of(root).others
    return [p for p in others if p.suffix == ".mat"] + [p for p in others if p.suffix == ".npy"]


def _masks(root: Path, counts: Counts) -> dict[str, Masks]:
    beside = {path.name: path for path in _test(root)}
    folders = _folders(root, MASK_FOLDERS)
    found: dict[str, Masks] = {}
    for name, n_frames in counts.items():
        places = [folder / name for folder in folders] + [beside[name].with_name(f"{name}_gt")]
        masks = first_masks(places, n_frames)
        if masks is not None:
            found[name] = masks
    return found


def _folders(root: Path, names: tuple[str, ...]) -> list[Path]:
    places = (subfolder(root, "testing", "test"), root)
    found = [subfolder(place, name) for place in places if place for name in names]
    return [folder for folder in found if folder is not None]


def _train(root: Path) -> list[Path]:
    return _clips(root, "training", "train", "training_frames")


def _test(root: Path) -> list[Path]:
    return _clips(root, "testing", "test", "testing_frames")


def _clips(root: Path, long: str, short: str, inner: str) -> list[Path]:
    """Clip folders below `training/frames`, `training` or `train/frames`.

    Not below `train` itself: that is how sets of still pictures are laid out.
    """
    folder = subfolder(root, long)
    if folder is not None:
        below = subfolder(folder, "frames", inner)
        return natural_order(clip_folders(below) or _without_truth(clip_folders(folder)))
    folder = subfolder(root, short)
    return clip_folders(subfolder(folder, "frames")) if folder is not None else []


def _without_truth(folders: list[Path]) -> list[Path]:
    return [path for path in folders if path.name.casefold() not in MASK_FOLDERS]


def _no_file(path: Path) -> Truth:
    raise LabelError(f"{path}: expected a label file (.mat or .npy), found nothing there")


def _no_masks(root: Path, counts: Counts, masks: dict[str, Masks]) -> Truth:
    raise LabelError(f"{root}: masks for {len(masks)} of {len(counts)} test clips only")


LAYOUT = Layout(
    "training/frames/NN/*.jpg and testing/frames/NN/*.jpg (the level `frames` may be missing)",
    recognise,
    load,
    ("masks", "FILE.mat", "FILE.npy"),
)
