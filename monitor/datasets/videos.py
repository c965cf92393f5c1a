"""Footage that is no published data set: a folder of videos, or one video."""

from pathlib import Path

from monitor.datasets.layout import DataSet, Layout, Request, clip_folders, listing_of, missing
from monitor.datasets.video import Video
from monitor.sources.listing import list_folder


def recognise(root: Path) -> bool:
    """Whether there are videos in `root` or in its train and test sub-folders."""
    if not root.is_dir():
        return False
    return bool(_clips(root) or _split(root, "train") or _split(root, "test"))


def load(request: Request) -> DataSet:
    """All is for training unless sub-folders named train... or test... say otherwise."""
    root = request.root
    train, test = _split(root, "train"), _split(root, "test")
    if not train and not test:
        train = _clips(root)
        request.notes.append("no train and test sub-folders: all videos are taken as normal")
    if not train and not test:
        raise missing(root, VIDEOS.looks_for)
    return DataSet(
        root.name,
        "videos",
        root,
        request.videos(train),
        request.videos(test),
        notes=tuple(request.notes),
    )


def recognise_one(root: Path) -> bool:
    """Whether `root` is a file, or a folder that directly holds pictures."""
    return root.is_file() or bool(listing_of(root).pictures)


def load_one(request: Request) -> DataSet:
    """One clip, to learn from and to judge."""
    video = Video(
        request.root.name,
        request.root,
        folder_rate_hz=request.folder_rate_hz,
        strict=request.strict,
    )
    return DataSet(video.name, "video", request.root, (video,), (video,))


def _split(root: Path, prefix: str) -> list[Path]:
    folders = [f for f in list_folder(root).folders if f.name.casefold().startswith(prefix)]
    return [path for folder in folders for path in list_folder(folder).videos]


def _clips(root: Path) -> list[Path]:
    return [*list_folder(root).videos, *clip_folders(root)]


VIDEOS = Layout("videos (.avi, .mp4, .mkv ...), or train and test folders of them", recognise, load)
VIDEO = Layout("one video, or pictures", recognise_one, load_one)
