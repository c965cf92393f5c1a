"""What the numbers about a picture say, on pictures where the answer is known."""

import cv2
import numpy as np

from monitor.capture.stats import PictureMeter
from monitor.records import Image

RNG = np.random.default_rng(1)
SCENE: Image = np.kron(
    RNG.integers(0, 255, (24, 40, 3), np.uint8), np.ones((8, 8, 1), np.uint8)
)  # 192x320


def test_a_plain_picture_has_its_own_mean_and_nothing_else() -> None:
    stats = PictureMeter().measure(np.full((96, 128, 3), 77, np.uint8), 0.0)
    assert (stats.mean, stats.std, stats.sharpness, stats.saturation) == (77, 0, 0, 0)
    assert (stats.motion, stats.change, stats.edges) == (0, 0, 1)


def test_the_same_picture_again_has_changed_by_exactly_nothing() -> None:
    meter = PictureMeter()
    meter.measure(SCENE, 0.0)
    assert meter.measure(SCENE.copy(), 0.1).change == 0.0
    other = SCENE.copy()
    other[0, 0] = 255 - other[0, 0]
    assert meter.measure(other, 0.2).change > 0


def test_motion_is_the_share_of_places_that_changed() -> None:
    meter = PictureMeter()
    picture = np.full((96, 200, 3), 100, np.uint8)
    meter.measure(picture, 0.0)
    picture[:48, :50] = 140
    stats = meter.measure(picture, 0.1)
    assert stats.motion == 0.125
    assert abs(stats.change - 5.0) < 0.01


def test_what_changes_place_by_place_is_noise_and_no_motion() -> None:
    meter = PictureMeter()
    picture = np.full((96, 200, 3), 100, np.uint8)
    meter.measure(picture, 0.0)
    noisy = picture.copy()
    noisy[RNG.random((96, 200)) < 0.05] = 160  # a night's: one place in twenty
    stats = meter.measure(noisy, 0.1)
    assert stats.change > 2
    assert stats.motion < 0.0005


def test_blur_takes_sharpness_and_infrared_takes_colour() -> None:
    sharp = PictureMeter().measure(SCENE, 0.0)
    soft = np.asarray(cv2.GaussianBlur(SCENE, (0, 0), 8), np.uint8)
    blurred = PictureMeter().measure(soft, 0.0)
    assert blurred.sharpness < 0.1 * sharp.sharpness
    level = np.asarray(cv2.cvtColor(SCENE, cv2.COLOR_RGB2GRAY), np.uint8)
    gray: Image = np.repeat(level[..., None], 3, axis=2)
    assert PictureMeter().measure(gray, 0.0).saturation == 0 < sharp.saturation


def test_one_red_car_on_gray_asphalt_is_colour_and_a_caption_is_none() -> None:
    road = np.full((96, 160, 3), 90, np.uint8)
    road[:30, :16] = (200, 30, 30)  # 3 %
    assert PictureMeter().measure(road, 0.0).saturation == 170
    road[:] = 90
    road[2:8, 2:40] = (255, 255, 0)  # 1.5 %
    assert PictureMeter().measure(road, 0.0).saturation == 0


def test_edges_stay_through_dusk_and_noise_and_go_when_the_camera_turns() -> None:
    meter = PictureMeter()
    for index in range(120):
        meter.measure(SCENE, index / 10)
    still = meter.measure(SCENE, 12.0)
    dusk = meter.measure((SCENE * 0.6).astype(np.uint8), 13.0)
    noisy = meter.measure(
        np.clip(SCENE + RNG.normal(0, 8, SCENE.shape), 0, 255).astype(np.uint8), 14.0
    )
    turned = meter.measure(np.ascontiguousarray(np.roll(SCENE[::-1], 40, axis=1)), 15.0)
    covered = meter.measure(np.full_like(SCENE, 30), 16.0)
    assert still.edges > 0.99
    assert dusk.edges > 0.9
    assert noisy.edges > 0.9
    assert turned.edges < 0.75
    assert covered.edges < 0.05


def test_colour_and_edges_are_of_a_quarter_second_the_rest_of_every_picture() -> None:
    meter = PictureMeter()
    meter.measure(SCENE, 0.0)
    black = np.zeros_like(SCENE)
    soon, later = meter.measure(black, 0.2), meter.measure(black, 0.3)
    assert soon.mean == later.mean == 0
    assert (soon.edges, later.edges) == (1, 0)
    assert soon.saturation > later.saturation == 0


def test_a_turned_camera_is_believed_after_ten_minutes_not_in_one() -> None:
    meter = PictureMeter()
    for index in range(12):
        meter.measure(SCENE, float(index))
    turned = np.ascontiguousarray(SCENE[:, ::-1])
    after = [meter.measure(turned, 12.0 + 5 * index).edges for index in range(300)]
    assert max(after[:12]) < 0.75
    assert after[-1] > 0.95
