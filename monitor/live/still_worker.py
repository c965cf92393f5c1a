"""The process that judges the pictures of one drop folder or product camera.

It keeps nothing itself: what is to be kept goes to the engine, whose one writer stores it with
its notices. Torch is imported here and not in the engine. See `monitor.stills.following`.
"""

import pickletools
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.errors import DeviceError, MonitorError, SourceError
from monitor.live.lost_device import ADVICE
from monitor.records import Alert
from monitor.runtimes import choose_runtime, read_export
from monitor.store import Outgoing, SeenPicture, Store

if TYPE_CHECKING:
    from monitor.stills.following import Followed
    from monitor.stills.judging import Judged
    from monitor.stills.model import StillModel
    from monitor.watching import Trouble

MOST_WORDS = 200_000  # of a model file's index; those of the largest detector are 20,000


@dataclass(frozen=True, slots=True)
class StillOrder:
    """What is judged, by what. `source` and `store` may hold a password."""

    camera: str
    source: str  # a folder, or an address
    model: str
    device: str
    runtime: str
    store: str  # file or URL; read only
    evidence: str
    every_s: float  # between two pictures of a camera, or two looks into a folder


@dataclass(frozen=True, slots=True)
class StillReady:
    """The model is there and judging begins."""

    detector: str
    learned_at: str
    promised_share: float  # of normal pictures that may be called defective
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StillKept:
    """To be stored, in one transaction."""

    seen: SeenPicture
    alert: Alert | None
    strength: float | None
    snapshot: str


@dataclass(frozen=True, slots=True)
class StillJudged:
    """One picture, after it was kept."""

    verdict: str
    strength: float | None  # 0 is typical, 1 the threshold
    p_value: float | None
    why: str  # it is unjudged
    seen: bool = True  # False: the camera gave no picture; one that is refused was given


@dataclass(frozen=True, slots=True)
class StillTrouble:
    """Something to know, in one line; judging goes on."""

    text: str


@dataclass(frozen=True, slots=True)
class StillEnded:
    """Why judging ended, in one line."""

    text: str
    hopeless: bool  # trying again changes nothing: a person must
    device: bool = False  # its accelerator failed


StillNews = StillReady | StillKept | StillJudged | StillTrouble | StillEnded


def is_still_model(path: Path) -> bool:
    """Whether a model file judges stills; False where it cannot be read, which is said elsewhere.

    Nothing in it is run and torch is not needed: only the words in the file's index are looked at.
    """
    with suppress(MonitorError, OSError, ValueError, KeyError, zipfile.BadZipFile):
        exported = read_export(path)
        if exported is not None:
            return exported.kind == "image"
        with zipfile.ZipFile(path) as file:
            index = next(name for name in file.namelist() if name.endswith("data.pkl"))
            words = pickletools.genops(file.read(index))
            said = {arg for _, arg, _ in islice(words, MOST_WORDS) if isinstance(arg, str)}
        return "vouched" in said and "promised_per_day" not in said  # see StillCalibration
    return False


class _EngineStore(Store):
    """Reads what was judged before; what is new is sent to the engine."""

    def __init__(self, place: str, link: Connection, model: "StillModel") -> None:
        super().__init__(place, read_only=True)
        self._link = link
        self._model = model

    def record_picture(
        self,
        seen: SeenPicture,
        alert: Alert | None = None,
        *,
        snapshot: str = "",
        notices: Iterable[Outgoing] = (),  # noqa: ARG002  the engine's business
    ) -> None:
        """Hand it over."""
        shown = None if seen.score is None else self._model.calibrated().display(seen.score)
        strength = None if shown is None else float(shown)
        self._link.send(StillKept(seen, alert, strength, snapshot))


def run_stills(link: Connection, order: StillOrder) -> None:
    """The worker's whole life: until the engine says anything, or is gone."""
    stop = threading.Event()
    threading.Thread(target=_listen, args=(link, stop), daemon=True).start()
    with suppress(OSError, EOFError, KeyboardInterrupt):
        try:
            link.send(StillEnded(_judge(link, order, stop), hopeless=False))
        except (OSError, EOFError) as error:
            if not isinstance(error, MonitorError):
                raise  # the engine is gone
            link.send(StillEnded(str(error), hopeless=not isinstance(error, SourceError)))
        except DeviceError as error:  # also one that is full: this process has no other model
            said = ADVICE.sub("", str(error))
            link.send(StillEnded(said, hopeless=False, device=True))
        except Exception as error:  # noqa: BLE001  said, where a person sees it
            said = str(error).partition("\n")[0] or type(error).__name__
            link.send(StillEnded(said, hopeless=True))


def _listen(link: Connection, stop: threading.Event) -> None:
    with suppress(OSError, EOFError):
        link.recv()
    stop.set()


def _judge(link: Connection, order: StillOrder, stop: threading.Event) -> str:
    from monitor.stills.following import Followed
    from monitor.stills.model import load_still_model
    from monitor.watching import Trouble

    try:
        model = load_still_model(Path(order.model), order.device)
        choose_runtime(model.detector, order.runtime)
        calibration = model.calibrated()
    except SourceError as error:  # no such model: another try changes nothing
        raise MonitorError(str(error)) from error
    with ExitStack() as held:
        store = held.enter_context(_EngineStore(order.store, link, model))
        link.send(
            StillReady(
                model.detector.name,
                str(model.provenance.get("when", "")),
                calibration.share,
                calibration.notes,
            )
        )
        is_folder = Path(order.source).is_dir()
        for event in _events(order, model, store, stop, held):
            if isinstance(event, Followed):
                link.send(_told(event.judged, is_folder=is_folder))
            elif isinstance(event, Trouble):
                link.send(StillTrouble(event.text))
    return "" if stop.is_set() else f"{order.camera}: it ended"


def _told(one: "Judged", *, is_folder: bool) -> StillJudged:
    """Why it is unjudged, without the picture's name: the same of all that have the same fault."""
    why = one.why.removeprefix(f"{one.still.path or one.still.name}: ")
    seen = is_folder or one.size is not None
    return StillJudged(one.verdict, one.displayed, one.p_value, why, seen)


def _events(
    order: StillOrder,
    model: "StillModel",
    store: Store,
    stop: threading.Event,
    held: ExitStack,
) -> "Iterator[Followed | Trouble | object]":
    from monitor.stills.cases import Cases
    from monitor.stills.following import FollowSettings, follow
    from monitor.stills.snapping import Camera, every, open_camera, snap

    evidence = Path(order.evidence)
    folder = Path(order.source)
    if folder.is_dir():
        settings = FollowSettings(order.camera, order.model, order.every_s)
        return follow(folder, model, store=store, evidence=evidence, settings=settings, stop=stop)
    camera = held.enter_context(Camera(lambda: open_camera(order.source)))
    cases = Cases(store, evidence, model, source=order.camera, model_name=order.model)
    return snap(camera, every(order.every_s, stop), cases)
