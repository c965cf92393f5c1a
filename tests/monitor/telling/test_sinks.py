"""Webhooks against a real server, commands that are run, and what Apprise is asked."""

import hashlib
import hmac
import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.config.settings import NoticeSettings
from monitor.errors import UsageError
from monitor.store_outbox import Waiting
from monitor.telling.command import Command
from monitor.telling.opening import open_sink
from monitor.telling.plain import ByApprise, Log
from monitor.telling.sink import TellError
from monitor.telling.webhook import Webhook

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAYLOAD = {
    "event": "alert",
    "camera": "Tür 🚪",
    "phase": "new",
    "strength": 2.0,
    "id": "01HAAA",
    "started_at": "2026-03-01T12:00:00+00:00",
}
NOTICE = Waiting(
    1, "hook", "alert", "01HAAA", 1, "door", PAYLOAD, NOON, NOON, 0, "", None, "waiting"
)


@dataclass
class Server:
    """Answers with the statuses it is given, then 200; remembers what came."""

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)  # status, location
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server() -> Iterator[Server]:
    own = Server()
    own.hang.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            own.hang.wait(30)
            own.came.append((dict(self.headers), body))
            status, location = own.answers.pop(0) if own.answers else (200, "")
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own.url = f"http://127.0.0.1:{http.server_port}/in"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield own
    own.hang.set()
    http.shutdown()
    http.server_close()
    thread.join()


def hook(server: Server, **values: Any) -> Webhook:
    return Webhook(NoticeSettings(kind="webhook", url=server.url, timeout_s=5.0, **values))


def test_a_webhook_s_body_is_signed_and_its_key_names_the_revision(server: Server) -> None:
    hook(server, secret="key").tell(NOTICE)
    headers, body = server.came[0]
    assert json.loads(body) == PAYLOAD
    assert headers["Idempotency-Key"] == "01HAAA-1"
    stamped = headers["X-Oddwatch-Timestamp"].encode() + b"." + body
    expected = hmac.new(b"key", stamped, hashlib.sha256).hexdigest()
    assert headers["X-Oddwatch-Signature"] == f"sha256={expected}"
    assert abs(int(headers["X-Oddwatch-Timestamp"]) - datetime.now(UTC).timestamp()) < 60


def test_without_a_key_nothing_is_signed(server: Server) -> None:
    hook(server).tell(NOTICE)
    assert "X-Oddwatch-Signature" not in server.came[0][0]


@pytest.mark.parametrize(
    ("status", "final"), [(500, False), (503, False), (429, False), (400, True), (410, True)]
)
def test_what_a_webhook_answers_says_whether_to_try_again(
    server: Server,
    status: int,
    final: bool,  # noqa: FBT001
) -> None:
    server.answers = [(status, "")]
    with pytest.raises(TellError, match=f"127.0.0.1 answers {status}") as caught:
        hook(server).tell(NOTICE)
    assert caught.value.final is final


def test_a_redirect_on_the_same_host_is_followed(server: Server) -> None:
    server.answers = [(307, "/other"), (302, "/third")]
    hook(server).tell(NOTICE)
    assert [body for _, body in server.came] == [server.came[0][1]] * 3


def test_a_redirect_to_another_host_is_not(server: Server) -> None:
    server.answers = [(307, "http://elsewhere.invalid/?key=secret")]
    said = r"another place, http://elsewhere\.invalid, which"
    with pytest.raises(TellError, match=said) as caught:
        hook(server).tell(NOTICE)
    assert caught.value.final
    assert "secret" not in str(caught.value)
    server.answers = [(307, "/in")] * 9
    with pytest.raises(TellError, match="over and over"):
        hook(server).tell(NOTICE)


def test_a_webhook_that_hangs_times_out(server: Server) -> None:
    server.hang.clear()
    hanging = Webhook(NoticeSettings(kind="webhook", url=server.url, timeout_s=0.1))
    with pytest.raises(TellError, match="does not answer in time") as caught:
        hanging.tell(NOTICE)
    assert not caught.value.final


def test_nobody_there_is_said_without_the_address_s_secrets() -> None:
    settings = NoticeSettings(kind="webhook", url="http://me:secret@127.0.0.1:1/?token=secret")
    with pytest.raises(TellError, match=r"127.0.0.1 cannot be reached \(ConnectError\)") as caught:
        Webhook(settings).tell(NOTICE)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "webhook", "url": "ftp://x"}, "webhook: url is no address"),
        ({"kind": "webhook", "url": "http://[x"}, "webhook: url is no address"),
        ({"kind": "mqtt", "url": "broker"}, "mqtt: url is no address"),
        ({"kind": "mqtt", "url": "mqtt://x:y"}, "mqtt: url is no address"),
        ({"kind": "apprise", "url": "mail"}, "apprise: url is none"),
        ({"kind": "command"}, "command: names no program"),
    ],
)
def test_a_wrong_address_is_refused_at_once(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_sink(NoticeSettings(**values))


def command(*words: str, timeout_s: float = 30.0) -> Command:
    return Command(NoticeSettings(kind="command", command=list(words), timeout_s=timeout_s))


def test_a_command_gets_the_event_and_few_of_our_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", "secret")
    out = tmp_path / "out"
    code = f"cat > {out}; env >> {out}; echo '$1'"
    command("/bin/sh", "-c", code, "; rm -rf /").tell(NOTICE)
    first, *others = out.read_text().splitlines()
    assert json.loads(first) == PAYLOAD
    assert "ODDWATCH_KEY=01HAAA-1" in others
    assert "secret" not in out.read_text()


def test_a_command_that_fails_says_its_last_line() -> None:
    with pytest.raises(TellError, match="ended with 3: no such printer") as caught:
        command("/bin/sh", "-c", "echo one >&2; echo no such printer >&2; exit 3").tell(NOTICE)
    assert not caught.value.final
    with pytest.raises(TellError, match="cannot be run: No such file"):
        command("/no/such/program").tell(NOTICE)
    command("/bin/true").tell(NOTICE)  # reads nothing


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    late = tmp_path / "late"
    code = f"(sleep 2; touch {late}) & sleep 60"
    with pytest.raises(TellError, match=r"was not done after 0\.2 s and was killed"):
        command("/bin/sh", "-c", code, timeout_s=0.2).tell(NOTICE)
    threading.Event().wait(2.5)
    assert not late.exists()


def test_apprise_is_asked_with_title_text_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []
    answers = [True, False]

    class Service:
        def add(self, url: str) -> bool:
            return url.startswith("json://")

        def notify(self, **values: Any) -> bool:
            asked.append(values)
            return answers.pop(0)

    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=Service))
    picture = tmp_path / "a.jpg"
    picture.write_bytes(b"jpeg")
    sink = ByApprise(NoticeSettings(kind="apprise", url="json://me:secret@host"))
    with_picture = {**PAYLOAD, "snapshot": str(picture)}
    sink.tell(Waiting(**{**_values(NOTICE), "payload": with_picture}))
    assert asked[0]["title"] == "Tür 🚪: anomaly, 2.0 times the threshold"
    assert asked[0]["attach"] == str(picture)
    assert "id: 01HAAA" in asked[0]["body"]
    with pytest.raises(TellError, match=r"^json did not take it$"):
        sink.tell(NOTICE)
    unknown = ByApprise(NoticeSettings(kind="apprise", url="nonsense://secret"))
    with pytest.raises(TellError, match=r"no such address of nonsense://$") as caught:
        unknown.tell(NOTICE)
    assert caught.value.final


def _values(notice: Waiting) -> dict[str, Any]:
    return {name: getattr(notice, name) for name in Waiting.__dataclass_fields__}


def test_the_log_says_it_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Log().tell(NOTICE)
    assert caplog.messages == ["Tür 🚪: anomaly, 2.0 times the threshold [01HAAA]"]
