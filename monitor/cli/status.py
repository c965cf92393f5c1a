"""`oddwatch status`: how a running engine and its cameras are, in a line each."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.events import ENGINE_FOLDER
from monitor.cli.printing import print_json, print_table, say_span
from monitor.names import counted

if TYPE_CHECKING:
    from monitor.api.client import Client
    from monitor.api.schema import CameraStatus, EngineStatus

NOT_WELL = 3  # exit status; 1 and 2 mean what they mean everywhere
UNKEPT = "read_only"
UNSEEING = {"blind", "stalled", "backoff", "failed"}
EVERY_S = 2.0


def status(
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL|DIR", help="Of the engine, or the folder it runs in."),
    ] = None,
    *,
    folder: Annotated[Path, typer.Option(help="Of an engine on this machine.")] = ENGINE_FOLDER,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds the token; else ODDWATCH_TOKEN does.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say how a running engine and its cameras are.

    \b
    Exit status, so that a script can tell:
      0  all is well
      1  no engine answers
      3  a camera alerts, or sees nothing: blind, stalled, offline or failed;
         or nothing can be stored
    \b
    Example:  oddwatch status
              oddwatch status http://server:8737 --token-file viewer.token --json
    """  # noqa: D301
    import asyncio  # a tenth of what --help would take

    from monitor.api.client import Client, find_engine, read_token

    place = url or str(folder)
    here = url is None or ("://" not in place and Path(place).is_dir())
    address = find_engine(Path(place)).url if here else place
    client = Client(address, read_token(token_file))
    raise typer.Exit(asyncio.run(_run(client, watch=watch, as_json=as_json)))


async def _run(client: "Client", *, watch: bool, as_json: bool) -> int:
    import asyncio

    async with client:
        well = await _show(client, as_json=as_json)
        while watch:
            await asyncio.sleep(EVERY_S)
            await _show_again(client, as_json=as_json)
    return 0 if well else NOT_WELL


async def _show_again(client: "Client", *, as_json: bool) -> None:
    """What went well once may fail for a while: an engine that starts anew."""
    from monitor.api.client import EngineGone

    if sys.stdout.isatty() and not as_json:
        print("\x1b[H\x1b[2J", end="")  # from the top of an empty screen
    try:
        await _show(client, as_json=as_json)
    except EngineGone as error:
        print(f"oddwatch: {error}", file=sys.stderr)


async def _show(client: "Client", *, as_json: bool) -> bool:
    """Print it once; whether all is well."""
    import asyncio

    engine, cameras = await asyncio.gather(client.status(), client.cameras())
    well = engine.state != UNKEPT and not any(map(is_ill, cameras))
    if as_json:
        plain = [camera.model_dump(mode="json") for camera in cameras]
        print_json({"well": well, "engine": engine.model_dump(mode="json"), "cameras": plain})
        return well
    print(engine_line(engine, client.url))
    if engine.state == UNKEPT:
        print(f"nothing can be stored: {engine.unstored or 'its log says why'}")
    if cameras:
        columns = ["camera", "state", "times threshold", "fps", "age", "last alert"]
        print_table(columns, [camera_row(camera, engine.now) for camera in cameras])
    for camera in cameras:  # in a column they would be a word wide on most terminals
        if remark := remark_on(camera, engine.now):
            print(f"{camera.name}: {remark}")
    return well


def is_ill(camera: "CameraStatus") -> bool:
    """Whether someone should look: it alerts, or nobody is watching through it."""
    return camera.open_alert is not None or camera.state in UNSEEING


def engine_line(engine: "EngineStatus", url: str) -> str:
    """The engine in one line."""
    facts = [
        counted(engine.cameras, "camera"),
        f"{engine.open_alerts} open",
        f"{engine.unacknowledged} unseen",
        *([engine.overload] if engine.overload else []),
    ]
    return f"oddwatch {engine.version} at {url}: {engine.state}, {', '.join(facts)}"


def camera_row(camera: "CameraStatus", now: datetime) -> list[str]:
    """One camera in a line of the table."""
    return [
        camera.name,
        "alert" if camera.open_alert else camera.state,
        "-" if camera.score is None else f"{max(0.0, camera.score):.2f}",
        f"{camera.fps_in:.1f}",
        "-" if camera.frame_age_s is None else say_span(camera.frame_age_s),
        _ago(camera.last_alert_at, now),
    ]


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "-"
    return f"{say_span(max(0.0, (now - moment).total_seconds()))} ago"


def remark_on(camera: "CameraStatus", now: datetime) -> str:
    """What its numbers do not say, where there is something."""
    if camera.learning is not None and camera.state not in UNSEEING:
        learning = camera.learning
        return f"{learning.step} {learning.share:.0%}, {learning.text}"
    if camera.muted_until is not None and camera.muted_until > now:
        until, today = camera.muted_until.astimezone(), now.astimezone().date()
        return f"muted until {until:{'%H:%M' if until.date() == today else '%Y-%m-%d %H:%M'}}"
    return camera.reason
