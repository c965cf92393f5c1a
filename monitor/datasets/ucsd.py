"""UCSD Ped1 and Ped2 as their authors distribute them.

V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos, "Anomaly Detection in Crowded Scenes", CVPR 2010.
"""

from pathlib import Path

from monitor.datasets.labels import Truth, read_m, spans_by_clip
from monitor.datasets.layout import (
    DataSet,
    Layout,
    Request,
    attach,
    clip_folders,
    missing,
    subfolder,
)
from monitor.datasets.masks import Masks, any_anomalous, masks_in
from monitor.datasets.video import Video
from monitor.errors import DataSetError, LabelError
from monitor.sources.listing import natural_order


def recognise(root: Path) -> bool:
    """Whether this is UCSDped1, UCSDped2 or the folder above them."""
    return bool(_scenes(root)) or _is_scene(root)


def load(request: Request) -> DataSet:
    """Labels come from the .m file, or from the masks where all clips have some."""
    root = _scene(request.root)
    test_folder = subfolder(root, "Test")
    train = request.videos(clip_folders(subfolder(root, "Train")))
    test = request.videos(clip_folders(test_folder))
    masks = _masks(request, test)
    truth: Truth = {}
    source = None
    script = next(iter(natural_order(test_folder.glob("[!.]*.m"))), None) if test_folder else None
    if script is not None and request.labels != "masks":
        truth = request.read(lambda: spans_by_clip(read_m(script), request.counts(test), script))
        source = f"{script.name} (frames)" if truth else None
    elif test and len(masks) == len(test):
        truth = {name: any_anomalous(own) for name, own in masks.items()}
        source = "_gt masks"
    elif request.labels == "masks":
        request.fault(LabelError(f"{root}: masks for {len(masks)} of {len(test)} test clips only"))
    test = attach(request, test, truth, masks)
    return DataSet(root.name, "ucsd", root, train, test, source, tuple(request.notes))


def _masks(request: Request, videos: tuple[Video, ...]) -> dict[str, Masks]:
    found: dict[str, Masks] = {}
    for name, n_frames in request.counts(videos).items():
        path = Path(next(video.path for video in videos if video.name == name))
        masks = masks_in(path.with_name(f"{name}_gt"), n_frames)
        if masks is not None:
            found[name] = masks
    return found


def _scene(root: Path) -> Path:
    if _is_scene(root):
        return root
    scenes = _scenes(root)
    if not scenes:
        raise missing(root, LAYOUT.looks_for)
    if len(scenes) > 1:
        names = " or ".join(str(scene) for scene in scenes)
        raise DataSetError(f"{root}: holds two data sets with different cameras; name {names}")
    return scenes[0]


def _scenes(root: Path) -> list[Path]:
    found = [subfolder(root, name) for name in ("UCSDped1", "UCSDped2")]
    return [scene for scene in found if scene is not None and _is_scene(scene)]


def _is_scene(root: Path) -> bool:
    train = clip_folders(subfolder(root, "Train"))
    test = clip_folders(subfolder(root, "Test"))
    return any(path.name.casefold().startswith(("train", "test")) for path in train + test)


LAYOUT = Layout("Train/TrainNNN/*.tif and Test/TestNNN/*.tif", recognise, load, ("frames", "masks"))
