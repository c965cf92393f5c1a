"""`oddwatch doctor`: what a crash left behind in a folder of events, and putting it right."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.events import Place, database
from monitor.cli.printing import print_json
from monitor.errors import SourceNotFoundError, UsageError


def doctor(
    store: Place,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of evidence; else the one that the database is in.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Put right what can be.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look for what a crash left behind.

    Rows without files, files without rows, half-written files, alerts that never ended, shared
    memory that nobody uses, and a damaged database. A running engine is not disturbed. Exit
    status 1 where something is wrong and was not put right.

    \b
    Example:  oddwatch doctor --store oddwatch/events.db --fix
    """  # noqa: D301
    from monitor.store import Store
    from monitor.store_doctor import examine
    from monitor.store_place import engine_of

    path = database(store)
    is_file = "://" not in path
    if is_file and not Path(path).is_file():
        raise SourceNotFoundError(f"{path}: no events there; name the database with --store")
    if not is_file and folder is None:
        raise UsageError("this database is on a server: name the evidence's folder with --folder")
    home = folder or Path(path).parent
    engine = engine_of(Path(path)) if is_file else None
    with Store(path) as opened:
        findings = examine(opened, home, engine_runs=engine is not None or not is_file)
        rows = [
            {"kind": one.kind, "text": one.text, "fixed": fix and _put_right(one.fix)}
            for one in findings
        ]
    if as_json:
        print_json(rows)
    else:
        _print(rows, engine, fix=fix)
    if not all(row["fixed"] for row in rows):
        raise typer.Exit(1)


def _put_right(fix: object) -> bool:
    if not callable(fix):
        return False
    try:
        fix()
    except OSError as error:  # of the store too
        print(f"oddwatch: {error}", file=sys.stderr)
        return False
    return True


def _print(rows: list[dict[str, object]], engine: int | None, *, fix: bool) -> None:
    if engine is not None:
        print(f"an engine runs (process {engine}): what it works on is let be", file=sys.stderr)
    for row in rows:
        print(f"{row['text']}{' (put right)' if row['fixed'] else ''}")
    if not rows:
        print("nothing is wrong")
    elif not fix:
        print(f"{len(rows)} finding(s); --fix puts right what can be", file=sys.stderr)
