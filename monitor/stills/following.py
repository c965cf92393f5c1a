"""A drop folder under watch: each picture that comes is judged once, told, stored, and moved.

What was judged is remembered in the event store, with the alert in one transaction: a run that is
killed at any moment and started again judges nothing twice and loses nothing. A store or a disk
that fails is `Trouble`, not an end; what the store missed is offered again.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

from monitor.errors import SourceError, StoreError, UsageError
from monitor.names import noted
from monitor.records import Image
from monitor.stills.arrivals import PATIENCE_S, Arrival, Arrivals, Stamp
from monitor.stills.cases import Cases
from monitor.stills.inspecting import still_of
from monitor.stills.judging import VERDICTS, Judged, judged
from monitor.stills.model import StillModel
from monitor.stills.moving import move_below
from monitor.store import SeenPicture, Store
from monitor.watching import Trouble

INTERVAL_S = 1.0  # between looks: a file stands still for two of them before it is read
TOGETHER = 8  # pictures judged in one batch when many have come; what Ctrl-C waits for at most


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """What following may be told; all of it can be left alone."""

    name: str = ""  # of the source, in alerts; empty: the folder's
    model: str = ""  # what the store says judged the pictures
    interval_s: float = INTERVAL_S
    patience_s: float = PATIENCE_S
    move_to: Path | None = None  # ok/, defective/ and unjudged/ below it; None: left where they are


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One picture, when all is done with it that can be done."""

    judged: Judged
    place: Path  # where it lies now
    alert_id: str = ""  # of the event in the store; empty: it is not defective
    heat: Path | None = None


@dataclass(frozen=True, slots=True)
class FollowSummary:
    """What came of it; always the last that is yielded."""

    source: str
    pictures: dict[str, int]  # by verdict
    unstored: int  # verdicts that the store did not take; those pictures will be judged again
    waiting: int = 0  # files that were not whole yet


Event = Followed | Trouble | FollowSummary

DEFAULTS = FollowSettings()


def follow(  # noqa: PLR0913
    folder: Path,
    model: StillModel,
    *,
    store: Store,
    evidence: Path,
    settings: FollowSettings = DEFAULTS,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Judge what comes into a folder and those below it, until `stop` is set.

    Pictures that lie there at the start are judged too, unless the store knows them.

    Args:
        folder: Looked at every `settings.interval_s`; may vanish and come back.
        model: Calibrated.
        store: Where events go, and what remembers which pictures were judged.
        evidence: Folder for heat maps of defective pictures.
        settings: See there.
        stop: Asked between looks and between batches.
        clock: Seconds; for tests.

    Raises:
        CalibrationError: The model is not calibrated.
        SourceError: There is no such folder.
        UsageError: Pictures are to be moved into the very folder.
    """
    model.calibrated()
    if not folder.is_dir():
        raise SourceError(f"{folder}: expected a folder to follow, found none")
    if settings.move_to is not None and settings.move_to.resolve() == folder.resolve():
        raise UsageError(
            f"{folder}: pictures moved there would be followed again; expected another folder to "
            "move to, such as one below it"
        )
    source = settings.name or folder.absolute().name
    cases = Cases(store, evidence, model, source=source, model_name=settings.model)
    if cases.folder.resolve() == folder.resolve():  # as with --follow line/drop -o line
        cases.folder = cases.folder.with_name(f"{cases.folder.name}-events")
    desk = _Desk(folder.absolute(), cases, settings)
    beside = tuple(path for path in (cases.folder, evidence, settings.move_to) if path is not None)
    arrivals = Arrivals(
        desk.folder, patience_s=settings.patience_s, beside=beside, known=desk.knows
    )
    last = ""
    while True:
        try:
            yield from desk.take(arrivals.poll(clock()), stop)
            problem = "; ".join(arrivals.problems)
        except SourceError as error:
            problem = str(error)
        if problem != last:
            yield Trouble(f"{problem}; looking again" if problem else f"{folder} is there again")
        last = problem
        desk.catch_up()
        yield from cases.drain()
        if stop.wait(settings.interval_s):
            break
    yield FollowSummary(source, desk.counts, cases.unstored, arrivals.waiting)


class _Desk:
    """Where arrivals become verdicts, and pictures go to the folder of theirs."""

    def __init__(self, folder: Path, cases: Cases, settings: FollowSettings) -> None:
        self.folder = folder
        self.counts = dict.fromkeys(VERDICTS, 0)
        self._cases = cases
        self._settings = settings
        self._unmoved: dict[Path, SeenPicture] = {}

    def knows(self, path: Path, stamp: Stamp) -> bool:
        """Whether it was judged before; if it was to be moved then, it will be now."""
        try:
            seen = self._cases.store.seen_picture(noted(path))
        except StoreError:
            return False  # said when the verdict cannot be stored
        if seen is None or (seen.size_bytes, seen.mtime_ns) != stamp:
            return False
        self._unmoved[path] = seen
        return True

    def take(self, arrivals: Iterator[Arrival], stop: threading.Event) -> Iterator[Event]:
        """Judge what has come, some at a time."""
        while not stop.is_set() and (group := list(islice(arrivals, TOGETHER))):
            for arrival, one in zip(group, self._verdicts(group), strict=True):
                self.counts[one.verdict] += 1
                case = self._cases.enter(one, arrival.image, arrival.path, arrival.stamp)
                self._unmoved[arrival.path] = case.seen
                place = self._move(arrival.path, case.seen)
                yield Followed(replace(one, map=None), place, case.seen.alert_id, case.heat)
                yield from self._cases.drain()

    def catch_up(self) -> None:
        """Offer again what the store missed, and move again what could not be moved."""
        self._cases.offer_again()
        for path, seen in list(self._unmoved.items()):
            self._move(path, seen)

    def _verdicts(self, group: list[Arrival]) -> Iterator[Judged]:
        """One for each arrival; those that cannot be read are not shown to the detector."""
        stills = [still_of(a.path, a.path.relative_to(self.folder).as_posix()) for a in group]
        pairs = list(zip(stills, group, strict=True))
        whole = (
            replace(still, read=partial(_same, arrival.image))
            for still, arrival in pairs
            if arrival.image is not None
        )
        verdicts = judged(whole, self._cases.model, batch=TOGETHER)
        for still, arrival in pairs:
            unread = Judged(still, None, why=arrival.why)
            yield unread if arrival.image is None else replace(next(verdicts), still=still)

    def _move(self, path: Path, seen: SeenPicture) -> Path:
        """To the folder of its verdict, if there is to be one and the verdict is stored."""
        if self._settings.move_to is None:
            del self._unmoved[path]
            return path
        if self._cases.is_unstored(seen):
            return path
        place, what = path, f"move {path}"
        try:
            stamp = seen.size_bytes, seen.mtime_ns
            moved = move_below(path, self._settings.move_to / seen.verdict, self.folder, stamp)
            if moved is not None:  # else it is another picture by now, which is yet to come
                place = moved
                self._cases.moved(seen, place)
        except FileNotFoundError:
            pass  # someone else took it away
        except OSError as error:
            said = error.strerror or error
            self._cases.fail(what, f"{path}: cannot be moved: {said}; it stays where it is for now")
            return path
        del self._unmoved[path]
        self._cases.works(what)
        return place


def _same(image: Image) -> Image:
    return image
