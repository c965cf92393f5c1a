"""How long a camera was watched: at the pace of its model."""

from dataclasses import replace

from monitor.alert_rule import unbroken
from monitor.calibration import Calibration
from monitor.live.counters import Counters
from monitor.live.messages import LiveReading
from tests.monitor.live.scripted import World, loaded

APART_S = 15.0


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
