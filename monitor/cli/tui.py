"""`oddwatch tui`: a dashboard in the terminal, attached to engines that run, or to a result."""

import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.one_camera import on_terminal
from monitor.errors import MonitorError, UsageError
from monitor.missing import DASHBOARD, refuse_without, to_have

if TYPE_CHECKING:
    from monitor.api.client import Client
    from monitor.tui.app import Dashboard

NO_TERMINAL = (
    "oddwatch tui draws on a terminal (stdin, stdout and stderr), and this is none or a dumb one: "
    "use oddwatch events list --follow --json"
)


HIGHEST_PORT = 65535


class Images(StrEnum):
    """How pictures are drawn."""

    OFF = "off"
    HALF = "half"
    AUTO = "auto"


def tui(
    urls: Annotated[
        list[str] | None,
        typer.Argument(metavar="[URL|DIR]...", help="Engines, or folders they run in."),
    ] = None,
    *,
    replay: Annotated[
        str,
        typer.Option(metavar="DIR", help="Play a result of oddwatch score, or an engine's store."),
    ] = "",
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Of a store: 2026-03-01T18:00, or 2h ago; else the last hour.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="As --from; else its newest score.")
    ] = None,
    token: Annotated[
        str, typer.Option(metavar="REF", help="env:NAME or file:PATH, where engines want one.")
    ] = "",
    images: Annotated[
        Images,
        typer.Option(help="Pictures: none, in half cells, or (not in browsers) by Kitty or Sixel."),
    ] = Images.AUTO,
    web: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve it to browsers there instead.")
    ] = "",
) -> None:
    """Attach a dashboard to engines that run; closing it stops none of them.

    Without a URL, to the engine in the folder oddwatch here, else to 127.0.0.1:8737.

    \b
    Examples:  oddwatch tui
               oddwatch tui http://north:8737 http://south:8737 --token env:ODDWATCH_TOKEN
               oddwatch tui --replay ped2-scores
               oddwatch tui --replay oddwatch --from 2026-03-01T18:00 --to 2026-03-01T20:00
               oddwatch tui --web 127.0.0.1:8738
    """  # noqa: D301
    if replay and urls:
        raise UsageError("--replay plays one folder: leave the addresses out")
    if (since or until) and not replay:
        raise UsageError("--from and --to choose what is played: give --replay DIR too")
    if web:
        words = _played(replay, since, until) if replay else urls or [_nearest()]
        serve(words, web, token=token, images=images)
    elif replay:
        play(replay, since, until, images)
    else:
        show(urls or [_nearest()], token=token, images=images)


def _played(place: str, since: str | None, until: str | None) -> list[str]:
    """The words for a dashboard that plays this, wherever it is started."""
    where = place if "://" in place else str(Path(place).absolute())
    span = {"--from": since, "--to": until}
    return [f"--replay={where}", *(f"{name}={value}" for name, value in span.items() if value)]


def play(place: str, since: str | None, until: str | None, images: Images) -> None:
    """The dashboard over what was: a result of `oddwatch score`, or a stretch of a store.

    Raises:
        DataSetError: It is neither, or there is nothing in that stretch.
        UsageError: This is no terminal, or a result was asked for a stretch.
    """
    from monitor.cli.events import database, open_store, parse_time

    _check_terminal()
    refuse_without("the dashboard", DASHBOARD)
    from monitor.tui.replay_app import ReplayDashboard
    from monitor.tui.state.result import read_result
    from monitor.tui.state.settings import settings_path

    file = Path(database(place))
    if "://" not in place and not file.is_file():
        if since or until:
            raise UsageError(f"--from and --to are for a store, and {place} has no {file.name}")
        _run(ReplayDashboard(read_result(Path(place)), settings=settings_path()))
        return
    from monitor.tui.state.stretch import read_stretch

    with open_store(place, read_only=True) as store:
        recording = read_stretch(store, file.parent, parse_time(since), parse_time(until))
    _run(ReplayDashboard(recording, settings=settings_path(), images=images.value))


def show(
    places: Sequence[str],
    *,
    token: str = "",
    images: Images = Images.AUTO,
    ended: Callable[[], str] | None = None,
) -> bool:
    """A dashboard of engines at these addresses or in these folders, until it is closed.

    `ended`: how the engine that this program started did, nothing while it runs; a person is then
    asked, and what this gives back is whether it shall be stopped.

    Raises:
        UsageError: This is no terminal, an address is none, or a token cannot be read.
        EngineGone: No engine runs in a folder.
    """
    _check_terminal()
    refuse_without("the dashboard", DASHBOARD)
    from monitor.tui.app import Dashboard
    from monitor.tui.state.settings import settings_path

    held = secret(token)
    engines = [_client(place, held) for place in places]
    dashboard = Dashboard(engines, images=images.value, settings=settings_path(), ended=ended)
    return _run(dashboard) == "stop"


def _run(dashboard: "Dashboard") -> str | None:
    """Until it is closed; a fault of its own ends it with status 1, after its traceback."""
    from monitor.tui.terminal import kept_usable

    with kept_usable():
        answer = dashboard.run()
    if dashboard.return_code:
        raise MonitorError("the dashboard ended by a fault of its own, see above; engines go on")
    return answer


def serve(
    places: Sequence[str], address: str, *, token: str = "", images: Images = Images.AUTO
) -> None:
    """The dashboard in browsers at HOST:PORT, behind the engines' token, until Ctrl-C.

    Browsers have neither Kitty nor Sixel: what is not off is in half cells.

    Raises:
        UsageError: The address is none, or textual-serve is not installed.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > HIGHEST_PORT:
        raise UsageError(f"--web {address}: expected HOST:PORT, such as 127.0.0.1:8738")
    try:
        from monitor.tui.web import WebDashboard
    except ImportError as error:
        text = f"--web needs textual-serve, not installed here: {to_have('textual_serve')}"
        raise UsageError(text) from error
    held = secret(token)
    if held:
        os.environ["ODDWATCH_TOKEN"] = held  # of the dashboards, which are its children
    drawn = Images.OFF if images is Images.OFF else Images.HALF
    command = shlex.join([sys.executable, "-m", "monitor", "tui", *places, "--images", drawn.value])
    try:
        WebDashboard(command, host, int(port), held).run(lambda url: typer.echo(f"open {url}"))
    except OSError as error:
        raise UsageError(f"--web {address}: {error.strerror or error}") from error


def _check_terminal() -> None:
    if os.environ.get("TEXTUAL_DRIVER"):
        return  # drawn somewhere else, such as in a browser
    if not on_terminal():
        raise UsageError(NO_TERMINAL)
    if 0 in os.get_terminal_size(2):
        raise UsageError("this terminal does not say how large it is: stty cols 80 rows 24")
    # it would write a traceback where a terminal does not say how large its cells are
    logging.getLogger("textual_image").addHandler(logging.NullHandler())


def secret(reference: str) -> str:
    """What `env:NAME` or `file:PATH` refers to; without one, the variable ODDWATCH_TOKEN.

    Raises:
        UsageError: If it is neither, or there is nothing.
    """
    from monitor.api.finding import read_token

    kind, _, rest = reference.partition(":")
    if not reference:
        return read_token()
    if kind == "file" and rest:
        return read_token(Path(rest))
    if kind == "env" and rest:
        if not os.environ.get(rest):
            raise UsageError(f"--token env:{rest}: there is no such variable, or it is empty")
        return os.environ[rest].strip()
    raise UsageError("--token: expected env:NAME or file:PATH, so that no token is in a history")


def _client(place: str, token: str) -> "Client":
    from monitor.api.client import Client
    from monitor.api.finding import find_engine

    folder = Path(place)
    if "://" not in place and folder.is_dir():
        place = find_engine(folder).url
    return Client(place, token)


def _nearest() -> str:
    """The engine that runs in the default folder; else where one answers by default."""
    from monitor.api.finding import WHEREABOUTS

    return "oddwatch" if (Path("oddwatch") / WHEREABOUTS).is_file() else "http://127.0.0.1:8737"
