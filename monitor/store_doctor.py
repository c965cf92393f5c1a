"""What a crash, a full disk or a hand in the wrong folder left behind; found, and put right."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from monitor.errors import StoreError
from monitor.evidence_files import Found, files_of, place_of, walk
from monitor.store import AlertQuery, Store

SHARED = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
RING = re.compile(r"oddwatch-(\d+)-.*")
RECENT_S = 3600.0  # before a start: what an engine that was killed may have been writing
YOUNG_S = 600.0  # a clip is written for as long, and its row comes after it


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what puts it right."""

    kind: str  # file_missing, file_unowned, file_partial, ring_stale, alert_unended, ...
    text: str  # one line
    fix: Callable[[], object] | None = None  # None: a person must; may raise StoreError or OSError


def examine(
    store: Store, folder: Path, *, engine_runs: bool, shared: Path = SHARED
) -> list[Finding]:
    """All that is wrong, in the order in which it should be put right.

    While an engine runs, what it may be working on is let be: files of the last ten minutes, and
    alerts that go on.
    """
    if fault := store.database.fault():
        return [Finding("damaged", f"{store.database.place} is damaged ({fault})")]
    found = list(walk(folder))
    return [
        *_unended(store, engine_runs=engine_runs),
        *_left_garbage(store),
        *_without_files(store, folder),
        *_without_rows(store, folder, found, engine_runs=engine_runs),
        *_partial(found, engine_runs=engine_runs),
        *stale_rings(shared),
    ]


def recover(store: Store, folder: Path, *, within_s: float = RECENT_S) -> int:
    """Put right what a run that was killed left half-done a short while ago; how many files.

    A clip whose worker outlived the engine for a moment is given to its alert, half-written files
    go. For the engine that starts, before it writes itself; what is older, and what belongs to no
    alert, is left to `examine`.
    """
    since_s, garbage = time.time() - within_s, set(store.garbage.paths())
    young = [it for it in walk(folder) if it.changed_s > since_s and it.path not in garbage]
    clips = [it for it in young if it.path.suffix == ".mp4" and not _named(store, folder, it)]
    findings = [*_partial(young, engine_runs=False)]
    findings += [_unowned(store, folder, clip) for clip in clips]
    put_right = 0
    for finding in findings:
        if finding.kind != "file_unowned" and finding.fix is not None:
            with suppress(StoreError, OSError):  # `oddwatch doctor` will say so
                finding.fix()
                put_right += 1
    return put_right


def _named(store: Store, folder: Path, file: Found) -> bool:
    try:
        kept = store.get(file.alert_id)
    except StoreError:
        return False
    owned = files_of(folder, kept.snapshot, kept.clip)
    return file.path.resolve() in {path.resolve() for path in owned}


def _unended(store: Store, *, engine_runs: bool) -> Iterator[Finding]:
    now = datetime.now(UTC)
    count = 0 if engine_runs else store.count(AlertQuery(is_open=True))
    if count:
        yield Finding("alert_unended", f"{count} alert(s) never ended", store.close_orphans)
    ill = 0 if engine_runs else len(store.health.find(open_only=True, limit=None))
    if ill:
        text = f"{ill} health event(s) never ended"
        yield Finding("health_unended", text, lambda: store.health.close_orphans(now))


def _left_garbage(store: Store) -> Iterator[Finding]:
    if paths := store.garbage.paths():
        yield Finding("garbage", f"{len(paths)} file(s) still to be removed", store.garbage.empty)


def _without_files(store: Store, folder: Path) -> Iterator[Finding]:
    for held in store.garbage.all_evidence():
        gone = {
            what: bool(kept) and not place_of(folder, kept).is_file()
            for what, kept in (("snapshot", held.snapshot), ("clip", held.clip))
        }
        if any(gone.values()):
            names = " and ".join(what for what, missing in gone.items() if missing)
            yield Finding(
                "file_missing",
                f"alert {held.alert_id}: its {names} is not there",
                partial(store.garbage.forget_paths, held.alert_id, **gone),
            )


def _without_rows(
    store: Store, folder: Path, found: list[Found], *, engine_runs: bool
) -> Iterator[Finding]:
    owned = {
        path.resolve()
        for held in store.garbage.all_evidence()
        for path in files_of(folder, held.snapshot, held.clip)
    }
    listed = {path.resolve() for path in store.garbage.paths()}
    for file in found:
        path = file.path.resolve()
        if not file.alert_id or path in owned | listed or (engine_runs and _is_young(file)):
            continue
        yield _unowned(store, folder, file)


def _unowned(store: Store, folder: Path, file: Found) -> Finding:
    try:
        known: str | None = store.get(file.alert_id).alert.id
    except StoreError:
        known = None
    if known == file.alert_id:
        kept = str(file.path.relative_to(folder))
        what = {"clip": kept} if file.path.suffix == ".mp4" else {"snapshot": kept}
        text = f"{file.path}: its alert does not name it"
        return Finding("file_unnamed", text, lambda: store.attach(file.alert_id, **what))
    text = f"{file.path}: there is no alert that it belongs to"
    return Finding("file_unowned", text, lambda: _discard(store, file.path))


def _discard(store: Store, path: Path) -> None:
    store.garbage.add([path])
    store.garbage.empty()


def _partial(found: list[Found], *, engine_runs: bool) -> Iterator[Finding]:
    for file in found:
        if not file.alert_id and not (engine_runs and _is_young(file)):
            text = f"{file.path}: half-written"
            yield Finding("file_partial", text, partial(file.path.unlink, missing_ok=True))


def stale_rings(shared: Path = SHARED) -> Iterator[Finding]:
    """Shared memory of processes that are no more."""
    for path in sorted(shared.glob("oddwatch-*")):
        matched = RING.fullmatch(path.name)
        if matched and not _lives(int(matched[1])):
            text = f"{path}: shared memory of process {matched[1]}, which is no more"
            yield Finding("ring_stale", text, partial(path.unlink, missing_ok=True))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_young(file: Found) -> bool:
    return time.time() - file.changed_s < YOUNG_S
