"""`oddwatch events`: what was raised, where its evidence lies, and what people say of it."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.printing import print_json, print_table, say_clock, say_span
from monitor.errors import SourceNotFoundError, StoreError, UsageError

if TYPE_CHECKING:
    from monitor.store import AlertQuery, Label, Store, StoredAlert

DEFAULT_FOLDER = Path("oddwatch-events")
DATABASE = "events.db"
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds

app = typer.Typer(rich_markup_mode=None)

Place = Annotated[
    str,
    typer.Option("--store", metavar="PATH|URL", help="Database of events, or the folder it is in."),
]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="The id, or enough of its beginning.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
OfSource = Annotated[str | None, typer.Option(help="Only of this source.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="2026-03-01T18:00, or 90m, 24h, 7d ago.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="As --since; not counted.")]
IsOpen = Annotated[bool | None, typer.Option("--open/--ended", help="Only those that go on.")]
Seen = Annotated[bool | None, typer.Option("--acked/--unacked", help="Only those seen.")]
OfLabel = Annotated[str | None, typer.Option(help="true, normal_here or unsure.")]
STORE = str(DEFAULT_FOLDER)


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
    store: Place = STORE,
    source: OfSource = None,
    since: Since = None,
    until: Until = None,
    is_open: IsOpen = None,
    acked: Seen = None,
    label: OfLabel = None,
    limit: Annotated[int, typer.Option(min=1, help="Newest so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List alerts, newest first.

    \b
    Example:  oddwatch events list --source door --unacked
    """  # noqa: D301
    from monitor.store_export import to_plain

    query = _query(source, since, until, is_open, acked, label)
    with open_store(store) as opened:
        found, count = opened.find(query, limit=limit), opened.count(query)
    if as_json:
        print_json([to_plain(item) for item in found])
        return
    if not found:
        print("no alerts")
        return
    columns = ["id", "started", "source", "state", "length", "p", "part", "label", "seen"]
    rows = [_row(item) for item in found]
    if any(item.picture for item in found):
        columns.append("picture")
        rows = [[*row, Path(item.picture).name] for row, item in zip(rows, found, strict=True)]
    print_table(columns, rows)
    if count > len(found):
        print(f"{count - len(found):,} older ones are not shown; see --limit", file=sys.stderr)


@app.command("show")
def show(alert_id: AlertId, store: Place = STORE, as_json: AsJson = False) -> None:
    """Show all that is known of one alert.

    \b
    Example:  oddwatch events show 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.get(alert_id), as_json=as_json)


@app.command("ack")
def ack(alert_id: AlertId, store: Place = STORE, as_json: AsJson = False) -> None:
    """Mark an alert as seen.

    \b
    Example:  oddwatch events ack 01JQ
    """  # noqa: D301
    _act(store, lambda opened: opened.acknowledge(alert_id), as_json=as_json)


@app.command("label")
def label(
    alert_id: AlertId,
    label: Annotated[str, typer.Argument(help="true, normal_here or unsure.")],
    note: Annotated[str | None, typer.Option(help="A word on why.")] = None,
    store: Place = STORE,
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
    store: Place = STORE,
    source: OfSource = None,
    since: Since = None,
    until: Until = None,
    is_open: IsOpen = None,
    acked: Seen = None,
    label: OfLabel = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV.")] = False,
) -> None:
    """Write all alerts as CSV for spreadsheets, or as JSON.

    \b
    Example:  oddwatch events export --since 7d -o week.csv
    """  # noqa: D301
    from io import StringIO

    from monitor.files import write_atomically
    from monitor.store_export import export

    kind: Literal["csv", "json"] = "json" if as_json else "csv"
    query = _query(source, since, until, is_open, acked, label)
    with open_store(store) as opened:
        found = opened.find(query, limit=None)
    table = StringIO(newline="")
    export(found, table, kind)
    if out is None:
        sys.stdout.write(table.getvalue())
        return
    try:
        write_atomically(out, table.getvalue())
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror or error}") from error
    print(f"{len(found):,} alerts written to {out}", file=sys.stderr)


def database(place: str | Path) -> str:
    """The database that a path, a folder or a URL stands for."""
    text = str(place)
    if "://" in text or not (Path(text).is_dir() or Path(text) == DEFAULT_FOLDER):
        return text
    return str(Path(text) / DATABASE)


def open_store(place: str) -> "Store":
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
    return Store(path)


def _act(place: str, act: Callable[["Store"], "StoredAlert"], *, as_json: bool) -> None:
    from monitor.store_export import to_plain

    with open_store(place) as opened:
        found = act(opened)
    if as_json:
        print_json(to_plain(found))
    else:
        _print_alert(found)


def _query(
    source: str | None,
    since: str | None,
    until: str | None,
    is_open: bool | None,
    acked: bool | None,
    label: str | None,
) -> "AlertQuery":
    from monitor.store import AlertQuery

    return AlertQuery(
        source=source,
        since=parse_time(since),
        until=parse_time(until),
        is_open=is_open,
        acknowledged=acked,
        label=None if label is None else _known_label(label),
    )


def _known_label(label: str) -> "Label":
    from monitor.store import LABELS

    if label not in LABELS:
        raise UsageError(f"label {label!r}: expected one of {', '.join(LABELS)}")
    return label


def parse_time(text: str | None) -> datetime | None:
    """ISO 8601, local where it names no zone; or a span such as 90m, 24h, 7d before now.

    Raises:
        UsageError: If it is neither.
    """
    if text is None:
        return None
    if span := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text):
        return datetime.now(UTC) - timedelta(seconds=float(span[1]) * SPANS[span[2]])
    try:
        return datetime.fromisoformat(text).astimezone(UTC)  # a naive one is local
    except ValueError:
        raise UsageError(
            f"time {text!r}: expected one such as 2026-03-01, 2026-03-01T18:00+01:00, 90m or 7d"
        ) from None


def _row(item: "StoredAlert") -> list[str]:
    alert = item.alert
    return [
        alert.id,
        f"{item.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
        alert.source,
        "ended" if alert.phase == "end" else "open",
        "-" if item.picture else say_span(alert.end_s - alert.start_s),
        say_p(alert.peak_p_value),
        alert.reason or "-",
        item.label or "-",
        "yes" if item.acknowledged_at else "no",
    ]


def say_p(p_value: float | None) -> str:
    """Two digits: 0.012, 1.3e-05."""
    return "-" if p_value is None else f"{p_value:.2g}"


def _print_alert(item: "StoredAlert") -> None:
    alert = item.alert
    over_time = {
        "in source": f"{say_clock(alert.start_s)} to {say_clock(alert.end_s)},"
        f" peak at {say_clock(alert.peak_s)}",
        "length": say_span(alert.end_s - alert.start_s),
        "state": f"{alert.phase}{f', ended by {alert.ended_by}' if alert.ended_by else ''}",
    }
    facts = {
        "id": alert.id,
        "source": alert.source,
        "started": f"{item.started_at.astimezone():%Y-%m-%d %H:%M:%S %z}",
        **({"picture": item.picture} if item.picture else over_time),
        "peak": f"score {alert.peak_score:.4g}, p {say_p(alert.peak_p_value)}",
        "part": alert.reason,
        "continues": alert.continues,
        "model": item.model,
        "snapshot": item.snapshot,
        "clip": item.clip,
        "seen": f"{item.acknowledged_at.astimezone():%Y-%m-%d %H:%M}"
        if item.acknowledged_at
        else "no",
        "label": item.label or "",
        "note": item.note,
    }
    for name, value in facts.items():
        if value:
            print(f"{name:<10}  {value}")
