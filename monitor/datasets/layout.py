"""What a layout is, what is asked of it, and what it makes: the words the layouts share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.datasets.labels import Truth
from monitor.datasets.masks import Masks
from monitor.datasets.video import Video
from monitor.errors import DataSetError, LabelError, MonitorError
from monitor.sources.listing import Listing, list_folder, say_entries


@dataclass(frozen=True, eq=False)
class DataSet:
    """Clips to learn from and clips to judge by."""

    name: str
    layout: str  # key in `LAYOUTS`
    root: Path | str
    train: tuple[Video, ...]
    test: tuple[Video, ...]
    label_source: str | None = None  # for the user: "volLabel masks"; None: there are no labels
    notes: tuple[str, ...] = ()
    folder_rate_hz: float | None = None  # stated for folders of frames; None: it was not


def refuse(problem: MonitorError) -> None:
    """What happens to a problem unless someone collects them."""
    raise problem


@dataclass(frozen=True, eq=False)
class Request:
    """What a layout is asked to load, and whom to tell of problems in it."""

    root: Path
    labels: str | None = None
    folder_rate_hz: float | None = None
    strict: bool = False
    fault: Callable[[MonitorError], None] = refuse  # a collector lets loading go on without labels
    notes: list[str] = field(default_factory=list)

    def videos(
        self, paths: Iterable[Path], folder_rate_hz: float | None = None
    ) -> tuple[Video, ...]:
        """Unlabelled clips, named by their stems, or in full where two stems are the same.

        Folders are of the rate given here where none was stated.
        """
        paths = list(paths)
        stems = [path.name if path.is_dir() else path.stem for path in paths]
        unique = len(set(stems)) == len(stems)
        return tuple(
            Video(
                stem if unique else path.name,
                path,
                folder_rate_hz=self.folder_rate_hz or folder_rate_hz,
                strict=self.strict,
            )
            for stem, path in zip(stems, paths, strict=True)
        )

    def counts(self, videos: Iterable[Video]) -> dict[str, int]:
        """Frames per clip; a clip that cannot be opened is a fault, and counts nothing."""
        counts: dict[str, int] = {}
        for video in videos:
            try:
                counts[video.name] = video.n_frames or 0
            except MonitorError as error:
                self.fault(error)
                counts[video.name] = 0
        return counts

    def read(self, parse: Callable[[], Truth]) -> Truth:
        """What a parser of labels gives; nothing where it finds a fault."""
        try:
            return parse()
        except LabelError as error:
            self.fault(error)
            return {}


@dataclass(frozen=True)
class Layout:
    """One way of laying out a data set on disk."""

    looks_for: str  # what a folder of it holds, for the user
    recognise: Callable[[Path], bool]
    load: Callable[[Request], DataSet]
    label_sources: tuple[str, ...] = ()  # what `labels` may name


def attach(
    request: Request,
    videos: Iterable[Video],
    truth: Truth,
    masks: Mapping[str, Masks],
    *,
    slack: int = 0,
) -> tuple[Video, ...]:
    """Give clips their truth; counts that differ by more than `slack` are a fault."""
    return tuple(_attach_one(request, v, truth, masks.get(v.name), slack) for v in videos)


def _attach_one(
    request: Request, video: Video, truth: Truth, masks: Masks | None, slack: int
) -> Video:
    labels = truth.get(video.name)
    counts = [len(part) for part in (labels, masks) if part is not None]
    n_frames = request.counts([video])[video.name]
    if n_frames == 0:  # it cannot be opened, and that has been said
        return video
    for kind, part in (("labels", labels), ("masks", masks)):
        if part is not None and abs(len(part) - n_frames) > slack:
            request.fault(
                LabelError(
                    f"{video.path}: {n_frames} frames, but {len(part)} {kind}; "
                    "is this the truth of the same clip?"
                )
            )
            return video
    limit = min([n_frames, *counts])
    if counts and {n_frames, *counts} != {limit}:
        request.notes.append(
            f"{video.name}: {n_frames} frames, {counts[0]} labels; the first {limit} are used"
        )
    return replace(
        video,
        labels=None if labels is None else labels[:limit],
        masks=masks,
        limit=limit if counts else None,
    )


def subfolder(root: Path, *names: str) -> Path | None:
    """The first of some folders that exists in `root`, whatever the case of its letters."""
    if not root.is_dir():
        return None
    folders = {path.name.casefold(): path for path in list_folder(root).folders}
    return next((folders[name.casefold()] for name in names if name.casefold() in folders), None)


def listing_of(folder: Path | None) -> Listing:
    """A folder's entries; none where there is no folder."""
    return list_folder(folder) if folder is not None and folder.is_dir() else Listing()


def clip_folders(folder: Path | None) -> list[Path]:
    """Sub-folders that directly hold pictures, in natural order; masks beside them are none."""
    folders = listing_of(folder).folders
    return [f for f in folders if not f.name.casefold().endswith("_gt") and list_folder(f).pictures]


def missing(root: Path, what: str) -> DataSetError:
    """The error of a layout that was asked for and is not there."""
    return DataSetError(f"{root}: expected {what}, found {say_entries(root)}")
