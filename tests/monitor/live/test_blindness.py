"""What makes a camera blind, what only looks like it, and what is learned from."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.capture.records import PictureStats
from monitor.live.blindness import Blindness, Sight
from monitor.live.health import Closed, Opened

DAY = PictureStats(
    mean=110, std=45, sharpness=600, motion=0.01, change=0.8, saturation=30, edges=0.9
)
NIGHT = replace(DAY, mean=70, std=35, saturation=0.8, edges=0.5)
HZ = 5.0


class Watch:
    """A camera's pictures one after another, and all that was said of them."""

    def __init__(self) -> None:
        self.eye = Blindness()
        self.now_s = 100.0
        self.sights: list[Sight] = []
        self.rng = Random(1)

    def show(self, stats: PictureStats, seconds: float, hz: float = HZ) -> list[Sight]:
        shown = []
        for _ in range(round(seconds * hz)):
            self.now_s += 1 / hz
            change = stats.change * self.rng.uniform(0.5, 1.5)
            mean = stats.mean + self.rng.uniform(-1, 1)
            shown.append(self.eye.feed(replace(stats, change=change, mean=mean), self.now_s))
        self.sights += shown
        return shown

    @property
    def news(self) -> list[str]:
        told = [it for sight in self.sights for it in sight.news]
        return [("+" if isinstance(it, Opened) else "-") + it.kind for it in told]


WRONG = {
    "dark": replace(DAY, mean=4, std=2, sharpness=1, saturation=1, edges=0),
    "bright": replace(DAY, mean=252, std=3, sharpness=1, saturation=1, edges=0),
    "covered": replace(DAY, mean=90, std=3, sharpness=1, edges=0),
    "frozen": replace(DAY, change=0, motion=0),
    "moved": replace(DAY, edges=0.15),
    "blurred": replace(DAY, std=38, sharpness=40, edges=0.3),
}
LIMIT_S = {"dark": 5, "bright": 5, "covered": 5, "frozen": 60, "moved": 15, "blurred": 15}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_for_long_is_one_event_that_ends_when_it_is_over(kind: str) -> None:
    watch = Watch()
    assert not any(sight.suspended for sight in watch.show(DAY, 120))
    shown = watch.show(WRONG[kind], LIMIT_S[kind] + 2)
    assert shown[-1].blind == kind
    assert shown[-1].suspended
    first = next(i for i, sight in enumerate(shown) if sight.blind)
    assert LIMIT_S[kind] - 0.5 <= first / HZ <= LIMIT_S[kind] + 0.5
    watch.show(WRONG[kind], 3600, hz=0.2)
    after = watch.show(DAY, 20)
    assert after[-1] == Sight("", after[-1].since_s)
    assert watch.news == [f"+{kind}", f"-{kind}"]


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_for_a_moment_is_no_event(kind: str) -> None:
    watch = Watch()
    watch.show(DAY, 120)
    watch.show(WRONG[kind], LIMIT_S[kind] * 0.7)
    watch.show(DAY, 60)
    assert watch.news == []


@pytest.mark.parametrize("kind", ["dark", "bright", "covered"])
def test_what_can_show_nothing_is_not_scored_while_it_is_only_suspected(kind: str) -> None:
    watch = Watch()
    watch.show(DAY, 120)
    assert watch.show(WRONG[kind], 0.2)[0].suspended


@pytest.mark.parametrize("kind", ["moved", "blurred"])
def test_nothing_is_learned_from_pictures_that_are_wrong(kind: str) -> None:
    watch = Watch()
    watch.show(DAY, 120)
    watch.show(WRONG[kind], 24 * 3600, hz=0.05)
    assert watch.sights[-1].blind == kind


def test_a_camera_that_starts_out_black_says_so_without_having_learned() -> None:
    watch = Watch()
    watch.show(WRONG["dark"], 10)
    assert watch.news == ["+dark"]


def test_an_encoder_that_repeats_a_still_scene_for_a_group_of_pictures_is_not_frozen() -> None:
    watch = Watch()
    for _ in range(30):
        watch.show(WRONG["frozen"], 30)
        watch.show(DAY, 0.2)
    assert watch.news == []


def test_long_repeats_that_go_over_teach_patience_but_not_for_ever() -> None:
    watch = Watch()
    watch.show(DAY, 60)
    watch.show(WRONG["frozen"], 50)
    watch.show(DAY, 10)
    watch.show(WRONG["frozen"], 140)
    assert watch.news == []
    watch.show(WRONG["frozen"], 45)
    assert watch.news == ["+frozen"]


def test_the_first_picture_that_moves_after_a_freeze_is_scored() -> None:
    watch = Watch()
    watch.show(DAY, 120)
    watch.show(WRONG["frozen"], 70)
    assert not watch.show(DAY, 0.2)[0].suspended


def test_few_pictures_make_no_freeze() -> None:
    eye = Blindness()
    still = WRONG["frozen"]
    assert not any(eye.feed(still, 60.0 * minute).blind for minute in range(9))
    assert eye.feed(still, 540.0).blind == "frozen"


def test_a_light_switch_is_no_motion_and_suspends_shortly() -> None:
    watch = Watch()
    watch.show(DAY, 120)
    switched = watch.show(replace(DAY, mean=150, motion=0.8), 0.2)[0]
    assert switched.lighting
    assert switched.suspended
    after = watch.show(replace(DAY, mean=150), 4)
    assert after[5].suspended
    assert not after[-1].suspended
    assert watch.news == []


def test_something_large_that_moves_is_no_light_switch() -> None:
    watch = Watch()
    watch.show(DAY, 120)
    assert not any(it.lighting for it in watch.show(replace(DAY, motion=0.7), 2))
    assert not any(it.lighting for it in watch.show(replace(DAY, mean=150, motion=0.3), 2))


def test_a_flashing_light_does_not_blind_for_good() -> None:
    watch = Watch()
    watch.show(DAY, 120)
    suspended = 0
    for flash in range(120):
        mean = 160 if flash % 2 else 110
        suspended += sum(it.suspended for it in watch.show(replace(DAY, mean=mean, motion=0.9), 1))
    assert suspended <= 0.55 * 120 * HZ


def test_infrared_is_told_and_settles_and_has_levels_of_its_own() -> None:
    watch = Watch()
    watch.show(DAY, 600)
    switching = watch.show(NIGHT, 10)
    assert watch.news == ["+infrared"]
    assert switching[-1].infrared
    assert switching[-1].suspended
    assert not watch.show(NIGHT, 600)[-1].suspended
    assert watch.news == ["+infrared"]  # half the day's edges are all of the night's
    watch.show(replace(NIGHT, edges=0.1), 20)
    watch.show(NIGHT, 20)
    watch.show(DAY, 60)
    assert watch.news == ["+infrared", "+moved", "-moved", "-infrared"]


def test_a_gray_camera_is_no_news() -> None:
    watch = Watch()
    watch.show(NIGHT, 300)
    assert watch.sights[-1].infrared
    watch.show(DAY, 60)
    assert watch.news == []


def test_dusk_is_followed() -> None:
    watch = Watch()
    watch.show(DAY, 300)
    for minute in range(90):
        light = 1 - 0.7 * minute / 90
        watch.show(
            replace(DAY, mean=110 * light, std=45 * light, sharpness=600 * light**2), 60, hz=0.5
        )
    assert watch.news == []


def test_a_camera_turned_while_it_was_away_is_found_and_relearning_accepts_it() -> None:
    watch = Watch()
    watch.show(DAY, 120)
    watch.eye.reconnected(watch.now_s)
    assert watch.show(WRONG["moved"], 1)[0].suspended
    watch.show(WRONG["moved"], 20)
    assert watch.news == ["+moved"]
    watch.eye.relearn()
    watch.show(WRONG["moved"], 600)
    assert watch.news == ["+moved", "-moved"]


STATS = st.builds(
    PictureStats,
    mean=st.floats(0, 255),
    std=st.floats(0, 127),
    sharpness=st.floats(0, 5000),
    motion=st.floats(0, 1),
    change=st.sampled_from([0.0, 0.5]),
    saturation=st.floats(0, 100),
    edges=st.floats(0, 1),
)


@given(st.lists(st.tuples(STATS, st.floats(0.01, 30), st.integers(1, 8)), max_size=8))
@settings(max_examples=50, deadline=None)
def test_events_open_and_close_in_turn_and_blind_is_always_suspended(
    shown: list[tuple[PictureStats, float, int]],
) -> None:
    eye, now_s, open_kinds = Blindness(), 0.0, set[str]()
    for stats, step_s, times in shown:
        for _ in range(times):
            now_s += step_s
            sight = eye.feed(stats, now_s)
            for it in sight.news:
                if isinstance(it, Closed):
                    open_kinds.remove(it.kind)
                else:
                    assert it.kind not in open_kinds
                    open_kinds.add(it.kind)
            assert open_kinds - {"infrared"} == ({sight.blind} if sight.blind else set())
            assert sight.suspended == bool(sight.why)
            assert sight.suspended or not sight.blind
