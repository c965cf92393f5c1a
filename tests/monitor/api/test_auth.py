"""Who may ask what."""

import stat
from pathlib import Path

import pytest

from monitor.api.auth import Failures, Tokens, check_bind, is_loopback, make_token_file
from monitor.config.settings import ApiSettings
from monitor.errors import UsageError
from tests.monitor.api.asking import (
    ADMIN,
    OPERATOR,
    TOKENS,
    VIEWER,
    ask,
    ask_all,
    error_of,
    transport_to,
)
from tests.monitor.api.scripted import ScriptedEngine

READ, PAUSE, RELEARN = (
    ("GET", "/api/status"),
    ("POST", "/api/cameras/door/pause"),
    ("POST", "/api/cameras/door/relearn"),
)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("token", "expected"),
    [(VIEWER, [200, 403, 403]), (OPERATOR, [200, 200, 403]), (ADMIN, [200, 200, 200])],
)
def test_roles(engine: ScriptedEngine, token: str, expected: list[int]) -> None:
    transport = transport_to(engine, TOKENS, host="0.0.0.0")
    answers = ask_all(transport, [READ, PAUSE, RELEARN], headers=bearer(token))
    assert [answer.status_code for answer in answers] == expected
    assert len(engine.acts) == expected.count(200) - 1


@pytest.mark.parametrize("path", ["/metrics", "/api/openapi.json", "/api/stream", "/api/nowhere"])
def test_nothing_is_told_without_a_token_but_that_it_lives(
    engine: ScriptedEngine, path: str
) -> None:
    transport = transport_to(engine, TOKENS)
    refused, alive = ask_all(transport, [("GET", path), ("GET", "/healthz")])
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert error_of(refused) == "a token is needed: Authorization: Bearer TOKEN"
    assert alive.json() == {"status": "ok"}


def test_a_token_in_the_address_is_none(engine: ScriptedEngine) -> None:
    [answer] = ask_all(transport_to(engine, TOKENS), [("GET", f"/api/status?token={ADMIN}")])
    assert answer.status_code == 401


def test_guessing_is_stopped_and_then_allowed_again(engine: ScriptedEngine) -> None:
    clock = [100.0]
    transport = transport_to(engine, TOKENS, failures=Failures(lambda: clock[0]))
    wrong = ask_all(transport, [READ] * 11, headers=bearer("a-wrong-token-indeed"))
    assert [answer.status_code for answer in wrong] == [401] * 10 + [429]
    assert wrong[-1].headers["retry-after"] == "60"
    clock[0] += 30
    [right] = ask_all(transport, [READ], headers=bearer(ADMIN))
    assert (right.status_code, error_of(right)) == (429, "too many wrong tokens: wait 30 s")
    clock[0] += 31
    [right] = ask_all(transport, [READ], headers=bearer(ADMIN))
    assert right.status_code == 200


def test_a_guesser_does_not_lock_out_others() -> None:
    failures = Failures(lambda: 0.0)
    for _ in range(10):
        failures.note("192.0.2.1")
    assert failures.wait_s("192.0.2.1") == 60.0
    assert failures.wait_s("192.0.2.2") == 0.0


def test_memory_of_failures_is_bounded() -> None:
    failures = Failures(lambda: 0.0)
    for number in range(5000):
        failures.note(f"client {number}")
    assert len(failures._times) == 1000


def test_the_highest_role_of_a_token_counts() -> None:
    tokens = Tokens([ADMIN, VIEWER], [], [ADMIN])
    assert tokens.role_of(ADMIN) == "admin"
    assert tokens.role_of(VIEWER) == "viewer"
    assert tokens.role_of("") is None
    assert tokens.role_of("\udcff") is None
    assert not Tokens()


def test_tokens_are_never_shown() -> None:
    assert ADMIN not in repr(TOKENS) + str(vars(TOKENS))
    with pytest.raises(UsageError) as error:
        Tokens(admins=["short-secret"])
    assert "short-secret" not in str(error.value)
    assert "16 or more" in str(error.value)
    assert str(error.value).startswith("[api]: admins, item 1: a token of 12 characters, ")


@pytest.mark.parametrize(
    "token", ["x" * 15, "with a space in the middle", "schlüssel-sehr-lang", ""]
)
def test_a_weak_or_odd_token_is_refused(token: str) -> None:
    with pytest.raises(UsageError):
        Tokens([token])


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "camera.example", ""])
def test_beyond_loopback_a_token_is_a_must(host: str) -> None:
    with pytest.raises(UsageError, match="give \\[api\\] a token"):
        check_bind(ApiSettings(host=host), Tokens())
    check_bind(ApiSettings(host=host), TOKENS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"])
def test_loopback_needs_none(host: str) -> None:
    check_bind(ApiSettings(host=host), Tokens())
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8737", 200),
        ("127.0.0.1", 200),
        ("[::1]:8737", 200),
        ("evil.example:8737", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("[", 403),
    ],
)
def test_a_name_that_was_pointed_here_is_refused(
    engine: ScriptedEngine, host: str, status: int
) -> None:
    assert ask(engine, "GET", "/api/status", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://127.0.0.1:8737", 200), ("http://evil.example", 403), ("null", 403), ("", 403)],
)
def test_a_page_of_another_site_cannot_pause_a_camera(
    engine: ScriptedEngine, origin: str, status: int
) -> None:
    answer = ask(engine, "POST", "/api/cameras/door/pause", headers={"Origin": origin})
    assert answer.status_code == status
    assert len(engine.acts) == (status == 200)
    assert "access-control-allow-origin" not in answer.headers


def test_a_huge_body_is_not_read(engine: ScriptedEngine) -> None:
    answer = ask(engine, "PUT", "/api/cameras/door/mute", content=b"x" * 65_537)
    assert answer.status_code == 413


def test_a_token_file_is_new_random_and_private(tmp_path: Path) -> None:
    first, second = tmp_path / "a.token", tmp_path / "b.token"
    make_token_file(first)
    make_token_file(second)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert Tokens([first.read_text().strip()]).role_of(second.read_text().strip()) is None
    with pytest.raises(UsageError, match="exists"):
        make_token_file(first)
