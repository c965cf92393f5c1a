import threading
from collections.abc import Iterator

import pytest

from monitor import ahead as module
from monitor.ahead import made_ahead


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 2)


def test_as_many_are_made_at_a_time_as_there_are_cores_and_come_in_order() -> None:
    both = threading.Barrier(2, timeout=10)  # broken where one is made after the other

    def make(item: int) -> int:
        both.wait()
        return item * item

    assert list(made_ahead(make, range(8))) == [(i, i * i) for i in range(8)]


def test_what_fails_is_raised_in_its_place() -> None:
    found = made_ahead(lambda item: 1 // (item - 2), range(5))
    assert [next(found)[0], next(found)[0]] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_no_more_is_asked_for_than_can_be_made_and_nothing_is_left_running() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            asked.append(item)
            yield item

    before = threading.active_count()
    found = made_ahead(str, items())
    assert next(found) == (0, "0")
    assert len(asked) == 3
    found.close()
    for thread in threading.enumerate():
        if thread.name.startswith("ahead"):
            thread.join(10)
    assert threading.active_count() == before


def test_nobody_waits_for_what_is_being_made_when_the_consumer_stops() -> None:
    asked, made = threading.Event(), threading.Event()

    def make(item: int) -> int:
        if item:
            asked.wait(5)
            made.set()
        return item

    found = made_ahead(make, range(9))
    assert next(found) == (0, 0)
    found.close()  # as where it is collected: a Ctrl-C in such a wait is lost
    assert not made.is_set()
    asked.set()
