"""Routes under /api/alerts: the store's rows, what people say of them, their evidence.

The store is asked in a thread, so that a slow disk does not hold up the engine's loop.
"""

import re
from pathlib import Path as PathOnDisk
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from monitor.api.gate import Once, View
from monitor.api.schema import AlertPage, AlertView, AlertWanted, Said
from monitor.api.stored import CONTENT_TYPES, alert_view, evidence_path
from monitor.api.view import EngineView, Evidence
from monitor.errors import StoreError
from monitor.store import StoredAlert, StoreUnavailableError

ONE_RANGE = re.compile(rb"\s*bytes=(?:(\d+)-(\d*)|-\d+)\s*")  # what players ask for

routes = APIRouter(dependencies=[Depends(Once())])


def find_alert(view: EngineView, alert_id: str) -> StoredAlert:
    """The alert of this very id.

    Raises:
        HTTPException: 404, if there is none.
    """
    missing = HTTPException(404, f"no alert {alert_id!r}: see /api/alerts")
    try:
        found = view.store.get(alert_id)
    except StoreUnavailableError:
        raise
    except StoreError:
        raise missing from None
    if found.alert.id.upper() != alert_id.upper():  # the store also takes beginnings of ids
        raise missing
    return found


def named_alert(
    view: View,
    alert_id: Annotated[
        str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$", description="The whole id, no path.")
    ],
) -> StoredAlert:
    """The alert that a path names. Not async: run in a thread."""
    return find_alert(view, alert_id)


Named = Annotated[StoredAlert, Depends(named_alert)]


class EvidenceResponse(FileResponse):
    """A file, or the part of it that a player asks for; of a Range it cannot read, the whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leaves out a Range that is none, as RFC 9110 has it; several at once are none too."""
        headers = [
            (name, value) for name, value in scope["headers"] if name != b"range" or _is_one(value)
        ]
        await super().__call__({**scope, "headers": headers}, receive, send)


@routes.get("")
async def alerts(view: View, wanted: Annotated[AlertWanted, Query()]) -> AlertPage:
    """The alerts that match, newest first, a page at a time."""
    query = view.query(wanted)

    def look() -> AlertPage:
        found = view.store.find(query, limit=wanted.limit, offset=wanted.offset)
        views = [alert_view(item) for item in found]
        return AlertPage(total=view.store.count(query), offset=wanted.offset, alerts=views)

    return await run_in_threadpool(look)


@routes.get("/{alert_id}")
async def alert(named: Named) -> AlertView:
    """One alert in its latest revision."""
    return alert_view(named)


@routes.patch("/{alert_id}")
async def say(named: Named, view: View, said: Said) -> AlertView:
    """Acknowledge, label, note or pin an alert; what is null stays. Needs an operator."""
    alert_id = named.alert.id

    def keep() -> StoredAlert:
        return view.store.say(
            alert_id,
            acknowledged=said.acknowledged,
            label=said.label,
            note=said.note,
            pinned=said.pinned,
        )

    kept = await run_in_threadpool(keep)
    view.alert_changed(alert_id)
    return alert_view(kept)


@routes.get("/{alert_id}/snapshot", response_class=FileResponse)
async def snapshot(named: Named, request: Request) -> Response:
    """Its picture with the anomaly marked, as JPEG or PNG."""
    evidence: Evidence = request.app.state.evidence
    return await evidence(named, "snapshot", "")


@routes.get("/{alert_id}/clip", response_class=FileResponse)
async def clip(named: Named, request: Request) -> Response:
    """Its video; parts of it by the header Range."""
    evidence: Evidence = request.app.state.evidence
    return await evidence(named, "clip", request.headers.get("range", ""))


def evidence_in(folder: PathOnDisk) -> Evidence:
    """Evidence that lies in this folder; what is outside of it is not handed out."""

    async def found(stored: StoredAlert, what: Literal["snapshot", "clip"], _: str) -> Response:
        path = stored.snapshot if what == "snapshot" else stored.clip
        place = await run_in_threadpool(evidence_path, path, folder, what)
        return EvidenceResponse(place, media_type=CONTENT_TYPES[place.suffix.lower()])

    return found


def _is_one(asked: bytes) -> bool:
    found = ONE_RANGE.fullmatch(asked)
    return found is not None and (not found[2] or int(found[1]) <= int(found[2]))
