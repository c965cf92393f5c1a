"""Everything at once is one event; starts are spread."""

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from monitor.capture.records import Connect
from monitor.live.fleet import FleetGuard, Supply, stagger
from monitor.live.health import Closed, Opened
from monitor.live.supervision import HangUp
from tests.monitor.live.world import Script, World, down_between

UP = Supply(delivering=True, lost_s=None)


def test_all_cameras_silent_at_once_is_one_event_and_no_fleet_restart() -> None:
    world = World(*[down_between(20, 50, "silent") for _ in range(8)])
    world.run(48)
    assert sum(len(it.moments(HangUp)) for it in world.cameras) <= 2  # the probes
    world.run(60)
    assert [type(it) for it in world.news] == [Opened, Closed]
    assert isinstance(world.news[0], Opened)
    assert world.news[0].text.startswith("8 of 8 cameras stopped within 10 s")
    assert all(it.opened() == [] for it in world.cameras)
    assert all(it.supervisor.state == "running" for it in world.cameras)


def test_cameras_that_catch_up_after_it_are_no_events_of_their_own() -> None:
    world = World(*[down_between(20, 50, "silent") for _ in range(4)])
    world.run(50)
    owed = [it.held_up for it in world.cameras if it.connected]
    assert len(owed) >= 2  # those that were held on to
    assert min(owed) > 100  # over three seconds at eight times the rate
    world.run(60)
    assert [it.opened() for it in world.cameras] == [[]] * 4
    assert [it.kind for it in world.news] == ["host", "host"]


def test_all_servers_down_at_once_is_one_event_and_few_tries() -> None:
    world = World(*[down_between(20, 140) for _ in range(8)])
    world.run(130)
    tries = sum(len(it.moments(Connect)) - 1 for it in world.cameras)
    assert 2 <= tries <= 40
    world.run(120)
    assert [it.kind for it in world.news] == ["host", "host"]
    assert all(it.opened() == [] for it in world.cameras)
    assert all(it.supervisor.state == "running" for it in world.cameras)


def test_those_that_come_back_connect_one_after_the_other() -> None:
    world = World(*[down_between(20, 100) for _ in range(8)])
    world.run(130)
    last = sorted(it.moments(Connect)[-1] for it in world.cameras)
    assert last[-1] - last[0] >= 1.0


def test_one_dead_camera_is_its_own_matter() -> None:
    world = World(down_between(20, 200), *[Script()] * 3)
    world.run(100)
    assert world.news == []
    assert world.cameras[0].opened() == ["offline"]


def test_two_of_three_gone_for_good_are_not_held_for_ever() -> None:
    world = World(down_between(20, 1e9), down_between(20, 1e9), Script())
    world.run(2000)
    assert all(len(it.moments(Connect)) > 10 for it in world.cameras[:2])


def test_cameras_offline_from_the_start_are_no_outage() -> None:
    world = World(*[down_between(0, 60) for _ in range(4)])
    world.run(120)
    assert world.news == []
    assert all(it.supervisor.delivering for it in world.cameras)


def test_a_late_guard_blames_nobody_until_what_was_queued_is_read() -> None:
    guard = FleetGuard()
    guard.judge(0.0, {"a": UP, "b": UP})
    lost = {"a": Supply(delivering=False, lost_s=20.0), "b": UP}
    late = guard.judge(20.0, lost)
    assert late.held == {"a", "b"}
    assert [it.kind for it in late.news] == ["host"]
    assert isinstance(late.news[0], Opened)
    assert "20 s" in late.news[0].text
    later = [guard.judge(20.0 + i / 2, {"a": UP, "b": UP}) for i in range(1, 12)]
    assert later[-1].held == frozenset()
    assert [it for verdict in later for it in verdict.news] == [Closed("host")]


def test_a_tick_a_little_late_is_none() -> None:
    guard = FleetGuard()
    guard.judge(0.0, {"a": UP})
    assert guard.judge(1.4, {"a": UP}).held == frozenset()
    assert guard.judge(3.0, {"a": UP}).held == {"a"}


def test_half_of_the_cameras_is_not_most() -> None:
    lost = Supply(delivering=False, lost_s=1.0)
    four = {"a": lost, "b": lost, "c": UP, "d": UP}
    assert FleetGuard().judge(2.0, four).news == ()
    assert len(FleetGuard().judge(2.0, {**four, "c": lost}).news) == 1
    assert FleetGuard().judge(2.0, {"a": lost}).news == ()


@given(st.integers(0, 500), st.integers(0, 99))
def test_starts_rise_and_end_in_time(count: int, seed: int) -> None:
    delays = stagger(count, Random(seed), 2)
    assert len(delays) == count
    assert all(0 <= delay <= 60 for delay in delays)
    if count:
        assert delays[0] == 0
        assert delays[-1] >= min(0.4, 60 / count) * (count - 1)
    assert all(a < b for a, b in itertools.pairwise(delays))
