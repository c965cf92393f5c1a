import io
import json
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from monitor.addresses import public_address
from monitor.config.redacting import RedactingFilter, Registry, guard

PEERS = [  # addresses on which the patterns of other programs let the password through
    ("rtsp://john.doe:hunter2@h", "hunter2"),
    ("rtsp://us%40er:hunter2@h", "hunter2"),
    ("rtsp://user:hun@ter2@h/a", "ter2"),
    ("rtsp://user:hun@ter2@h/a", "hun@"),
    ("http://h/video.cgi?user=admin&pwd=hunter2", "hunter2"),
    ("http://h/video.cgi?loginuse=admin&loginpas=hunter2&password=hunter2", "hunter2"),
    ("rtsp://h/user=admin_password=hunter2_channel=1_stream=0.sdp", "hunter2"),
]


@pytest.mark.parametrize(("address", "password"), PEERS)
@pytest.mark.parametrize("known", [[], ["address"]])
def test_the_addresses_on_which_others_leak(address: str, password: str, known: list[str]) -> None:
    registry = Registry()
    for _ in known:
        registry.add_address(address)
        whole = "hun@ter2" if "@t" in address else "hunter2"
        assert registry.redact(f"cannot log in with {whole}.") == "cannot log in with ***."
    for text in (address, f"open {address}: refused", repr(address), f"<{address}>, {address}"):
        assert password not in registry.redact(text)
    assert password not in public_address(address)


SECRETS = st.text(st.characters(max_codepoint=0x2FF), min_size=4, max_size=20)
USERS = st.text(st.characters(max_codepoint=0x2FF), max_size=8)
few = settings(max_examples=60, deadline=None)


@few
@given(user=USERS, password=SECRETS, encode=st.sampled_from(["all", "some", "plus", "none"]))
@example(user="", password="000 ", encode="plus")
def test_whatever_the_address_its_password_never_survives(
    user: str, password: str, encode: str
) -> None:
    assume(password.strip("*\\ ") and ":" not in user and "***" not in password)
    coded = {
        "all": quote(password, safe=""),
        "some": quote(password, safe="!$&'()*+,;=:"),
        "plus": quote_plus(password),
        "none": password,
    }[encode]
    url = f"rtsp://{user if encode == 'none' else quote(user, safe='')}:{coded}@192.0.2.1/a"
    registry = Registry()
    registry.add_address(url)
    secrets = (password,) if encode == "none" else (password, coded)
    for text in (url, f"{url}: refused", repr(url), json.dumps({"url": url}), password, coded):
        said = registry.redact(text)
        assert all(secret not in said for secret in secrets), text


@few
@given(key=st.sampled_from(["pwd", "password", "token", "api_key", "auth"]), value=SECRETS)
def test_nor_does_a_secret_in_the_query(key: str, value: str) -> None:
    assume(value.strip("*\\ ") and "***" not in value)
    coded = quote(value, safe="")
    assume(coded not in ("http", "stream", "cgi?"))
    url = f"http://192.0.2.1/stream.cgi?{key}={coded}&channel=1"
    registry = Registry()
    registry.add_address(url)
    for text in (url, f"got 401 from {url}", value, repr(value)):
        assert value not in registry.redact(text)


@few
@given(password=SECRETS, text=st.text(max_size=30))
def test_a_registered_secret_survives_in_no_text(password: str, text: str) -> None:
    assume(password.strip("*\\ ") and "***" not in password)
    registry = Registry()
    registry.add(password)
    said = registry.redact(f"{text} {password} {text}")
    assert password not in said


def test_what_is_not_secret_stays() -> None:
    registry = Registry()
    registry.add_address("rtsp://u:hunter2@192.0.2.1/a")
    registry.add("b")
    for text in ("camera door: 12.5 fps", "http://h/x?width=3", "bob", "see https://h/docs."):
        assert registry.redact(text) == text
    assert registry.redact("a b c") == "a *** c"
    assert registry.redact("x rtsp://u:hunter2@192.0.2.1/a y") == "x rtsp://192.0.2.1/a y"


def test_a_registry_tells_nothing() -> None:
    registry = Registry()
    registry.add("hunter2")
    assert "hunter2" not in repr(registry)


def test_a_web_hook_known_by_reference_is_hidden_whole_and_in_parts() -> None:
    registry = Registry()
    registry.add_address("https://hooks.example.org/services/T00/abcdefabcdef01", path_too=True)
    said = registry.redact("POST https://hooks.example.org/services/T00/abcdefabcdef01: 500")
    assert said == "POST https://hooks.example.org/***: 500"
    assert registry.redact("key abcdefabcdef01") == "key ***"


URL = "rtsp://u:hunter2@192.0.2.1/a"


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream, registry = io.StringIO(), Registry()
    registry.add_address(URL)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        logging.Formatter("%(levelname)s %(message)s %(camera)s", defaults={"camera": ""})
    )
    guard(handler, registry)
    logger = logging.getLogger("tests.redacting")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def fail() -> None:
    try:
        raise ValueError(f"inner: {URL}")
    except ValueError as error:
        raise OSError(f"cannot open {URL}") from error


def test_no_record_shows_a_secret(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.warning("open %s with %r", URL, {"password": "hunter2"})
    logger.warning("broken %s", "hunter2", "too many")  # noqa: PLE1205
    logger.warning("extra", extra={"camera": "hunter2"})
    logger.warning("stack", stack_info=True)
    try:
        fail()
    except OSError:
        logger.exception("failed: %s", URL)
    said = stream.getvalue()
    assert "hunter2" not in said
    assert "WARNING open rtsp://192.0.2.1/a with" in said
    assert "Traceback" in said
    assert "cannot open rtsp://192.0.2.1/a" in said


def test_a_handler_that_formats_by_itself_gets_no_exception_to_print() -> None:
    registry = Registry()
    registry.add("hunter2")
    with pytest.raises(OSError, match="cannot open") as raised:
        fail()
    trace = (raised.type, raised.value, raised.tb)
    record = logging.LogRecord("a", logging.ERROR, "", 1, "%s", ("hunter2",), trace)
    assert RedactingFilter(registry).filter(record)
    assert (record.getMessage(), record.exc_info) == ("***", None)
    assert "hunter2" not in str(record.exc_text)
