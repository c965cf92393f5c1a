"""The fan-out to readers that are slow, gone or many."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from monitor.api.hub import MOST_READERS, MOST_SCORES, CutOffError, Hub
from monitor.api.schema import (
    AlertView,
    CameraStatus,
    HealthView,
    LogLine,
    Message,
    ScorePoint,
)
from tests.monitor.api.scripted import START

FIRST = Message(removed=["the whole state"])


def score(number: int) -> Message:
    at = START + timedelta(seconds=number)
    return Message(scores=[ScorePoint(camera="door", at=at, score=float(number))])


def state(name: str, alerts_today: int) -> Message:
    camera = CameraStatus(name=name, state="running", since=START, alerts_today=alerts_today)
    return Message(cameras=[camera])


def alert(number: int) -> Message:
    view = AlertView(
        id=f"A{number}",
        camera="door",
        phase="new",
        revision=0,
        started_at=START,
        ended_at=START,
        peak_at=START,
    )
    return Message(alerts=[view])


def health(number: int) -> Message:
    event = HealthView(
        id=f"H{number}", camera=None, kind="disk", severity="error", text="full", started_at=START
    )
    return Message(health=[event])


def in_loop(
    run: Callable[[Hub], Awaitable[None]], *, pace_s: float = 0.0, most_kept: int = 1000
) -> None:
    async def all_of_it() -> None:
        await run(Hub(pace_s=pace_s, most_kept=most_kept))

    asyncio.run(asyncio.wait_for(all_of_it(), 30))


def test_the_first_message_comes_first_and_alone() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            hub.publish(score(1))
            assert await anext(messages) == FIRST
            assert await anext(messages) == score(1)

    in_loop(run)


def test_a_slow_reader_gets_the_newest_states_and_scores_and_every_alert() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            await anext(messages)
            for number in range(MOST_SCORES + 50):
                hub.publish(score(number))
            for number in range(300):
                hub.publish(state("door", number))
                hub.publish(alert(number))
                hub.publish(health(number))
                hub.publish(Message(log=[LogLine(at=START, level="info", text=str(number))]))
            got = await anext(messages)
        assert [point.score for point in got.scores] == [
            float(n) for n in range(50, MOST_SCORES + 50)
        ]
        assert [camera.alerts_today for camera in got.cameras] == [299]
        assert [view.id for view in got.alerts] == [f"A{n}" for n in range(300)]
        assert [event.id for event in got.health] == [f"H{n}" for n in range(300)]
        assert len(got.log) == 300

    in_loop(run)


@pytest.mark.parametrize("happens", [alert, health])
def test_too_many_events_cut_a_reader_off_and_no_other(happens: Callable[[int], Message]) -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as slow, hub.subscribe(FIRST) as quick:
            await anext(quick)
            for number in range(11):
                hub.publish(happens(number))
                assert await anext(quick) == happens(number)
            assert await anext(slow) == FIRST
            with pytest.raises(CutOffError, match="over 10 events waited"):
                await anext(slow)
            hub.publish(happens(11))
            with pytest.raises(CutOffError):
                await anext(slow)

    in_loop(run, most_kept=10)


def test_a_camera_that_is_removed_is_not_told_of_again() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            await anext(messages)
            hub.publish(state("door", 1))
            hub.publish(Message(removed=["door", "yard"]))
            hub.publish(state("yard", 2))
            got = await anext(messages)
            assert got.removed == ["door"]
            assert [camera.name for camera in got.cameras] == ["yard"]

    in_loop(run)


def test_scores_wait_for_one_another_and_alerts_do_not() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            await anext(messages)
            hub.publish(score(1))
            coming = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0.01)
            assert not coming.done()
            hub.publish(score(2))
            hub.publish(alert(1))
            got = await coming
            assert [point.score for point in got.scores] == [1.0, 2.0]
            assert len(got.alerts) == 1

    in_loop(run, pace_s=20.0)


def test_a_wait_that_is_given_up_loses_nothing() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            await anext(messages)
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(messages), 0.01)
            hub.publish(alert(1))
            assert await anext(messages) == alert(1)

    in_loop(run)


def test_a_closed_hub_lets_its_readers_go_after_what_waits() -> None:
    async def run(hub: Hub) -> None:
        async with hub.subscribe(FIRST) as messages:
            await anext(messages)
            hub.publish(alert(1))
            hub.close("the engine stops")
            assert await anext(messages) == alert(1)
            with pytest.raises(CutOffError, match="the engine stops"):
                await anext(messages)

    in_loop(run)


def test_readers_are_counted_forgotten_and_bounded() -> None:
    async def run(hub: Hub) -> None:
        held = [hub.subscribe(FIRST) for _ in range(MOST_READERS)]
        for reader in held:
            await reader.__aenter__()
        with pytest.raises(CutOffError, match="close one"):
            async with hub.subscribe(FIRST):
                pass
        for reader in held:
            await reader.__aexit__(None, None, None)
        assert hub.readers == 0

    in_loop(run)
