"""How long a camera was watched: at the pace of its model, and of the last day alone."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.alert_rule import unbroken
from monitor.calibration import Calibration
from monitor.live.counters import Counters
from monitor.live.messages import LiveReading
from tests.monitor.live.scripted import World, loaded

APART_S = 15.0
HOUR_S, DAY_S = 3600.0, 86_400.0


def watch(counters: Counters, began_s: float, spent_s: float) -> None:
    for at_s in np.arange(began_s, began_s + spent_s + 1, 60.0):
        counters.watched(float(at_s), 60.0)


def test_what_was_watched_lately_follows_the_day() -> None:
    counters = Counters()
    for day in range(4):  # open for 8 hours of each
        watch(counters, day * DAY_S + 9 * HOUR_S, 8 * HOUR_S)
    assert counters.watched_s == 4 * 8 * HOUR_S
    closes_s = 3 * DAY_S + 17 * HOUR_S
    since_s, lately_s = counters.watched_lately(closes_s)
    assert since_s == closes_s - DAY_S
    assert lately_s == pytest.approx(8 * HOUR_S, abs=60)
    assert counters.watched_lately(closes_s + 20 * HOUR_S)[1] == pytest.approx(4 * HOUR_S, abs=60)
    assert counters.watched_lately(closes_s + 2 * DAY_S)[1] == 0
    assert len(counters._hours) <= 25


def test_what_was_watched_lately_begins_with_the_first_that_was() -> None:
    counters = Counters()
    assert counters.watched_lately(5000.0)[1] == 0
    watch(counters, 5000.0, 6000.0)
    assert counters.watched_lately(11_000.0) == (5000.0, 6000.0)


def test_a_camera_whose_frames_come_seldom_is_watched_between_them() -> None:
    world = World(names=("gate",))
    world.run(5)
    station = world.crew.stations["gate"]
    model, station.counters = loaded("model.pt"), Counters()
    calibration = Calibration.from_dict(model.calibration)
    slow = replace(calibration, rule=unbroken(calibration.rule, 3 * APART_S))
    station.take_model(replace(model, rate_hz=1 / APART_S, calibration=slow.to_dict()), 2.0)

    def score(at_s: float) -> float:
        moments = at_s, world.began_s + at_s, world.began_s + at_s, world.began_s + at_s
        station.scored(
            LiveReading("gate", station.epoch, 1, *moments, 1.0, 0.5, {}, None, None),
        )
        return station.counters.watched_s

    watched = [score(number * APART_S) for number in range(1, 6)]
    assert watched == [number * APART_S for number in range(5)]
    assert score(6 * 60) == watched[-1]  # nobody watched in such a pause
