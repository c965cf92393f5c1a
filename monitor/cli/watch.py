"""`oddwatch watch`: a file or a camera in, alerts out, as lines for people or for programs."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.events import DATABASE, DEFAULT_FOLDER, parse_time
from monitor.cli.one_camera import is_camera, on_terminal, watch_camera
from monitor.cli.quiet import quiet_sources
from monitor.cli.stopping import stop_on_signals
from monitor.errors import StoreError, UsageError
from monitor.names import shown

if TYPE_CHECKING:
    from monitor.cli.watch_lines import Teller
    from monitor.model import Model
    from monitor.sources import Source
    from monitor.store import Store
    from monitor.watching import WatchSettings


OF_SOURCES = {  # options that a configuration does not heed, and what there is in their place
    "out": ("-o", "set folder in its [engine]"),
    "store": ("--store", "set store in its [engine]"),
    "device": ("--device", "set device in its [engine]"),
    "runtime": ("--runtime", "set runtime in its [engine]"),
    "as_json": ("--json", "oddwatch events list --follow --json gives lines for programs"),
    "until_s": ("--until-s", "it is watched until the engine is stopped"),
    "origin": ("--origin", "it is watched now"),
}


def watch(
    context: typer.Context,
    *,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|SOURCE",
            help="A configuration of cameras; or video files, folders of frames, or one camera.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", "-m", help="A trained, calibrated model; not with CONFIG."),
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Print lines; no dashboard.")
    ] = False,
    idle: Annotated[
        bool,
        typer.Option("--idle", help="With --headless: go on where CONFIG names no camera (yet)."),
    ] = False,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for the database, snapshots and clips.")
    ] = DEFAULT_FOLDER,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="PATH|URL", help="Another database than events.db there."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line, for programs.")
    ] = False,
    until_s: Annotated[
        float | None, typer.Option(min=0, help="Stop at this second of the source.")
    ] = None,
    origin: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When the recording began, 2026-03-01T18:00; without it, now."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[
        str,
        typer.Option(
            help="Exported models: openvino or onnxruntime, auto: the faster. Others on a GPU: "
            "torch-half."
        ),
    ] = "auto",
) -> None:
    """Watch cameras or files.

    What is not usual there is told, stored and shown in snapshots and clips. Ctrl-C ends it, with
    what is open stored. CONFIG names any number of cameras, each with its model or learning its
    own, and is watched until the engine is stopped; it and one camera with a dashboard, on a
    terminal. Several files are watched one after another.

    \b
    Examples:  oddwatch watch cameras.toml
               oddwatch watch rtsp://camera/stream --model door.pt
               oddwatch watch monday.mp4 tuesday.mp4 --model door.pt -o week
    """  # noqa: D301
    if any(source.endswith(".toml") for source in sources):
        _refuse_for_config(context, next(it for it in sources if it.endswith(".toml")))
        _watch_config(sources, model, headless=headless, idle=idle)
        return
    if idle:
        raise UsageError("--idle: goes with CONFIG, as a source is there from the start")
    if model is None:
        raise UsageError(
            "--model: expected a trained model to judge by; oddwatch train makes one "
            "(see: oddwatch watch --help)"
        )
    began = _parse_origin(origin)
    lines = headless or as_json or until_s is not None or began is not None or runtime != "auto"
    if not lines and len(sources) == 1 and is_camera(sources[0]) and on_terminal():
        watch_camera(sources[0], model, out, store=store or "", device=device)
        return

    from monitor.cli.watch_lines import JsonTeller, TextTeller
    from monitor.model import load_model
    from monitor.runtimes import choose_runtime
    from monitor.watching import WatchSettings

    place = store or str(out / DATABASE)
    settings = WatchSettings(
        model=shown(str(model)), origin=began, until_s=float("inf") if until_s is None else until_s
    )
    with ExitStack() as held:
        held.enter_context(quiet_sources())
        trained = load_model(model, device)
        trained.calibrated()
        opened = _open_all(sources, trained.folder_rate_hz, held)
        choose_runtime(trained.detector, runtime)
        kept = held.enter_context(_open_store(place, out))
        teller = JsonTeller() if as_json else TextTeller(place, out)
        stop = held.enter_context(stop_on_signals())
        round_ = _Round(trained, kept, out.absolute(), settings, stop, teller)
        whole = [round_.watch(name, source) for name, source in opened.items()]
    if not all(whole):
        raise typer.Exit(1)


def _refuse_for_config(context: typer.Context, config: str) -> None:
    """Say of an option that does nothing with a configuration what does.

    Raises:
        UsageError: Of the first that was given.
    """
    for name, (option, instead) in OF_SOURCES.items():
        given = context.get_parameter_source(name)
        if given is not None and given.name == "COMMANDLINE":
            raise UsageError(f"{option}: goes with SOURCE, {config} is a configuration: {instead}")


def _watch_config(sources: list[str], model: Path | None, *, headless: bool, idle: bool) -> None:
    from monitor.cli.live import watch_config

    if len(sources) > 1 or model is not None:
        raise UsageError(
            f"{sources[0]}: a configuration is watched by itself; the models stand in it"
        )
    watch_config(Path(sources[0]), headless=headless, idle=idle)


@dataclass(frozen=True)
class _Round:
    """What all sources of one command share."""

    model: "Model"
    store: "Store"
    folder: Path
    settings: "WatchSettings"
    stop: threading.Event
    teller: "Teller"

    def watch(self, name: str, source: "Source") -> bool:
        """Watch a source to its end; whether that was a good one."""
        from monitor.watching import Summary, watch

        if self.stop.is_set():
            return True
        settings = replace(self.settings, name=name)
        whole = False
        with self.teller.about(source, settings):
            for event in watch(
                source,
                self.model,
                store=self.store,
                folder=self.folder,
                settings=settings,
                stop=self.stop.is_set,
            ):
                self.teller.tell(event)
                if isinstance(event, Summary):
                    whole = not event.fault and not event.unstored
        return whole


def _parse_origin(origin: str | None) -> datetime | None:
    """A moment; unlike in a query, a span before now means nothing here."""
    if origin is not None and origin[-1:].isalpha() and not origin.endswith("Z"):
        raise UsageError(f"origin {origin!r}: expected a time such as 2026-03-01T18:00:00")
    return parse_time(origin)


def _open_all(
    sources: Sequence[str], folder_rate_hz: float | None, held: ExitStack
) -> dict[str, "Source"]:
    """All sources under the names that alerts know them by."""
    from monitor.sources import open_source

    opened = [
        held.enter_context(open_source(source, folder_rate_hz=folder_rate_hz)) for source in sources
    ]
    if len(opened) > 1 and any(source.live for source in opened):
        raise UsageError(
            "several sources with a camera among them: this version watches one camera at a time; "
            "run oddwatch watch once for each"
        )
    names = [shown(source.name) for source in opened]
    unique = len(set(names)) == len(names)
    if not unique and len(set(sources)) < len(sources):
        raise UsageError("the same source is named twice; name it once")
    return dict(zip(names if unique else map(shown, sources), opened, strict=True))


@contextmanager
def _open_store(place: str, out: Path) -> Iterator["Store"]:
    """The store, and a folder for evidence that can be written.

    Raises:
        StoreError: Before an hour of watching, not after it.
    """
    from monitor.store import Store

    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".oddwatch.probe"
        probe.write_bytes(b"")
        probe.unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"{out}: expected a folder for evidence, found a file") from error
    except OSError as error:
        raise StoreError(f"{out}: no evidence can be kept there: {error.strerror}") from error
    with Store(place) as store:
        ended = store.close_orphans()
        if ended:
            print(f"ended {ended} alert(s) that an earlier run left open", file=sys.stderr)
        yield store
