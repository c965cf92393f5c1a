"""Small detectors that have learned one of the two worlds, shared by all the laws."""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.detector import Budget, Detector
from models.registry import build
from tests.models import tiny_stills
from tests.models.still_world import calm_pictures, spoilt_pictures
from tests.models.tiny_stills import TINY_STILLS
from tests.models.tiny_videos import TINY
from tests.models.world import Scene, invaded, normal_clips

ALL: dict[str, dict[str, Any]] = TINY | TINY_STILLS


def fresh(label: str, seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    return build(label.split(maxsplit=1)[0], **ALL[label])


def learn(detector: Detector, steps: int) -> Detector:
    clips = [_normal(detector, 8, seed) for seed in range(10)]
    return detector.fit(clips, [_normal(detector, 16, 100)], budget=Budget(steps=steps))


@cache
def fitted(label: str) -> Detector:
    return learn(fresh(label), tiny_stills.STEPS.get(label, 100))


def untrained(label: str) -> Detector:
    """As it was made, but ready to be asked."""
    detector = fresh(label).eval()
    for module in detector.modules():
        if isinstance(module, Detector):
            module.fitted = True
    return detector


def calm(detector: Detector, count: int = 12) -> Tensor:
    return _normal(detector, count, seed=200)


def planted(detector: Detector, count: int = 12) -> Scene:
    plant = spoilt_pictures if detector.kind == "image" else invaded
    return plant(detector.spec, count, seed=300)


def near(scene: Scene) -> Tensor:
    """Where the intruder is and four pixels around it, (B, H, W)."""
    return F.max_pool2d(scene.intruder[:, None].float(), 9, stride=1, padding=4)[:, 0] > 0


def prominence(detector: Detector) -> float:
    """How far the map stands out at the intruder, against the rest of the picture."""
    scene = planted(detector)
    maps = detector.explain(scene.clips)
    return float(maps[scene.intruder].mean() / (maps[~near(scene)].abs().mean() + 1e-6))


def _normal(detector: Detector, count: int, seed: int) -> Tensor:
    draw = calm_pictures if detector.kind == "image" else normal_clips
    return draw(detector.spec, count, seed)
