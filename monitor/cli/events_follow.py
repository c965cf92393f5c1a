"""Changes of the event store as they come, and evidence copied out of it."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.cli.events_lines import row_of
from monitor.errors import StoreError
from monitor.evidence_files import place_of
from monitor.files import check_folder
from monitor.store import AlertQuery, Store, StoredAlert
from monitor.store_export import to_plain

LOOK_EVERY_S = 1.0
LOOK_BACK = timedelta(minutes=1)  # a row's time is set before it is committed
MOST = 1000  # changes per look
SHORT_ID = 10  # of an id: its moment to a millisecond
HEAD = "id          started          state   length  source  part  label  seen"


def follow_events(store: Store, query: AlertQuery, limit: int, *, as_json: bool) -> None:
    """Print what there is, oldest first, then each change, until interrupted."""
    drawn = sys.stdout.isatty() and not as_json
    if drawn:
        print(HEAD, flush=True)
    for item in changes(store, query, limit, lambda: time.sleep(LOOK_EVERY_S)):
        if as_json:
            print(json.dumps(to_plain(item), ensure_ascii=False), flush=True)
        else:
            print(short_line(item) if drawn else "  ".join(row_of(item)), flush=True)


def short_line(item: StoredAlert) -> str:
    """For a terminal of 80 columns; of the id so much as finds it again."""
    row = row_of(item)
    cells = [f"{row[0][:SHORT_ID]:<{SHORT_ID}}", f"{item.started_at.astimezone():%d %b %H:%M:%S}"]
    return "  ".join([*cells, f"{row[3]:<5}", f"{row[4]:>7}", row[2], *row[6:]])


def changes(
    store: Store, query: AlertQuery, limit: int, wait: Callable[[], object]
) -> Iterator[StoredAlert]:
    """What there is, oldest first; then, for ever, what is new or changed since."""
    seen: dict[str, datetime] = {}
    since = datetime.now(UTC)
    found = list(reversed(store.find(query, limit=limit)))
    while True:
        for item in found:
            if seen.get(item.alert.id) != item.updated_at:
                seen[item.alert.id] = item.updated_at
                yield item
        since = max([since, *(item.updated_at for item in found)])
        seen = {name: at for name, at in seen.items() if at >= since - 2 * LOOK_BACK}
        wait()
        changed = replace(query, changed_since=since - LOOK_BACK, sort="changed")
        found = list(reversed(store.find(changed, limit=MOST)))


def copy_evidence(found: Sequence[StoredAlert], home: Path, out: Path) -> list[StoredAlert]:
    """The same alerts, naming copies of their files in `out`; what is not there is said.

    Raises:
        StoreError: A copy cannot be written.
    """
    check_folder(out, "evidence")
    missing = 0
    copied: list[StoredAlert] = []
    for item in found:
        snapshot, clip = (
            _copy(place_of(home, path), out) if path else "" for path in (item.snapshot, item.clip)
        )
        missing += bool(item.snapshot and not snapshot) + bool(item.clip and not clip)
        copied.append(replace(item, snapshot=snapshot, clip=clip))
    if missing:
        print(f"{missing:,} file(s) are not there any more", file=sys.stderr)
    return copied


def _copy(path: Path, out: Path) -> str:
    if not path.is_file():
        return ""
    try:
        return str(shutil.copy2(path, out / path.name))
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error.strerror or error}") from error
