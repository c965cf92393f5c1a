"""What a node says of where it is, to others and to those on its own machine."""

import socket

import pytest

from monitor.cluster.whereabouts import asked_url, reach, told_url

HERE = socket.gethostname()
LOCAL = "http://127.0.0.1:4711"


@pytest.mark.parametrize(
    ("listens", "address", "told", "asked"),
    [
        ("127.0.0.1", "192.0.2.7", f"loopback://{HERE}:4711", LOCAL),
        ("localhost", "", f"loopback://{HERE}:4711", LOCAL),
        ("0.0.0.0", "192.0.2.7", "http://192.0.2.7:4711", "http://192.0.2.7:4711"),
        ("::", "2001:db8::7", "http://[2001:db8::7]:4711", "http://[2001:db8::7]:4711"),
        ("192.0.2.9", "192.0.2.7", "http://192.0.2.9:4711", "http://192.0.2.9:4711"),
    ],
)
def test_where_an_engine_is(listens: str, address: str, told: str, asked: str) -> None:
    assert told_url(reach(listens, address), LOCAL) == told
    assert asked_url(told) == asked


def test_another_machines_loopback_is_not_asked_here() -> None:
    assert asked_url("loopback://elsewhere.example:4711") == ""
    assert told_url(reach("127.0.0.1", ""), "") == ""
