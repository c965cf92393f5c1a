"""The HTTP API of an engine, as an ASGI application. Serving it is `server`'s business."""

import asyncio
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import Response

import monitor
from monitor.api import about_alerts, about_cameras, about_engine
from monitor.api.auth import Failures, Tokens, check_bind
from monitor.api.client_errors import EngineGone
from monitor.api.gate import Gate, Refusal, View, error_response
from monitor.api.stored import NoEvidenceError
from monitor.api.view import EngineView, Evidence
from monitor.config.settings import ApiSettings
from monitor.errors import MonitorError, UsageError
from monitor.store import StoreUnavailableError

ABOUT = """Cameras, scores, alerts and health of one oddwatch engine.

Moments are ISO 8601 in UTC; scores and strengths are times the threshold: 0 is typical, 1 the
threshold. Every failure is `{"error": "one line"}`. Where tokens are configured, each request
needs `Authorization: Bearer TOKEN`; a viewer reads, an operator also acknowledges, labels, mutes
and pauses, an admin also lets a camera learn anew.
"""
NOTHING = "nothing is here: see /api/openapi.json"


def make_app(
    view: EngineView,
    settings: ApiSettings,
    tokens: Tokens,
    folder: Path,
    *,
    failures: Failures | None = None,
    evidence: Evidence | None = None,
) -> FastAPI:
    """The API of this engine.

    Args:
        view: The engine; its methods are called in the loop that serves.
        settings: Where it will listen; decides which Host headers are right.
        tokens: Without any, whoever reaches it is an admin.
        folder: The engine's; evidence outside it is not handed out.
        failures: A test's own clock.
        evidence: Where pictures and clips come from, if not out of the folder.

    Raises:
        UsageError: If it would listen beyond loopback without tokens.
    """
    check_bind(settings, tokens)
    app = FastAPI(
        title="oddwatch",
        version=monitor.__version__,
        description=ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,  # both would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # nobody looks at them
    )
    app.state.view = view
    app.state.evidence = evidence or about_alerts.evidence_in(folder)
    app.state.closing = asyncio.Event()  # ends the streams
    app.include_router(about_engine.routes, prefix="/api", tags=["engine"])
    app.include_router(about_cameras.routes, prefix="/api/cameras", tags=["cameras"])
    app.include_router(about_alerts.routes, prefix="/api/alerts", tags=["alerts"])
    _bare_routes(app)
    _error_lines(app)
    app.add_middleware(Gate, tokens=tokens, failures=failures or Failures(), host=settings.host)
    return app


def _bare_routes(app: FastAPI) -> None:
    @app.get("/healthz", tags=["engine"])
    async def healthz() -> dict[str, str]:
        """Whether the engine's loop turns; for whoever restarts it. Needs no token."""
        return {"status": "ok"}

    @app.get("/metrics", tags=["engine"], response_class=Response)
    async def metrics(view: View) -> Response:
        """Figures in Prometheus' text format."""
        return Response(view.metrics(), media_type=CONTENT_TYPE_LATEST)


def _error_lines(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        said = NOTHING if error.detail == "Not Found" else str(error.detail)  # Starlette's words
        headers = tuple((error.headers or {}).items())
        return error_response(Refusal(error.status_code, said, headers))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return error_response(Refusal(422, _first_fault(error)))

    @app.exception_handler(NoEvidenceError)
    async def absent(_: Request, error: NoEvidenceError) -> Response:
        return error_response(Refusal(404, str(error)), absent="evidence")

    @app.exception_handler(MonitorError)
    async def failed(_: Request, error: MonitorError) -> Response:
        status = 503 if isinstance(error, StoreUnavailableError | EngineGone) else 409
        return error_response(Refusal(400 if isinstance(error, UsageError) else status, str(error)))


def _first_fault(error: RequestValidationError) -> str:
    """Where and what, never what was sent."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
    if fault["type"] == "extra_forbidden":
        return f"{place}: there is no such parameter here: see /api/openapi.json"
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
