"""`oddwatch events`: what was raised, where its evidence lies, and what people say of it."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.events_lines import print_alert, row_of, say_p
from monitor.cli.printing import print_json, print_table
from monitor.config.spans import in_seconds
from monitor.errors import SourceNotFoundError, StoreError, UsageError
from monitor.moments import END, FIRST, in_utc
from monitor.names import counted

if TYPE_CHECKING:
    from monitor.store import AlertQuery, Label, Sort, Store, StoredAlert

__all__ = [
    "DATABASE", "DEFAULT_FOLDER", "ENGINE_FOLDER", "Place", "app", "database", "open_store",
    "parse_time", "say_p",
]  # fmt: skip

DEFAULT_FOLDER = Path("oddwatch-events")  # of files watched one by one
ENGINE_FOLDER = Path("oddwatch")  # as in a configuration
DATABASE = "events.db"
MOST = 1_000_000_000  # rows: no database counts to 10^20
AGO = re.compile(r"\s+ago\s*\Z", re.IGNORECASE)  # may be said after a span

app = typer.Typer(rich_markup_mode=None)


def newest_folder() -> str:
    """Where events were written last, of the folders that nobody needs to name."""

    def written(folder: Path) -> float:
        files = [folder / DATABASE, folder / f"{DATABASE}-wal"]
        states = [file.stat() for file in files if file.is_file()]
        return max((s.st_mtime for s in states if s.st_size), default=0.0)  # readers leave a log

    return str(max(DEFAULT_FOLDER, ENGINE_FOLDER, key=written))


Place = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="PATH|URL",
        default_factory=newest_folder,
        show_default=f"{ENGINE_FOLDER} or {DEFAULT_FOLDER}, the last written",
        help="Database of events, or the folder it is in.",
    ),
]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="The id, or enough of its beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
OfSource = Annotated[
    list[str] | None, typer.Option(help="Only of this source; may be given several times.")
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="2026-03-01T18:00, or 90m, 24h, 7d ago.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="As --since; not counted.")]
IsOpen = Annotated[bool | None, typer.Option("--open/--ended", help="Only those that go on.")]
Seen = Annotated[bool | None, typer.Option("--acked/--unacked", help="Only those seen.")]
OfLabel = Annotated[str | None, typer.Option(help="true, normal_here or unsure.")]
Text = Annotated[
    str, typer.Option(help="Only with these words in id, source, reason, region or note.")
]
Pinned = Annotated[bool | None, typer.Option("--pinned/--unpinned", help="Only those pinned.")]


@app.callback(invoke_without_command=True)
def events(context: typer.Context) -> None:
    """List, show and judge alerts.

    \b
    Examples:  oddwatch events list --since 24h
               oddwatch events label 01JQ true --note "the van again"
    """  # noqa: D301
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_events(
    *,
    store: Place,
    source: OfSource = None,
    since: Since = None,
    until: Until = None,
    is_open: IsOpen = None,
    acked: Seen = None,
    label: OfLabel = None,
    text: Text = "",
    pinned: Pinned = None,
    sort: Annotated[str, typer.Option(help="newest, oldest, strongest or changed.")] = "newest",
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="The first so many.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", help="Then each change as it comes.")] = False,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first.

    \b
    Example:  oddwatch events list --source door --unacked
              oddwatch events list --follow --json
    """  # noqa: D301
    from monitor.cli.events_follow import follow_events
    from monitor.store_export import to_plain

    query = _query(source, since, until, is_open, acked, label)
    query = replace(query, text=text, pinned=pinned, sort=_known_sort(sort))
    with open_store(store, read_only=True) as opened:
        if follow:
            follow_events(opened, query, limit, as_json=as_json)
        found, count = opened.find(query, limit=limit), opened.count(query)
    if as_json:
        print_json([to_plain(item) for item in found])
        return
    if not found:
        print("no alerts")
        return
    columns = ["id", "started", "source", "state", "length", "p", "part", "label", "seen"]
    rows = [row_of(item) for item in found]
    if any(item.picture for item in found):
        columns.append("picture")
        rows = [[*row, Path(item.picture).name] for row, item in zip(rows, found, strict=True)]
    print_table(columns, rows)
    if count > len(found):
        rest = "older ones" if sort == "newest" else "more"
        print(f"{count - len(found):,} {rest} are not shown; see --limit", file=sys.stderr)


@app.command("show")
def show(alert_id: AlertId, *, store: Place, as_json: AsJson = False) -> None:
    """Show all that is known of one alert.

    \b
    Example:  oddwatch events show 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.get(alert_id), as_json=as_json, read_only=True)


@app.command("ack")
def ack(
    alert_id: AlertId,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="It was not seen after all.")] = False,
    store: Place,
    as_json: AsJson = False,
) -> None:
    """Mark an alert as seen.

    \b
    Example:  oddwatch events ack 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.acknowledge(alert_id, undo=undo), as_json=as_json)


@app.command("pin")
def pin(
    alert_id: AlertId,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="It may be removed again.")] = False,
    store: Place,
    as_json: AsJson = False,
) -> None:
    """Keep an alert's pictures and clip for good, however old they get.

    \b
    Example:  oddwatch events pin 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.pin(alert_id, pinned=not undo), as_json=as_json)


@app.command("unlabel")
def unlabel(alert_id: AlertId, *, store: Place, as_json: AsJson = False) -> None:
    """Take back what was said of an alert; the note stays.

    \b
    Example:  oddwatch events unlabel 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.label(alert_id, None), as_json=as_json)


@app.command("label")
def label(
    alert_id: AlertId,
    *,
    label: Annotated[str, typer.Argument(help="true, normal_here or unsure.")],
    note: Annotated[str | None, typer.Option(help="A word on why.")] = None,
    store: Place,
    as_json: AsJson = False,
) -> None:
    """Say what an alert was.

    It was true, or normal_here: usual after all; or you are unsure.

    \b
    Example:  oddwatch events label 01JQ normal_here --note "cleaners, every Monday"
    """  # noqa: D301
    known = _known_label(label)
    _act(store, lambda opened: opened.label(alert_id, known, note), as_json=as_json)


@app.command("export")
def export_events(
    *,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File; without it, standard output.")
    ] = None,
    store: Place,
    source: OfSource = None,
    since: Since = None,
    until: Until = None,
    is_open: IsOpen = None,
    acked: Seen = None,
    label: OfLabel = None,
    text: Text = "",
    pinned: Pinned = None,
    evidence: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Copy their pictures and clips there too.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV.")] = False,
) -> None:
    """Write all alerts as CSV for spreadsheets, or as JSON.

    \b
    Example:  oddwatch events export --since 7d -o week.csv
              oddwatch events export --label true -o case.csv --evidence case
    """  # noqa: D301
    from io import StringIO

    from monitor.cli.events_follow import copy_evidence
    from monitor.files import write_atomically
    from monitor.store_export import export

    kind: Literal["csv", "json"] = "json" if as_json else "csv"
    query = _query(source, since, until, is_open, acked, label)
    query = replace(query, text=text, pinned=pinned)
    with open_store(store, read_only=True) as opened:
        found = opened.find(query, limit=None)
    if evidence is not None:
        found = copy_evidence(found, _home(store), evidence)
    table = StringIO(newline="")
    export(found, table, kind)
    if out is None:
        sys.stdout.write(table.getvalue())
        return
    try:
        write_atomically(out, table.getvalue())
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror or error}") from error
    print(f"{counted(len(found), 'alert')} written to {out}", file=sys.stderr)


def database(place: str | Path) -> str:
    """The database that a path, a folder or a URL stands for; of a file its path."""
    text = str(place)
    if "://" in text:
        from monitor.store_schema import file_of

        return str(file_of(text) or text)
    if not (Path(text).is_dir() or Path(text) == DEFAULT_FOLDER):
        return text
    return str(Path(text) / DATABASE)


def _home(place: str) -> Path:
    """What evidence paths are relative to."""
    path = database(place)
    return Path() if "://" in path else Path(path).parent


def open_store(place: str, *, read_only: bool = False) -> "Store":
    """An existing store; reading makes none.

    Raises:
        SourceNotFoundError: If there is none.
    """
    from monitor.store import Store

    path = database(place)
    if "://" not in path and not Path(path).is_file():
        raise SourceNotFoundError(
            f"{path}: no events there; name the database with --store, or run oddwatch watch first"
        )
    return Store(path, read_only=read_only)


def _act(
    place: str,
    act: Callable[["Store"], "StoredAlert"],
    *,
    as_json: bool,
    read_only: bool = False,
) -> None:
    from monitor.store_export import to_plain

    with open_store(place, read_only=read_only) as opened:
        found = act(opened)
    if as_json:
        print_json(to_plain(found))
    else:
        print_alert(found)


def _query(
    source: list[str] | None,
    since: str | None,
    until: str | None,
    is_open: bool | None,
    acked: bool | None,
    label: str | None,
) -> "AlertQuery":
    from monitor.store import AlertQuery

    begin, end = parse_time(since), parse_time(until)
    if begin is not None and end is not None and end < begin:
        raise UsageError(f"--until {until} is before --since {since}: nothing lies between")
    return AlertQuery(
        sources=tuple(source or ()),
        since=begin,
        until=end,
        is_open=is_open,
        acknowledged=acked,
        label=None if label is None else _known_label(label),
    )


def _known_label(label: str) -> "Label":
    from monitor.store import LABELS

    if label not in LABELS:
        raise UsageError(f"label {label!r}: expected one of {', '.join(LABELS)}")
    return label


def _known_sort(sort: str) -> "Sort":
    from monitor.store_query import SORTS

    if sort not in SORTS:
        raise UsageError(f"sort {sort!r}: expected one of {', '.join(SORTS)}")
    return sort


def parse_time(text: str | None) -> datetime | None:
    """ISO 8601, local where it names no zone; or a span before now, such as 90m or 7 days ago.

    Raises:
        UsageError: If it is neither.
    """
    if text is None:
        return None
    try:
        if (seconds := in_seconds(AGO.sub("", text))) is not None:
            return in_utc(datetime.now(UTC) - timedelta(seconds=seconds))
        named = datetime.fromisoformat(text)
        return in_utc(named if named.tzinfo else named.astimezone())  # a naive one is local
    except (ValueError, OverflowError):
        raise UsageError(
            f"time {text!r}: expected one such as 2026-03-01, 2026-03-01T18:00+01:00, 90m or 7d "
            f"ago, of the years {FIRST.year} to {END.year - 1}"
        ) from None
