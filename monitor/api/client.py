"""Asks a running engine over HTTP: for the dashboard, `oddwatch status` and programs.

Knows nothing of the engine but its address and the words of `schema`; imports neither torch nor
a database.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from httpx_sse import EventSource, SSEError
from pydantic import BaseModel, TypeAdapter, ValidationError

from monitor.api.client_errors import (
    Absent,
    Denied,
    EngineError,
    EngineGone,
    NotAnEngine,
    OtherVersion,
    Refused,
    Unanswered,
)
from monitor.api.finding import Whereabouts, find_engine, read_token
from monitor.api.schema import (
    API_VERSION,
    VERSION_HEADER,
    Action,
    AlertPage,
    AlertView,
    AlertWanted,
    CameraStatus,
    EngineStatus,
    HealthView,
    LogLine,
    Message,
    Mute,
    Said,
    ScorePoint,
)
from monitor.errors import UsageError

__all__ = [
    "Absent",
    "Client",
    "Denied",
    "EngineError",
    "EngineGone",
    "NotAnEngine",
    "OtherVersion",
    "Refused",
    "Unanswered",
    "Whereabouts",
    "find_engine",
    "read_token",
]

SILENCE_S = 15.0  # three heartbeats of the stream
CONNECT_S = 5.0  # a machine in the same network answers in milliseconds or not at all
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
EVERY_ALERT = AlertWanted()

Parsed = TypeVar("Parsed")
CAMERAS = TypeAdapter(list[CameraStatus])
SCORES = TypeAdapter(list[ScorePoint])
HEALTH = TypeAdapter(list[HealthView])
LOG = TypeAdapter(list[LogLine])


class Client:
    """One engine, asked by many calls at once; an async context manager.

    Every method raises EngineGone, NotAnEngine, Denied, OtherVersion or Refused, each with one
    line for people; those that change something also Unanswered. None holds the token.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connects at the first call, not here.

        Args:
            url: Such as `http://127.0.0.1:8737`; the scheme may be left out; with
                `?tag=site:north` the stream is of cameras with that tag alone.
            token: Where the engine wants one.
            timeout_s: For an answer to begin; the stream has its own.
            transport: In tests.

        Raises:
            UsageError: If it is no address.
        """
        self.url, self._tags = _checked(url), parse_qs(urlsplit(url).query).get("tag", [])
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
            transport=transport,
            trust_env=False,  # no proxy and no .netrc between a dashboard and its engine
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def status(self) -> EngineStatus:
        """The engine and its machine."""
        return self._model(await self._ask("GET", "/api/status"), EngineStatus)

    async def cameras(self) -> list[CameraStatus]:
        """All cameras, in the order of the configuration."""
        return self._list(await self._ask("GET", "/api/cameras"), CAMERAS)

    async def camera(self, name: str) -> CameraStatus:
        """One camera."""
        return self._model(await self._ask("GET", _camera(name)), CameraStatus)

    async def picture(self, camera: str, *, heat: bool = False) -> bytes | None:
        """Its newest picture as JPEG; None: there is none yet."""
        asked = {"heat": "1"} if heat else {}
        return await self._bytes(f"{_camera(camera)}/picture.jpg", asked)

    async def scores(
        self, camera: str, since: datetime | None = None, until: datetime | None = None
    ) -> list[ScorePoint]:
        """Its readings of that span, a day at most, oldest first; else of the last hour."""
        span = {"since": since, "until": until}
        asked = {name: at.isoformat() for name, at in span.items() if at is not None}
        return self._list(await self._ask("GET", f"{_camera(camera)}/scores", asked), SCORES)

    async def act(self, camera: str, action: Action) -> str:
        """Pause, resume, relearn or take a snapshot; one line on what was done."""
        return _said(await self._ask("POST", f"{_camera(camera)}/{action}"))

    async def mute(self, camera: str, until: datetime | None) -> str:
        """No notices of it until then; None: from now on again. One line on what was done."""
        body = Mute(until=until)
        return _said(await self._ask("PUT", f"{_camera(camera)}/mute", body=body))

    async def alerts(self, wanted: AlertWanted = EVERY_ALERT) -> AlertPage:
        """A page of the alerts that match."""
        asked = wanted.model_dump(mode="json", exclude_none=True)
        return self._model(await self._ask("GET", "/api/alerts", asked), AlertPage)

    async def alert(self, alert_id: str) -> AlertView:
        """One alert in its latest revision."""
        return self._model(await self._ask("GET", _alert(alert_id)), AlertView)

    async def say(self, alert_id: str, said: Said) -> AlertView:
        """Acknowledge, label, note or pin it; the alert as it is then."""
        return self._model(await self._ask("PATCH", _alert(alert_id), body=said), AlertView)

    async def snapshot(self, alert_id: str) -> bytes | None:
        """Its picture, as JPEG or PNG; None: it has none, or no longer."""
        return await self._bytes(f"{_alert(alert_id)}/snapshot")

    async def save_clip(self, alert_id: str, path: Path) -> int:
        """Write its clip to a file as it comes; its size in bytes.

        Raises:
            Absent: If it has none.
            OSError: If the file cannot be written.
        """
        written = 0
        async with self._open(f"{_alert(alert_id)}/clip") as response:
            with path.open("wb") as file:
                async for part in response.aiter_bytes():
                    written += file.write(part)
        return written

    async def health(self, *, open_only: bool = False, limit: int = 100) -> list[HealthView]:
        """Health events, newest first."""
        asked = {"open": "1" if open_only else "0", "limit": str(limit)}
        return self._list(await self._ask("GET", "/api/health-events", asked), HEALTH)

    async def log(self, limit: int = 200) -> list[LogLine]:
        """The newest lines of the engine's log, oldest first."""
        return self._list(await self._ask("GET", "/api/log", {"limit": str(limit)}), LOG)

    async def stream(self) -> AsyncGenerator[Message, None]:
        """Everything that changes, as it does; the first message is the whole state.

        Never ends by itself: whoever iterates waits a little after EngineGone and calls again.

        Raises:
            EngineGone: The engine stopped, fell silent, or cut off a reader that was too slow;
                the message says which.
        """
        asked = {"tag": self._tags}
        async with self._open("/api/stream", asked, read_s=SILENCE_S) as response:
            try:
                async for event in EventSource(response).aiter_sse():
                    if event.event == "end":
                        raise EngineGone(_reason(event.data, "the engine ended the stream"))
                    yield self._parse(event.data, Message)
            except SSEError:
                raise self._no_engine("its stream is none") from None
        raise EngineGone(f"the engine at {self.url} has ended the stream")

    async def _ask(
        self,
        method: str,
        path: str,
        asked: Mapping[str, Any] | None = None,
        body: BaseModel | None = None,
    ) -> bytes:
        sent = None if body is None else body.model_dump(mode="json")
        try:
            response = await self._http.request(method, path, params=asked, json=sent)
        except (httpx.HTTPError, OSError) as error:
            if method != "GET" and not isinstance(error, NOT_SENT):
                text = f"no answer from the engine at {self.url}: it may be done all the same"
                raise Unanswered(text) from error
            raise self._gone(error) from error
        self._check(response, response.content)
        return response.content

    async def _bytes(self, path: str, asked: Mapping[str, Any] | None = None) -> bytes | None:
        try:
            return await self._ask("GET", path, asked)
        except Absent:
            return None

    @asynccontextmanager
    async def evidence(
        self, alert_id: str, what: Literal["snapshot", "clip"], byte_range: str = ""
    ) -> AsyncGenerator[httpx.Response, None]:
        """An alert's picture or clip as the engine sends it, or the part in a header Range.

        Raises:
            Absent: If it has none.
        """
        headers = {"Range": byte_range} if byte_range else {}
        async with self._open(f"{_alert(alert_id)}/{what}", headers=headers) as response:
            yield response

    @asynccontextmanager
    async def _open(
        self,
        path: str,
        asked: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        read_s: float | None = None,
    ) -> AsyncGenerator[httpx.Response, None]:
        timeout = httpx.Timeout(read_s or 30.0, connect=CONNECT_S)
        try:
            async with self._http.stream(
                "GET", path, params=asked, headers=headers, timeout=timeout
            ) as response:
                if not response.is_success:
                    self._check(response, await response.aread())
                self._check(response, b"")
                yield response
        except (httpx.HTTPError, OSError) as error:
            raise self._gone(error) from error

    def _check(self, response: httpx.Response, content: bytes) -> None:
        """Raise what an answer comes to that is none."""
        spoken = response.headers.get(VERSION_HEADER)
        if spoken is None:
            raise self._no_engine(f"status {response.status_code}")
        if spoken != str(API_VERSION):
            raise OtherVersion(spoken, self.url)
        if response.is_success:
            return
        reason = _reason(content, f"the engine at {self.url} answers {response.status_code}")
        if response.status_code in {401, 403, 429}:
            raise Denied(reason)
        kind = Absent if _field(content, "absent") else Refused
        raise kind(reason, response.status_code)

    def _model(self, content: bytes, kind: type[Parsed]) -> Parsed:
        return self._parse(content, kind)

    def _list(self, content: bytes, kind: TypeAdapter[Parsed]) -> Parsed:
        try:
            return kind.validate_json(content)
        except ValidationError as error:
            raise self._no_engine(_first(error)) from error

    def _parse(self, content: bytes | str, kind: type[Parsed]) -> Parsed:
        return self._list(content, TypeAdapter(kind))  # type: ignore[arg-type]

    def _no_engine(self, why: str) -> NotAnEngine:
        return NotAnEngine(f"{self.url} answers, but is no oddwatch engine ({why})")

    def _gone(self, error: Exception) -> EngineGone:
        late = isinstance(error, httpx.TimeoutException)
        why = "it does not answer in time" if late else str(error) or type(error).__name__
        return EngineGone(f"no engine at {self.url}: {why}")


def _checked(url: str) -> str:
    """With a scheme, without a slash at its end, user and password."""
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise UsageError("expected an engine's address, such as http://127.0.0.1:8737")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _camera(name: str) -> str:
    return f"/api/cameras/{_part(name)}"


def _alert(alert_id: str) -> str:
    return f"/api/alerts/{_part(alert_id)}"


def _part(text: str) -> str:
    """One part of a path, whatever is in it; a lone dot would be taken for a folder."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if text in {".", ".."} else quoted


def _said(content: bytes) -> str:
    return _field(content, "done") or "done"


def _reason(content: bytes | str, otherwise: str) -> str:
    return _field(content, "error") or otherwise


def _field(content: bytes | str, key: str) -> str:
    try:
        found = json.loads(content)
    except ValueError:
        return ""
    text = found.get(key) if isinstance(found, dict) else None
    return " ".join(text.split()) if isinstance(text, str) else ""


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else str(fault["msg"])
