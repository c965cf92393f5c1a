"""What is planted is where and what it says, and nowhere else."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from monitor.demo.planting import Plant, PlantedEvent, event_of, mask_at, plant
from monitor.demo.programme import (
    CALIBRATED,
    PASSES,
    background_of,
    clock,
    make_plants,
    watched,
)
from monitor.demo.road import NEAREST_Y, RATE_HZ, depth, travelled, y_at
from monitor.demo.scene import CLIP
from monitor.demo.verdict import TOLERANCE_S
from monitor.sources import Source, open_source

SIZE = (240, 320)
KINDS = {"too fast", "wrong way", "stopped", "wrong thing", "wrong place"}


@pytest.fixture(scope="module")
def clip() -> Source:
    return open_source(CLIP)


@pytest.fixture(scope="module")
def plants(clip: Source) -> tuple[Plant, ...]:
    return make_plants(clip, background_of(clip))


@pytest.fixture(scope="module")
def events(plants: tuple[Plant, ...]) -> tuple[PlantedEvent, ...]:
    return tuple(event_of(each, clock(), SIZE) for each in plants)


def one(plants: tuple[Plant, ...], kind: str) -> Plant:
    return next(each for each in plants if each.kind == kind)


def test_the_clip_is_small_and_has_the_length_and_rate_that_are_claimed(clip: Source) -> None:
    assert CLIP.stat().st_size < 4_000_000
    assert (clip.n_frames, clip.rate_hz, clip.size) == (1699, RATE_HZ, SIZE)


def test_every_kind_is_planted_and_one_car_that_does_nothing_wrong(
    plants: tuple[Plant, ...],
) -> None:
    assert {each.kind for each in plants} == KINDS | {"nothing wrong"}


def test_events_are_in_order_with_untouched_footage_between_them(
    events: tuple[PlantedEvent, ...],
) -> None:
    for before, after in pairwise(events):
        assert after.shown_from_s - before.shown_until_s > TOLERANCE_S
    for event in events:
        assert event.shown_from_s <= event.start_s < event.end_s <= event.shown_until_s
        assert event.end_s - event.start_s >= 1.5


def test_every_event_lies_in_one_pass_after_its_warm_up(events: tuple[PlantedEvent, ...]) -> None:
    for event in events:
        own = max((p for p in PASSES if p.begins_s <= event.start_s), key=lambda p: p.begins_s)
        assert event.start_s - own.begins_s > 2
        assert event.shown_from_s > own.begins_s
        assert event.shown_until_s < own.time_s(own.stop)


def test_only_the_planted_pixels_differ_and_only_while_something_is_planted(
    clip: Source, plants: tuple[Plant, ...], events: tuple[PlantedEvent, ...]
) -> None:
    bare_frames = [frame for frame in watched(clip) if frame.index % 10 == 0]
    for bare, full in zip(bare_frames, plant(bare_frames, plants), strict=True):
        shown = [(p, e) for p, e in zip(plants, events, strict=True) if e.box(bare.index)]
        if not shown:
            assert full is bare
            continue
        (each, event), *others = shown
        assert not others
        changed = np.any(bare.image != full.image, axis=2)
        box = event.box(bare.index)
        assert box is not None
        changed[box.top : box.bottom, box.left : box.right] = False
        assert not changed.any()
        mask = mask_at(each, bare.time_s, SIZE)
        assert mask[np.any(bare.image != full.image, axis=2)].all()


def test_frames_in_which_nothing_is_planted_are_passed_on_themselves(clip: Source) -> None:
    frames = list(clip.frames(CALIBRATED, CALIBRATED + 3))
    assert [a is b for a, b in zip(frames, plant(frames, ()), strict=True)] == [True] * 3


def test_the_wrong_way_car_moves_against_the_traffic(plants: tuple[Plant, ...]) -> None:
    wrong, usual = one(plants, "wrong way"), one(plants, "nothing wrong")
    for each, sign in ((wrong, -1), (usual, 1)):
        feet = [each.y_at(each.enters_s + second) for second in (1.0, 1.5, 2.0, 2.5, 3.0)]
        assert all(sign * (b - a) > 0 for a, b in pairwise(feet))


def test_the_fast_car_passes_a_place_at_least_twice_as_fast_as_a_usual_one(
    plants: tuple[Plant, ...],
) -> None:
    assert speed_at(one(plants, "too fast"), 100) > 2 * speed_at(one(plants, "nothing wrong"), 100)


def speed_at(each: Plant, y: float) -> float:
    """Pixels per second at a row of the picture."""
    times = each.enters_s + np.arange(0, each.lasts_s, 1 / RATE_HZ)
    feet = np.array([each.y_at(float(t)) for t in times])
    feet = feet[feet < NEAREST_Y]
    return float(np.interp(y, feet[:-1], np.diff(feet) * RATE_HZ))


def test_the_usual_speed_is_that_of_a_real_car_of_the_clip(
    clip: Source, plants: tuple[Plant, ...]
) -> None:
    """The foot of the car of frames 1290 to 1320, alone in the left lane, found by difference."""
    empty = background_of(clip).astype(np.int16)
    feet = []
    for frame in clip.frames(1290, 1321):
        moving = (np.abs(frame.image - empty).max(axis=2) > 40)[60:235, 90:190]
        feet.append(60 + int(np.flatnonzero(moving.sum(axis=1) > 8).max()))
    real = (feet[-1] - feet[0]) / 30 * RATE_HZ
    usual = speed_at(one(plants, "nothing wrong"), (feet[0] + feet[-1]) / 2)
    assert 0.75 < usual / real < 1.33


def test_the_stopped_car_stands_and_then_leaves(plants: tuple[Plant, ...]) -> None:
    each = one(plants, "stopped")
    standing = [each.y_at(each.enters_s + second) for second in (6.3, 7.0, 8.5)]
    assert standing == pytest.approx([standing[0]] * 3, abs=1e-6)
    assert each.y_at(each.enters_s + 10) > standing[0] + 5


def test_the_misplaced_car_is_left_of_the_kerb(plants: tuple[Plant, ...]) -> None:
    """Kerb measured on the median picture: x 133 at y 83, 100 at 115, 70 at 142."""
    each = one(plants, "wrong place")
    for y, kerb in ((83, 133), (115, 100), (142, 70)):
        assert each.path.x_at(y) < kerb


def test_a_thing_that_is_never_in_the_picture_is_no_event(plants: tuple[Plant, ...]) -> None:
    with pytest.raises(ValueError, match="too fast: never in the picture"):
        event_of(replace(one(plants, "too fast"), enters_s=1e6), clock(), SIZE)


def test_depth_and_row_are_each_others_inverse() -> None:
    assert [y_at(depth(y)) for y in (0.0, 50.0, 239.0)] == pytest.approx([0, 50, 239])
    assert y_at(-1.0) == NEAREST_Y


def test_distance_is_the_area_under_the_speeds() -> None:
    speeds = ((0, 1.0), (2, 1.0), (4, 0.0))
    assert [travelled(speeds, s) for s in (1, 2, 3, 4, 9)] == pytest.approx([1, 2, 2.75, 3, 3])
