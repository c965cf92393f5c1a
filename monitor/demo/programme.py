"""What the demo shows: which footage is learned, which is watched, and what is planted where.

The moments were chosen so that what is planted hardly covers a real car and its lane is free.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from monitor.demo.planting import Plant
from monitor.demo.road import FROM_HEDGE, LEFT_LANE, NEAREST_Y, RATE_HZ, RIGHT_LANE, VERGE
from monitor.demo.sprites import Sprite, cut_bush, cut_car
from monitor.records import Frame, Image
from monitor.sources import Source

LEARNED = 640  # frames of the clip, from its first: 26 s
CALIBRATED = 1060  # and on from there up to this one: 17 s; the rest is watched
BACKGROUND_EVERY = 20  # of the frames before the rest, for their median: no car stands for so long
GAP_S = 6.0  # between passes; over the 5 s that count as a gap, so nothing is judged across it


@dataclass(frozen=True, slots=True)
class Pass:
    """Once through (part of) the rest of the clip; frames of the clip, `stop` not included."""

    start: int
    stop: int
    begins_s: float  # of the footage watched

    def time_s(self, frame: int) -> float:
        """When a frame of the clip is shown."""
        return self.begins_s + (frame - self.start) / RATE_HZ


def _passes() -> tuple[Pass, ...]:
    passes: list[Pass] = []
    begins_s = 0.0
    for start, stop in ((CALIBRATED, 1330), (CALIBRATED, 1699), (CALIBRATED, 1699)):
        passes.append(Pass(start, stop, begins_s))
        begins_s += (stop - start) / RATE_HZ + GAP_S
    return tuple(passes)


PASSES = _passes()


def background_of(clip: Source) -> Image:
    """The empty road: the median of frames from before the rest."""
    kept = [f.image for f in clip.frames(0, CALIBRATED) if f.index % BACKGROUND_EVERY == 0]
    return np.asarray(np.median(np.stack(kept), axis=0), np.uint8)


def watched(clip: Source) -> Iterator[Frame]:
    """The rest of the clip in its passes, nothing planted yet, with the times of the footage."""
    index = 0
    for each in PASSES:
        for frame in clip.frames(each.start, each.stop):
            yield Frame(frame.image, index, each.time_s(frame.index))
            index += 1


def clock() -> list[tuple[int, float]]:
    """Index and time of every frame of the footage watched."""
    times = [each.time_s(frame) for each in PASSES for frame in range(each.start, each.stop)]
    return list(enumerate(times))


def make_plants(clip: Source, background: Image) -> tuple[Plant, ...]:
    """All that is planted, in order of time; sprites are cut from the clip."""

    def car(frame: int, inside: tuple[int, int]) -> Sprite:
        with closing(clip.frames(frame, frame + 1)) as frames:
            image = next(frames).image
        return cut_car(image, background, inside)

    first, second, third = PASSES
    silver, blue = car(1060, (200, 160)), car(1378, (213, 95))
    sand, white, green = car(1003, (105, 160)), car(424, (123, 122)), car(858, (145, 105))
    bush = cut_bush(background, (55, 40), 26, 150)
    return (
        Plant(
            "too fast",
            "a silver car in the right lane at 2.7 times the usual speed",
            silver, RIGHT_LANE, first.time_s(1161), 4.5, 12, ((0, 2.7),), None, (0.2, 0.0),
        ),
        Plant(
            "wrong way",
            "a blue car in the right lane drives up the road, against the traffic",
            blue, RIGHT_LANE, second.time_s(1185), 4.0, NEAREST_Y - 1, ((0, -0.9),), None,
            (0.0, 0.6),
        ),
        Plant(
            "wrong thing",
            "a bush as large as a car rolls out of the hedge and across the road",
            bush, FROM_HEDGE, second.time_s(1330), 4.5, 56, ((0, 0.8),), None, (0.4, 0.0),
        ),
        Plant(
            "wrong place",
            "a sand-coloured car drives along the verge, between fence and kerb",
            sand, VERGE, second.time_s(1540), 6.0, 40, ((0, 1.0),), None, (0.5, 0.0), 0.85,
        ),
        Plant(
            "stopped",
            "a green car comes down the right lane, brakes, stands for two seconds, drives on",
            green, RIGHT_LANE, third.time_s(1104), 14.0, 12,
            ((0, 1.1), (5, 1.1), (6.2, 0.0), (8.6, 0.0), (10, 1.2)), (5.4, 9.6), (0.6, 0.0),
        ),
        Plant(
            "nothing wrong",
            "a white car put into the left lane like the others, at the usual speed: no anomaly",
            white, LEFT_LANE, third.time_s(1421), 11.0, 12, ((0, 1.0),), None, (0.6, 0.0),
        ),
    )  # fmt: skip
