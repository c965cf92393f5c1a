"""Couriers with scripted sinks and a fake clock, and the engine's side of telling."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from monitor.config.settings import CameraSettings, NoticeSettings
from monitor.errors import StoreError, UsageError
from monitor.records import Alert
from monitor.store import Outgoing, Store
from monitor.store_outbox import Waiting
from monitor.telling import Telling
from monitor.telling.outbox import Courier, pause_s
from monitor.telling.sink import TellError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = Alert("01HAAA", "door", "new", 1, 10.0, 11.0, 10.5, 0.9, 0.001, "motion")


@dataclass
class Script:
    """Takes notices, or fails as it is told to."""

    fails: list[Exception | None] = field(default_factory=list)
    told: list[Waiting] = field(default_factory=list)
    closed: bool = False

    def tell(self, notice: Waiting) -> None:
        fault = self.fails.pop(0) if self.fails else None
        if fault is not None:
            raise fault
        self.told.append(notice)

    def close(self) -> None:
        self.closed = True

    @property
    def keys(self) -> list[tuple[str, int]]:
        return [(notice.event_id, notice.revision) for notice in self.told]


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "events.db") as opened:
        yield opened


def put(store: Store, *keys: tuple[str, int], camera: str = "door") -> None:
    store.outbox.put(
        [Outgoing("hook", "alert", name, rev, camera, {"x": 1}, NOON) for name, rev in keys]
    )


def courier(store: Store, sink: Script, clock: Clock) -> Courier:
    return Courier(store, "hook", sink, clock=clock, random=Random(1), folder=Path("/evidence"))


def test_all_is_told_once_and_in_order(store: Store) -> None:
    put(store, ("A", 1), ("A", 2), ("B", 1))
    put(store, ("C", 1), camera="yard")
    sink = Script()
    own = courier(store, sink, Clock())
    assert own.deliver_due() == 4
    assert own.deliver_due() == 0
    assert [key for key in sink.keys if key[0] != "C"] == [("A", 1), ("A", 2), ("B", 1)]
    assert (store.outbox.waiting(), own.counts.delivered) == (0, 4)


def test_what_fails_is_tried_again_later_and_in_order(store: Store) -> None:
    put(store, ("A", 1), ("A", 2))
    sink, clock = Script([TellError("refused"), TellError("refused")]), Clock()
    own = courier(store, sink, clock)
    assert own.deliver_due() == 0
    assert own.failing == "refused; its notices wait and are tried again"
    assert own.trouble == ""  # it may be back in a moment
    assert own.deliver_due() == 0  # too early
    assert len(sink.fails) == 1
    clock.pass_s(300)
    own.deliver_due()
    assert own.trouble == own.failing
    clock.pass_s(300)
    assert own.deliver_due() == 2
    assert (sink.keys, own.failing, own.trouble) == ([("A", 1), ("A", 2)], "", "")


def test_a_sink_that_refuses_for_good_is_told_at_once_and_in_one_line(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, ("A", 1), ("B", 1), ("C", 1))
    own = courier(store, Script([TellError("redirects", final=True)] * 3), Clock())
    own.deliver_due()
    assert own.trouble == "redirects; its notices are given up"
    assert [it.getMessage() for it in caplog.records] == [f"hook: {own.trouble}"]


def test_what_is_refused_for_good_lets_the_others_pass(store: Store) -> None:
    put(store, ("A", 1), ("B", 1))
    sink = Script([TellError("answers 400", final=True)])
    own = courier(store, sink, Clock())
    own.deliver_due()
    assert sink.keys == [("B", 1)]
    (row,) = store.outbox.find(state="given_up")
    assert (row.event_id, row.last_error, own.counts.given_up) == ("A", "answers 400", 1)


def test_it_is_given_up_after_a_day(store: Store) -> None:
    put(store, ("A", 1))
    clock = Clock()
    own = courier(store, Script([TellError("down")] * 2), clock)
    clock.pass_s(86_400)
    own.deliver_due()
    assert store.outbox.waiting() == 1
    clock.pass_s(301)
    own.deliver_due()
    assert [row.last_error for row in store.outbox.find(state="given_up")] == ["down"]


def test_a_sink_s_own_failures_are_failures_too(store: Store) -> None:
    put(store, ("A", 1))
    sink, clock = Script([KeyError("library")]), Clock()
    own = courier(store, sink, clock)
    own.deliver_due()
    assert own.failing == "failed with KeyError; its notices wait and are tried again"
    clock.pass_s(300)
    assert own.deliver_due() == 1


def test_what_was_told_is_not_told_again_when_the_store_fails_to_note_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, ("A", 1))
    sink, clock = Script(), Clock()
    own = courier(store, sink, clock)
    works = store.outbox.done

    def fails(*_: object) -> None:
        raise StoreError("locked")

    monkeypatch.setattr(store.outbox, "done", fails)
    own.deliver_due()
    own.deliver_due()
    monkeypatch.setattr(store.outbox, "done", works)
    own.deliver_due()
    assert sink.keys == [("A", 1)]
    assert store.outbox.waiting() == 0


def test_what_a_dead_run_left_is_told_by_the_next(tmp_path: Path) -> None:
    with Store(tmp_path / "events.db") as store:
        put(store, ("A", 1), ("A", 2))
        courier(store, Script([None, TellError("down")]), Clock()).deliver_due()
    with Store(tmp_path / "events.db") as store:
        sink, clock = Script(), Clock()
        clock.pass_s(600)
        courier(store, sink, clock).deliver_due()
        assert sink.keys == [("A", 2)]


def test_evidence_is_named_where_it_is_by_then(store: Store) -> None:
    store.record(NEW, origin=NOON)
    store.attach(NEW.id, snapshot="door/a.jpg")
    put(store, (NEW.id, 1))
    sink = Script()
    courier(store, sink, Clock()).deliver_due()
    assert sink.told[0].payload["snapshot"] == "/evidence/door/a.jpg"
    assert sink.told[0].payload["clip"] == ""


def test_pauses_grow_to_five_minutes_with_jitter() -> None:
    random = Random(1)
    assert [max(pause_s(n, random) for _ in range(300)) <= 2.0**n for n in (1, 5)] == [True, True]
    assert 250 < max(pause_s(50, random) for _ in range(300)) <= 300
    assert min(pause_s(50, random) for _ in range(300)) >= 1.0


def test_one_that_hangs_delays_no_other(store: Store) -> None:
    released, told = threading.Event(), threading.Event()

    class Hangs(Script):
        def tell(self, notice: Waiting) -> None:
            released.wait(30)

    class Tells(Script):
        def tell(self, notice: Waiting) -> None:
            told.set()

    now = datetime.now(UTC)
    for name in ("slow", "quick"):
        store.outbox.put([Outgoing(name, "alert", "A", 1, "door", {}, now)])
    both = [Courier(store, "slow", Hangs()), Courier(store, "quick", Tells())]
    for one in both:
        one.start()
    assert told.wait(30)
    released.set()
    for one in both:
        one.stop()
        one.join(time.monotonic() + 30)


# the engine's side

DOOR = CameraSettings(name="door", url="x", cooldown_s=60.0)
LOG = NoticeSettings(kind="log", name="log")


def wait_for(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(3000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not come to that")


def test_alerts_go_out_in_a_real_thread(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    telling = Telling(store, [LOG])
    telling.start()
    now = datetime.now(UTC)
    for alert in (NEW, replace(NEW, id="01HBBB"), replace(NEW, phase="end", revision=2)):
        notices = telling.alert(alert, 2.0, now, DOOR)
        store.record(alert, origin=now, notices=notices)
    telling.wake()
    wait_for(lambda: store.outbox.waiting() == 1)
    assert [row.kind for row in store.outbox.find(state="waiting")] == ["summary"]
    telling.close()
    assert [message[-8:] for message in caplog.messages] == ["[01HAAA]", "[01HAAA]"]


def test_the_cool_down_lasts_over_a_restart_and_orphans_are_ended(store: Store) -> None:
    now = datetime.now(UTC)
    store.record(NEW, origin=now, notices=Telling(store, [LOG]).alert(NEW, 2.0, now, DOOR))
    after = Telling(store, [LOG])
    assert store.close_orphans(after.orphan) == 1
    rows = store.outbox.find()
    assert [(row.event_id, row.revision) for row in rows] == [("01HAAA", 2), ("01HAAA", 1)]
    assert rows[0].payload["ended_by"] == "engine_restart"
    (notice,) = after.alert(replace(NEW, id="01HBBB"), 2.0, now, DOOR)
    assert notice.kind == "summary"


def test_a_muted_camera_is_silent(store: Store) -> None:
    telling = Telling(store, [LOG])
    now = datetime.now(UTC)
    telling.mute("door", now + timedelta(hours=1))
    assert telling.alert(NEW, 2.0, now, DOOR) == []
    assert telling.muted_until("door") == now + timedelta(hours=1)
    telling.mute("door", None)
    assert telling.muted_until("door") is None
    assert len(telling.alert(NEW, 2.0, now, DOOR)) == 1


def test_sinks_can_be_changed_and_a_wrong_one_changes_nothing(store: Store) -> None:
    telling = Telling(store, [LOG])
    telling.start()
    same = telling._couriers["log"]
    telling.change([LOG, NoticeSettings(kind="command", name="run", command=["true"])])
    assert list(telling.counts()) == ["log", "run"]
    assert telling._couriers["log"] is same
    with pytest.raises(UsageError):
        telling.change([NoticeSettings(kind="webhook", url="x")])
    assert list(telling.counts()) == ["log", "run"]
    telling.change([])
    assert telling.counts() == {}
    telling.close()
