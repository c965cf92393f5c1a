"""`oddwatch inspect`: product snapshots in, verdicts out; from files, a drop folder or a camera."""

import re
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.events import DATABASE, DEFAULT_FOLDER
from monitor.cli.quiet import quiet_sources
from monitor.cli.stopping import stop_on_signals
from monitor.config.spans import in_seconds
from monitor.errors import UsageError

if TYPE_CHECKING:
    from monitor.cli.inspect_lines import Teller
    from monitor.stills.model import StillModel
    from monitor.stills.snapping import Moments
    from monitor.store import Store

DEFECTIVE = 3  # exit status; 1 and 2 mean what they mean everywhere


def inspect(
    *,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A trained, calibrated still-image model.")
    ],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Pictures, and folders with all below them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Folder for heat maps (and the database)."),
    ] = None,
    follow: Annotated[
        Path | None,
        typer.Option("--follow", metavar="DIR", help="Judge pictures as they appear in a folder."),
    ] = None,
    move_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="--follow: move to ok/, defective/, unjudged/ below it."),
    ] = None,
    interval: Annotated[
        str, typer.Option(metavar="SPAN", help="--follow: time between two looks at the folder.")
    ] = "1s",
    patience: Annotated[
        str,
        typer.Option(
            metavar="SPAN", help="--follow: how long a file that may be half there is waited for."
        ),
    ] = "30s",
    camera: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Take pictures from a camera: address or number."),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="--camera: such as 5s; without it, on Enter.")
    ] = None,
    trigger: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="--camera: when this file appears; it is removed."),
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="--camera: end after so many pictures.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What events call the folder or the camera.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="PATH|URL", help="Another database than events.db in --out."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[
        str,
        typer.Option(
            help="Exported models: openvino or onnxruntime, auto: the faster. Others on a GPU: "
            "torch-half."
        ),
    ] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line, for programs.")
    ] = False,
) -> None:
    """Judge product snapshots: verdict, score, p-value and place of the largest odd region.

    The score is 0 for what is typical; over 1 a picture is defective. With --out, each picture is
    written there under its heat map.

    \b
    Exit status, so that a script can stop a line:
      0  all pictures are ok
      3  at least one is defective
      1  none is defective, but one or more could not be judged, or have no heat map where one
         was asked for; they are named
      2  wrong use
    --follow and --camera without --count go on until Ctrl-C or SIGTERM, and end with 0.

    --follow looks at the folder and those below it once per --interval, so it works on network
    shares. A file is read when two looks find it unchanged; one that is no whole picture then is
    waited for, and named when --patience is over. A .bmp, .tif or .webp that ends in zeros may be
    half there, or black at its end: it is waited for too, then judged as it is. Each is judged
    once, also over restarts: the database of events remembers it by path, size and time. Defective
    ones become events beside those of `oddwatch watch`; see: oddwatch events list.

    --camera keeps defective pictures and their heat maps only.

    \b
    Examples:  oddwatch inspect bottle.pt snapshot.png
               oddwatch inspect bottle.pt monday/ -o monday-heat --json
               oddwatch inspect bottle.pt --follow /mnt/line1 --move-to /mnt/sorted -o line1
               oddwatch inspect bottle.pt --camera rtsp://cell/stream --trigger /run/snap
               oddwatch inspect bottle.pt --camera 0 --every 5s
    """  # noqa: D301
    _check_ways(paths, follow, camera)
    _refuse({"--move-to": move_to}, given=follow is not None, needs="--follow")
    of_camera = {"--every": every, "--trigger": trigger, "--count": count}
    _refuse(of_camera, given=camera is not None, needs="--camera")
    _refuse({"--name": name, "--store": store}, given=not paths, needs="--follow or --camera")
    if every is not None and trigger is not None:
        raise UsageError("--every and --trigger: name one of them")
    looks = _seconds("--interval", interval), _seconds("--patience", patience)
    if camera is not None and every is not None:
        _seconds("--every", every)

    from monitor.cli.inspect_lines import Teller
    from monitor.runtimes import choose_runtime
    from monitor.stills.model import load_still_model

    trained = load_still_model(model, device)
    choose_runtime(trained.detector, runtime)
    promised = trained.calibrated().share
    teller = Teller(as_json=as_json)
    if paths:
        whole = _inspect(paths, trained, out, teller)
        heat_maps = None if out is None else str(out)
        teller.summary(promised, heat_maps=heat_maps, **_by_what(trained))
        raise typer.Exit(_status(teller) or (0 if whole else 1))
    run = _Run(trained, str(model), out or DEFAULT_FOLDER, store, name or "", teller)
    with ExitStack() as held:
        stop = held.enter_context(stop_on_signals())
        if follow is not None:
            facts = run.follow(follow, move_to, looks, stop, held)
        else:
            assert camera is not None
            facts = run.snap(camera, every, trigger, count, stop, held)
        ended_by_itself = not stop.is_set()
    teller.summary(promised, **facts, **_by_what(trained))
    raise typer.Exit(_status(teller) if count is not None and ended_by_itself else 0)


def _check_ways(paths: list[Path] | None, follow: Path | None, camera: str | None) -> None:
    ways = [way for way in (paths, follow, camera) if way]
    if len(ways) != 1:
        found = "nothing" if not ways else "more than one of them"
        raise UsageError(f"expected PATHs, --follow DIR or --camera SOURCE, got {found}")


def _refuse(options: Mapping[str, object], *, given: bool, needs: str) -> None:
    for option, value in options.items():
        if value is not None and not given:
            raise UsageError(f"{option} goes with {needs} only; leave it out")


def _seconds(option: str, text: str) -> float:
    """500ms, 5s, 2m ... or seconds without a unit."""
    short = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms)?", text)
    seconds = float(short[1]) * (0.001 if short[2] else 1) if short else in_seconds(text) or 0.0
    if not seconds > 0:
        raise UsageError(f"{option} {text!r}: expected a time such as 500ms, 5s or 2m")
    return seconds


def _by_what(model: "StillModel") -> dict[str, str | None]:
    """What computed the scores; null where there was none."""
    from monitor.computed import computed_figures
    from monitor.runtimes import computed_by

    return computed_figures(computed_by(model.detector))


def _status(teller: "Teller") -> int:
    if teller.counts["defective"]:
        return DEFECTIVE
    return 1 if teller.counts["unjudged"] else 0


def _inspect(paths: list[Path], model: "StillModel", out: Path | None, teller: "Teller") -> bool:
    """Whether every heat map that was asked for was written."""
    from monitor.files import check_folder
    from monitor.stills.inspecting import LUMA, ColourWatch, find_pictures, inspect_pictures

    stills = find_pictures(paths)
    if out is not None:
        check_folder(out, "heat maps")
    colours = ColourWatch(model)
    said: set[str] = set()
    for found in inspect_pictures(map(colours.over, stills), model, out=out):
        teller.picture(found.judged, heat=found.heat)
        if found.trouble and found.trouble not in said:
            said.add(found.trouble)
            teller.trouble(found.trouble)
    if colours.seen:
        teller.trouble(LUMA)
    return not said


@dataclass(frozen=True)
class _Run:
    """What following and snapping share."""

    model: "StillModel"
    model_name: str
    out: Path
    store: str | None
    name: str
    teller: "Teller"

    def follow(
        self,
        folder: Path,
        move_to: Path | None,
        looks: tuple[float, float],
        stop: threading.Event,
        held: ExitStack,
    ) -> dict[str, object]:
        """Until `stop`; what the summary says beside the verdicts."""
        from monitor.files import check_folder
        from monitor.stills.following import Followed, FollowSettings, FollowSummary, follow
        from monitor.watching import Trouble

        if move_to is not None:
            check_folder(move_to, "judged pictures")
        settings = FollowSettings(self.name, self.model_name, *looks, move_to)
        facts: dict[str, object] = {}
        for event in follow(
            folder,
            self.model,
            store=self._open_store(held),
            evidence=self.out,
            settings=settings,
            stop=stop,
        ):
            match event:
                case Followed():
                    self._tell(event)
                case Trouble():
                    self.teller.trouble(event.text)
                case FollowSummary():
                    facts = {"unstored": event.unstored, "waiting": event.waiting}
        return facts

    def snap(
        self,
        address: str,
        every: str | None,
        trigger: Path | None,
        count: int | None,
        stop: threading.Event,
        held: ExitStack,
    ) -> dict[str, object]:
        """Until `stop`, the end of the input, or so many pictures; as `follow`."""
        from monitor.stills.cases import Cases
        from monitor.stills.following import Followed
        from monitor.stills.snapping import Camera, open_camera, snap

        held.enter_context(quiet_sources())
        store = self._open_store(held)
        camera = held.enter_context(Camera(lambda: open_camera(address)))
        source = self.name or camera.name
        cases = Cases(store, self.out, self.model, source=source, model_name=self.model_name)
        moments = islice(_moments(every, trigger, stop), count)
        for event in snap(camera, moments, cases):
            if isinstance(event, Followed):
                self._tell(event)
            else:
                self.teller.trouble(event.text)
        return {"unstored": cases.unstored}

    def _tell(self, event: object) -> None:
        from monitor.stills.following import Followed

        assert isinstance(event, Followed)
        place, heat, alert = event.place, event.heat, event.alert_id
        self.teller.picture(event.judged, place=place, heat=heat, event=alert)

    def _open_store(self, held: ExitStack) -> "Store":
        from monitor.files import check_folder
        from monitor.store import Store

        check_folder(self.out, "evidence")
        return held.enter_context(Store(self.store or str(self.out / DATABASE)))


def _moments(every: str | None, trigger: Path | None, stop: threading.Event) -> "Moments":
    from monitor.stills import snapping

    if every is not None:
        return snapping.every(_seconds("--every", every), stop)
    if trigger is not None:
        return snapping.on_file(trigger, stop)
    if sys.stdin.isatty():
        print("Enter takes a picture; Ctrl-D ends", file=sys.stderr)
    return snapping.on_lines(sys.stdin.fileno(), stop)
