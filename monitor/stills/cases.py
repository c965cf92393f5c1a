"""Verdicts on single pictures as events among those of video, with their evidence on the disk.

What the store or the disk refuses is said once, and offered to the store again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ulid import ULID

from monitor.alerts import most_surprised
from monitor.errors import StoreError
from monitor.names import noted, shown
from monitor.recorder import safe_name
from monitor.records import Alert, Image
from monitor.stills.inspecting import LUMA, is_coloured, write_heat
from monitor.stills.judging import Judged
from monitor.stills.model import StillModel
from monitor.store import SeenPicture, Store
from monitor.watching import Trouble


@dataclass(frozen=True, slots=True)
class Case:
    """A verdict as the store is to have it; the alert is there where it is a defective picture."""

    seen: SeenPicture
    alert: Alert | None = None
    heat: Path | None = None


class Cases:
    """The verdicts on the pictures of one source."""

    def __init__(
        self, store: Store, evidence: Path, model: StillModel, *, source: str, model_name: str
    ) -> None:
        """Evidence goes to a folder of the source's own under `evidence`."""
        self.store = store
        self.model = model
        self._source = shown(source)
        self._model_name = shown(model_name)
        self.folder = evidence.absolute() / safe_name(self._source)
        self._missed: list[Case] = []
        self._failing: set[str] = set()  # what was said and is not over
        self._troubles: list[Trouble] = []

    @property
    def unstored(self) -> int:
        """How many verdicts the store has not taken."""
        return len(self._missed)

    def is_unstored(self, seen: SeenPicture) -> bool:
        """Whether the store has not taken this one."""
        return any(case.seen is seen for case in self._missed)

    def enter(
        self, one: Judged, image: Image | None, path: Path, stamp: tuple[int, int] = (0, 0)
    ) -> Case:
        """Write its heat map if it is defective, and store it.

        Args:
            one: With its map.
            image: As it was judged; None: it could not be read.
            path: Where the picture lies.
            stamp: The file's size in bytes and time of change in ns.
        """
        if image is not None:
            self.look(image)
        alert = alert_of(one, self._source) if one.verdict == "defective" else None
        heat = None
        if alert is not None and image is not None and one.map is not None:
            heat = self._show(self.folder / f"{alert.id}.jpg", image, one)
        seen = SeenPicture(
            path=noted(path),
            size_bytes=stamp[0],
            mtime_ns=stamp[1],
            verdict=one.verdict,
            score=one.score,
            p_value=one.p_value,
            judged_at=datetime.now(UTC),
            model=self._model_name,
            alert_id="" if alert is None else alert.id,
        )
        case = Case(seen, alert, heat)
        self._store(case)
        return case

    def look(self, image: Image) -> None:
        """Say it once, where a gray model is shown colours."""
        gray = self.model.detector.spec.channels == 1
        if gray and "luma" not in self._failing and is_coloured(image):
            self.fail("luma", LUMA)

    def offer_again(self) -> None:
        """Store what could not be stored."""
        missed, self._missed = self._missed, []
        for case in missed:
            self._store(case)

    def moved(self, seen: SeenPicture, place: Path) -> None:
        """Note that a picture has left the folder, and where that of an alert lies now."""
        try:
            self.store.picture_moved(seen, noted(place))
        except StoreError as error:
            self.fail("place", f"{error}; events may name places that pictures were moved from")

    def fail(self, what: str, text: str) -> None:
        """Say it once, until it `works`."""
        if what not in self._failing:
            self._failing.add(what)
            self._troubles.append(Trouble(text))

    def works(self, what: str, text: str = "") -> None:
        """Say, where it failed before, that it is over."""
        if what in self._failing:
            self._failing.discard(what)
            if text:
                self._troubles.append(Trouble(text))

    def drain(self) -> Iterator[Trouble]:
        """What went wrong since the last call."""
        troubles, self._troubles = self._troubles, []
        yield from troubles

    def _show(self, path: Path, image: Image, one: Judged) -> Path | None:
        """Its heat map on the disk; None where that fails."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_heat(path, image, one, self.model)
        except OSError as error:
            said = error.strerror or error
            self.fail("evidence", f"{path.parent}: no heat map can be written: {said}")
            return None
        self.works("evidence", f"{path.parent}: heat maps can be written again")
        return path

    def _store(self, case: Case) -> None:
        heat = "" if case.heat is None else noted(case.heat)
        try:
            self.store.record_picture(case.seen, case.alert, snapshot=heat)
        except StoreError as error:
            self._missed.append(case)
            self.fail("store", f"{error}; judging goes on, what is not stored is offered again")
            return
        self.works("store", "the store works again; what it missed is in it now")


def alert_of(one: Judged, source: str) -> Alert:
    """An event without length, ended as it begins; its clock starts when the picture was judged."""
    assert one.score is not None  # of a picture that was judged
    return Alert(
        id=str(ULID()),
        source=source,
        phase="end",
        revision=1,
        start_s=0.0,
        end_s=0.0,
        peak_s=0.0,
        peak_score=one.score,
        peak_p_value=one.p_value,
        reason=most_surprised(one.terms),
    )
