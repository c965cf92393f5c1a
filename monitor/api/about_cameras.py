"""Routes under /api/cameras. Names are whole path parts, percent-encoded."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, Field

from monitor.api.gate import Once, View, needs
from monitor.api.schema import Action, Asked, CameraStatus, Moment, Mute, ScorePoint
from monitor.api.stored import NoEvidenceError, kept_scores
from monitor.api.view import EngineView

KEPT = timedelta(hours=1)  # scores that are given where nobody says since when
LONGEST = timedelta(days=1)  # of a curve: a reading a second, 86,400 of them

routes = APIRouter(dependencies=[Depends(Once("tag"))])


class Part(Asked):
    """Which of many cameras; of a fleet, `node:NAME` is a tag too."""

    name: str | None = Field(default=None, description="Only the one of this name.")
    tag: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    offset: int = Field(default=0, ge=0)


class Look(BaseModel):
    """How a picture is to be. A page that shows it anew adds what it likes to the address."""

    heat: bool = Field(default=False, description="With the anomaly map laid over it.")


class Span(Asked):
    """From when to when."""

    since: Moment | None = Field(default=None, description="Else an hour ago.")
    until: Moment | None = Field(default=None, description="A day after that at most.")


ALL, PLAIN, LATELY = Part(), Look(), Span()


class Done(BaseModel):
    """One line on what was done."""

    done: str


def find_camera(view: EngineView, name: str) -> CameraStatus:
    """Its status.

    Raises:
        HTTPException: 404, if there is none.
    """
    for camera in view.cameras():
        if camera.name == name:
            return camera
    raise HTTPException(404, f"no camera {name[:200]!r}: see /api/cameras")


def named_camera(
    name: Annotated[str, Path(description="Of the camera, percent-encoded as one part.")],
    view: View,
) -> CameraStatus:
    """The camera that a path names."""
    return find_camera(view, unquote(name))


Named = Annotated[CameraStatus, Depends(named_camera)]


@routes.get("")
async def cameras(
    view: View,
    part: Annotated[Part, Query()] = ALL,
) -> list[CameraStatus]:
    """All cameras, or those with all these tags, in the order of the configuration."""
    if part.name is not None:
        return [find_camera(view, part.name)]
    tags = set(part.tag)
    found = [camera for camera in view.cameras() if tags <= set(camera.tags)]
    return found[part.offset :][: part.limit]


@routes.get("/{name}")
async def camera(named: Named) -> CameraStatus:
    """One camera as it is now."""
    return named


@routes.get("/{name}/picture", response_class=Response)
@routes.get("/{name}/picture.jpg", response_class=Response, include_in_schema=False)
async def picture(named: Named, view: View, look: Annotated[Look, Query()] = PLAIN) -> Response:
    """The newest picture, as JPEG."""
    content = await view.picture(named.name, heat=look.heat)
    if content is None:
        raise NoEvidenceError(f"camera {named.name!r} has no picture yet: it is {named.state}")
    return Response(content, media_type="image/jpeg")


@routes.get("/{name}/scores")
async def scores(
    named: Named, view: View, span: Annotated[Span, Query()] = LATELY
) -> list[ScorePoint]:
    """Its readings, oldest first; what is older than the engine's memory is by the second."""
    until = span.until
    begin = span.since or datetime.now(UTC) - KEPT
    end = min(until or datetime.now(UTC), begin + LONGEST)
    fresh = await view.scores(named.name, begin, until)
    older = min(end, fresh[0].at) if fresh else end
    kept = await asyncio.to_thread(kept_scores, view.store, named.name, begin, older)
    return [*kept, *(point for point in fresh if until is None or point.at <= end)]


@routes.put("/{name}/mute")
async def mute(named: Named, view: View, muted: Mute) -> Done:
    """No notices of this camera until then; null: from now on again. Needs an operator."""
    await view.mute(named.name, muted.until)
    if muted.until is None:
        return Done(done=f"{named.name}: notices are sent again")
    return Done(done=f"{named.name}: no notices until {muted.until:%Y-%m-%d %H:%M %Z}")


@routes.post("/{name}/{action}")
async def act(named: Named, view: View, action: Action, request: Request) -> Done:
    """Pause, resume or take a snapshot (an operator); relearn (an admin)."""
    if action == "relearn":
        needs(request, "admin")
    return Done(done=await view.act(named.name, action))
