"""The fault table as scripted timelines: what a camera does, and what is decided for it."""

import itertools
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.capture.records import Connect, Connected, Counted, Disconnected, Fault, Finished
from monitor.live.health import Closed, Opened
from monitor.live.supervision import (
    Decision,
    HangUp,
    KillWorker,
    RestartWorker,
    StateChanged,
    Supervisor,
    SupervisorSettings,
)
from tests.monitor.live.world import Condition, Script, World, down_between

SIZE = (360, 640)


def connected(epoch: int = 1, rate_hz: float | None = 5.0, *, live: bool = True) -> Connected:
    return Connected(epoch, SIZE, SIZE, rate_hz, "h264", "software", live)


def flowing(rate_hz: float | None = 5.0, **asked: float) -> Supervisor:
    supervisor = Supervisor(SupervisorSettings(**asked), Random(1))  # type: ignore[arg-type]
    supervisor.start(0.0)
    supervisor.heard(connected(rate_hz=rate_hz), 0.0)
    return supervisor


def test_a_start_starts_a_worker_and_connects_it_and_frames_make_it_run() -> None:
    supervisor = Supervisor(SupervisorSettings(), Random(1))
    assert supervisor.tick(-1.0) == []
    told = supervisor.start(0.0)
    assert told == [RestartWorker(), Connect(1), StateChanged("connecting", "")]
    assert supervisor.heard(connected(), 1.0) == [StateChanged("warmup", "")]
    assert supervisor.frame(1, 2.0, 2.0) == []
    assert supervisor.frame(1, 3.0, 3.0) == [StateChanged("running", "")]
    assert supervisor.start(4.0) == []


def test_a_silent_stall_is_seen_in_time_and_recovered_from_without_a_second_event() -> None:
    world = World(down_between(20, 50, "silent"), *[Script()] * 3)
    world.run(100)
    camera = world.cameras[0]
    stalled = next(
        now_s
        for now_s, it in camera.decided
        if isinstance(it, StateChanged) and it.state == "stalled"
    )
    assert 1030 <= stalled <= 1031.1  # the threshold is 10 s; a second more is allowed
    assert camera.opened() == ["stalled"]
    assert camera.open_now() == set()
    assert camera.supervisor.state == "running"
    assert camera.supervisor.epoch > 1
    assert all(other.opened() == [] for other in world.cameras[1:])
    assert all(other.supervisor.epoch == 1 for other in world.cameras[1:])


def test_a_worker_that_hangs_in_a_read_is_asked_first_and_then_killed() -> None:
    script = down_between(20, 40, "silent")
    script.hangs = True
    world = World(script, *[Script()] * 3)
    world.run(60)
    camera = world.cameras[0]
    (asked,), (killed,) = camera.moments(HangUp)[:1], camera.moments(KillWorker)[:1]
    assert 5.0 < killed - asked <= 6.0
    assert camera.supervisor.state == "running"


def test_frames_that_come_back_before_anyone_hung_up_need_no_new_connection() -> None:
    supervisor = flowing()
    supervisor.tick(10.5)
    assert supervisor.state == "stalled"
    assert supervisor.frame(1, 11.0, 11.0) == [StateChanged("warmup", "")]
    assert supervisor.lost_s is None
    assert supervisor.epoch == 1


def test_a_frame_of_an_earlier_connection_is_no_sign_of_life() -> None:
    supervisor = flowing()
    for second in range(12):
        supervisor.frame(0, second, second)
    supervisor.tick(12.0)
    assert supervisor.state == "stalled"


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_a_refused_camera_is_tried_seldom_and_others_do_not_notice(seed: int) -> None:
    world = World(down_between(5, 65), Script(), Script(), seed=seed)
    world.run(65)
    camera = world.cameras[0]
    tries = camera.moments(Connect)[1:]
    assert 2 <= len(tries) <= 20
    assert min(b - a for a, b in itertools.pairwise(tries)) >= 1.0
    world.run(62)
    assert camera.supervisor.delivering
    assert all(len(other.moments(Connect)) == 1 for other in world.cameras[1:])


def test_flapping_for_ten_minutes_is_one_unstable_event() -> None:
    def flap(now_s: float) -> Condition:
        return "up" if (now_s - 1000) % 10 < 5 or now_s > 1600 else "down"

    for seed in range(2):
        world = World(Script(flap), Script(), Script(), seed=seed * 100)
        world.run(600)
        camera = world.cameras[0]
        assert camera.opened().count("unstable") == 1
        assert len(camera.opened()) <= 3
        assert "unstable" in camera.open_now()
        assert len(camera.moments(RestartWorker)) == 1
        world.run(400)
        assert camera.open_now() == set()
        assert camera.supervisor.state == "running"


def test_a_camera_unreachable_for_hours_costs_a_try_or_two_a_minute_and_one_event() -> None:
    supervisor = Supervisor(SupervisorSettings(), Random(3))
    decided = supervisor.start(0.0)
    tries, opened = 0, 0
    for now_s in range(4 * 3600):
        for it in decided:
            tries += isinstance(it, Connect)
            opened += isinstance(it, Opened)
        trying = any(isinstance(it, Connect) for it in decided)
        decided = supervisor.heard(Disconnected("refused", "x"), now_s) if trying else []
        decided = [*decided, *supervisor.tick(now_s)]
    assert 4 * 60 <= tries <= 4 * 60 * 3
    assert opened == 1


def test_a_killed_worker_is_replaced_with_one_event_and_within_the_budget() -> None:
    world = World(Script(dies_at=lambda now_s: abs(now_s - 1020) < 0.01), Script(), Script())
    world.run(60)
    camera = world.cameras[0]
    assert len(camera.moments(RestartWorker)) == 2
    assert camera.moments(RestartWorker)[1] <= 1022
    assert camera.opened() == ["crashed"]
    assert camera.open_now() == set()


def test_a_worker_that_always_dies_is_soon_left_alone_and_that_is_said() -> None:
    world = World(Script(dies_at=lambda now_s: True), Script(), Script())
    world.run(590)
    camera = world.cameras[0]
    assert len(camera.moments(RestartWorker)) <= 12
    moments = camera.moments(RestartWorker)
    assert all(sum(a <= b < a + 60 for b in moments) <= 6 for a in moments)


def test_deaths_beyond_the_budget_make_it_failed() -> None:
    supervisor = flowing()
    state = ""
    for i in range(6):
        supervisor.worker_died(10.0 * i, "signal 11")
        state = str(supervisor.state)
        supervisor.tick(10.0 * i + 9)
        supervisor.heard(connected(supervisor.epoch), 10.0 * i + 9)
    assert state == "failed"
    assert "6 times within 60 s" in supervisor.reason
    assert "; next try " in supervisor.reason


@pytest.mark.parametrize("fault", ["login", "missing", "format"])
def test_what_only_a_person_mends_is_tried_every_ten_minutes(fault: Fault) -> None:
    world = World(Script(lambda now_s: "down", fault))
    world.run(3600)
    camera = world.cameras[0]
    assert 4 <= len(camera.moments(Connect)) <= 8
    assert camera.opened() == ["failed"]
    assert camera.supervisor.state == "failed"
    assert "; next try " in camera.supervisor.reason


def test_a_server_that_restarts_may_say_missing_without_a_penalty() -> None:
    script = down_between(20, 40)
    script.fault = "missing"
    world = World(script, Script(), Script())
    world.run(80)
    assert world.cameras[0].supervisor.state == "running"


@pytest.mark.parametrize(("healthy_s", "again"), [(290.0, False), (310.0, True)])
def test_back_off_starts_anew_after_five_healthy_minutes(healthy_s: float, again: bool) -> None:  # noqa: FBT001
    supervisor = Supervisor(SupervisorSettings(), Random(1))
    supervisor.start(0.0)
    now_s = 0.0
    for _ in range(8):
        supervisor.heard(Disconnected("refused", "x"), now_s)
        now_s += 61
        supervisor.tick(now_s)
    supervisor.heard(connected(supervisor.epoch), now_s)
    for step in range(int(healthy_s)):
        supervisor.frame(supervisor.epoch, now_s + step, now_s + step)
        supervisor.tick(now_s + step)
    supervisor.heard(Disconnected("ended", "x"), now_s + healthy_s)
    assert (supervisor.reason == "x; next try 1 s after the last") is again


def test_a_camera_that_takes_long_to_start_is_given_longer_the_next_times() -> None:
    supervisor = Supervisor(SupervisorSettings(), Random(1))
    tried_s, lost_s = [0.0], []
    supervisor.start(0.0)
    for half in range(1, 1000):
        for it in supervisor.tick(half / 2):
            if isinstance(it, Connect):
                tried_s.append(half / 2)
            elif isinstance(it, StateChanged) and it.state == "backoff":
                lost_s.append(half / 2)
    waited_s = [lost - tried for tried, lost in zip(tried_s, lost_s, strict=False)]
    assert waited_s[:4] == pytest.approx([15, 30, 60, 60], abs=1)
    epoch = supervisor.epoch
    if supervisor.state != "connecting":
        supervisor.tick(600.0)
        epoch = supervisor.epoch
    supervisor.heard(connected(epoch), 600.5)
    supervisor.heard(Disconnected("ended", "gone"), 601.0)
    supervisor.tick(700.0)
    assert supervisor.state == "connecting"
    assert any(isinstance(it, HangUp) for it in supervisor.tick(716.0))


def test_no_first_frame_in_time_is_hung_up_on() -> None:
    supervisor = Supervisor(SupervisorSettings(), Random(1))
    supervisor.start(0.0)
    assert supervisor.tick(15.0) == []
    assert supervisor.tick(15.5)[0] == HangUp()
    assert "no first frame within 15 s" in supervisor.reason


@pytest.mark.parametrize(
    ("asked", "rate_hz", "stall_s"),
    [
        ({}, 25.0, 10.0),
        ({}, 0.1, 50.0),
        ({"fps": 0.2}, 25.0, 25.0),
        ({"stall_s": 90.0}, 25.0, 90.0),
        ({}, None, 10.0),
    ],
)
def test_the_stall_threshold(asked: dict[str, float], rate_hz: float, stall_s: float) -> None:
    assert flowing(rate_hz, **asked).stall_s == pytest.approx(stall_s)


def test_keyframes_alone_may_come_seldom() -> None:
    supervisor = flowing(25.0)
    supervisor.tuned(keyframes_only=True, fps=0.0)
    assert supervisor.stall_s == 30


def test_one_frame_a_minute_is_a_stall_that_says_what_to_do() -> None:
    supervisor = flowing(25.0)
    supervisor.tick(10.5)
    assert supervisor.reason.endswith("a slow camera needs a longer stall_s")
    assert flowing(25.0, stall_s=150.0).tick(61.0) == []


def test_a_file_that_is_judged_slowly_is_no_stall_and_its_end_is_the_end() -> None:
    supervisor = Supervisor(SupervisorSettings(), Random(1))
    supervisor.start(0.0)
    supervisor.heard(connected(live=False), 0.0)
    for second in range(1, 200):
        supervisor.heard(Counted(0), second)
        assert supervisor.tick(second) == []
    assert supervisor.heard(Finished(10), 200.0) == [StateChanged("ended", "")]
    assert supervisor.worker_died(201.0) == []
    assert supervisor.start(300.0)[:2] == [RestartWorker(), Connect(2)]


def test_too_many_frames_are_told_and_nothing_is_restarted() -> None:
    supervisor = flowing(25.0)
    told = []
    for second in range(1, 6):
        supervisor.frame(1, second, second)
        told += supervisor.heard(Counted(1000), second)
    assert [it.kind for it in told if isinstance(it, Opened)] == ["too_fast"]
    assert supervisor.delivering
    for second in range(6, 10):
        told += supervisor.heard(Counted(25), second)
    assert told[-1] == Closed("too_fast")


def test_what_a_silence_held_up_may_come_at_once_and_more_may_not() -> None:
    supervisor = flowing(10.0)
    supervisor.heard(Counted(1, span_s=30.0), 30.0)
    caught_up = [supervisor.heard(Counted(77), 31.0 + i) for i in range(4)]
    assert caught_up == [[], [], [], []]
    told = [it for i in range(4) for it in supervisor.heard(Counted(77), 35.0 + i)]
    assert [it.kind for it in told if isinstance(it, Opened)] == ["too_fast"]


def test_frames_that_were_counted_over_a_longer_span_are_no_more_per_second() -> None:
    supervisor = flowing(10.0)
    told = [supervisor.heard(Counted(25, span_s=2.5), 2.5 * i) for i in range(1, 8)]
    assert told == [[]] * 7
    assert supervisor.rate_hz == pytest.approx(10)


def test_corrupt_frames_degrade_and_clean_ones_mend() -> None:
    supervisor = flowing(25.0)
    states = []
    for second in range(1, 40):
        supervisor.heard(Counted(20, {"corrupt": 5 if second < 10 else 0}), second)
        supervisor.frame(1, second, second)
        states.append(supervisor.state)
    assert states[5] == "degraded"
    assert states[-1] == "running"
    assert supervisor.epoch == 1


def test_pausing_hangs_up_and_resuming_waits_for_that() -> None:
    supervisor = flowing()
    told = supervisor.stop(5.0, "paused", "outside its schedule")
    assert told == [HangUp(), StateChanged("paused", "outside its schedule")]
    assert supervisor.tick(6.0) == []
    assert [it for it in supervisor.start(6.5) if not isinstance(it, StateChanged)] == []
    assert supervisor.worker_died(7.0) == []
    assert supervisor.tick(7.5)[:2] == [RestartWorker(), Connect(2)]


def test_a_clock_that_goes_back_changes_nothing() -> None:
    supervisor = flowing()
    supervisor.frame(1, 5.0, 5.0)
    assert supervisor.tick(-3600.0) == []
    assert supervisor.tick(14.0) == []
    assert supervisor.state in ("warmup", "running")


class Carrier:
    """Carries decisions out on a pretended worker, and minds that each makes sense."""

    def __init__(self, seed: int) -> None:
        self.supervisor = Supervisor(SupervisorSettings(), Random(seed))
        self.worker = False
        self.epoch = 0
        self.open_kinds: set[str] = set()

    def cause(self, event: str, now_s: float) -> list[Decision]:
        it = self.supervisor
        if event == "died":
            was, self.worker = self.worker, False
            return it.worker_died(now_s) if was else []
        held = event == "held"
        causes: dict[str, Callable[[], list[Decision]]] = {
            "frame": lambda: it.frame(it.epoch, now_s, now_s),
            "old": lambda: it.frame(it.epoch - 1, now_s, now_s),
            "lost": lambda: it.heard(Disconnected("refused", "x"), now_s),
            "login": lambda: it.heard(Disconnected("login", "x"), now_s),
            "stop": lambda: it.stop(now_s, "paused"),
            "start": lambda: it.start(now_s),
        }
        return causes.get(event, lambda: it.tick(now_s, held=held, quiet=held))()

    def carry(self, decision: Decision) -> None:
        match decision:
            case Connect(epoch):
                assert self.worker
                assert epoch == self.epoch + 1
                self.epoch = epoch
            case HangUp():
                assert self.worker
            case RestartWorker() | KillWorker():
                starts = isinstance(decision, RestartWorker)
                assert self.worker is not starts
                self.worker = starts
            case Opened(kind):
                assert kind not in self.open_kinds
                self.open_kinds.add(kind)
            case Closed(kind):
                self.open_kinds.remove(kind)


EVENTS = ["frame", "old", "lost", "login", "died", "tick", "held", "stop", "start"]


@given(
    st.lists(st.tuples(st.sampled_from(EVENTS), st.floats(0, 40)), max_size=30),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_in_whatever_order_the_decisions_can_be_carried_out(
    events: list[tuple[str, float]], seed: int
) -> None:
    carrier, now_s = Carrier(seed), 0.0
    for event, wait_s in [("start", 0.0), *events]:
        now_s += wait_s
        for decision in carrier.cause(event, now_s):
            carrier.carry(decision)
    if carrier.supervisor.state == "paused":
        assert not carrier.open_kinds
