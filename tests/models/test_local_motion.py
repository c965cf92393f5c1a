"""What light does to the picture is not taken for something that stands in it."""

from dataclasses import replace

import numpy as np
import pytest

from models.local_motion import STATES, LocalMotion, MotionConfig, MotionTables, high_pass

CONFIG = MotionConfig(size=(96, 144))
RANDOM = np.random.default_rng(0)
SCENE = np.kron(RANDOM.integers(60, 200, (12, 18)), np.ones((8, 8))).astype(np.uint8)


def judge() -> LocalMotion:
    """Of a still scene, in which nothing ever stood or moved."""
    h, w = CONFIG.grid
    tables = MotionTables(
        background=high_pass(SCENE, CONFIG.window_px),
        restlessness=np.ones((h, w), np.float32),
        pace=np.ones(h, np.float32),
        speed=np.array([1.0, 0.3], np.float32),
        stood=np.full((h, w), 4.0, np.float32),
        ventured=np.full((h, w), 1.5, np.float32),
        surprise=np.zeros((STATES, h, w), np.float32),
        surprise_scale=np.array([0.0, 1.0], np.float32),
    )
    return LocalMotion(CONFIG, tables)


def standing(scene: np.ndarray) -> np.ndarray:
    """Evidence of what stands, (h, w)."""
    local = judge()
    found: np.ndarray = local.evidence(local.motion([scene] * local.length)[None])["standing"][0]
    return found


@pytest.mark.parametrize("light", [0.3, 0.45, 0.7, 1.0, 1.25])
def test_a_dimmed_scene_is_the_same_scene(light: float) -> None:
    lit = np.clip(SCENE * light, 0, 255).astype(np.uint8)
    assert standing(lit).max() < 1


def test_what_stands_there_is_seen_in_any_light() -> None:
    with_box = SCENE.copy()
    with_box[40:64, 40:64] = 255 - with_box[40:64, 40:64]
    for light in (0.45, 1.0):
        places = standing((with_box * light).astype(np.uint8))
        assert places[6, 6] > 20, light
        assert np.median(places) == 0, light


def test_something_large_is_no_change_of_light() -> None:
    half = SCENE.copy()
    half[:, :64] = 128
    assert standing(half)[6, 3] > 5


def test_without_a_background_nothing_is_known_of_the_light() -> None:
    local = judge()
    dark = replace(local.tables, background=np.zeros_like(local.tables.background))
    assert LocalMotion(CONFIG, dark).motion([SCENE] * local.length)[..., 3].max() > 0
