"""A detector that finds spots on gray plates odd, a model calibrated on plates, and plates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import cv2
import numpy as np
import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import TrainingError
from monitor.records import Image
from monitor.stills.model import StillModel
from monitor.stills.threshold import calibrate_scores

SIDE = 64


@dataclass(frozen=True)
class SpotsConfig:
    size: tuple[int, int] = (32, 32)
    channels: Literal[1, 3] = 3
    batch: int = 4
    blind: float = 0.0  # at 1 it sees nothing, and fails
    learning_rate: float = 0.5


class Spots(Detector):
    """Map: how far a pixel is from the gray that was learned. Score: the highest of it."""

    name = "spots"
    kind = "image"
    paper = "none"
    Config = SpotsConfig
    presets = {"lite": {}}  # noqa: RUF012
    interrupt_at = -1  # step at which Ctrl-C is pressed
    level: Tensor

    def __init__(self, config: SpotsConfig | None = None) -> None:
        super().__init__(config or SpotsConfig())
        self.register_buffer("level", torch.zeros(1))

    @property
    def spec(self) -> ClipSpec:
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        if self.config.blind == 1:
            raise TrainingError("spots sees nothing with blind=1")
        state = self.training_state
        step = first = int(state.get("step", 0))
        state["interrupted"] = False
        while budget.spent(0.0, step - first) < 1 and not state["interrupted"]:
            for batch in clips:
                self.level += self.config.learning_rate * (batch.mean() - self.level)
                break
            step += 1
            state["step"] = step
            spent = budget.spent(0.0, step - first)
            log(Step("spots", step, 0.01 * step, spent, {"spots/gray": 1 / step}))
            state["interrupted"] = step == Spots.interrupt_at
        self.fitted = True
        return self

    def examine(self, clips: Tensor) -> Findings:
        self.check(clips)
        maps = (clips[:, 0].mean(dim=1) - self.level).abs() * (1 - self.config.blind)
        return Findings(maps.amax(dim=(1, 2)), maps)

    def reconstruct(self, clips: Tensor) -> Tensor:
        return self.level.expand_as(clips[:, 0]).clone()


def spots_model(channels: Literal[1, 3] = 3) -> StillModel:
    """Calibrated on noise of the plates' kind; nothing under 0.2 away from gray is odd."""
    scores = np.linspace(0.02, 0.08, 200)
    provenance: dict[str, Any] = {"map_usual": 0.02, "map_high": 0.2}
    detector = Spots(SpotsConfig(channels=channels))
    detector.level.fill_(0.5)
    detector.fitted = True
    return StillModel(detector, "lite", calibrate_scores(scores), provenance)


def plate(seed: int = 0, *, spot: bool = False) -> Image:
    """A gray plate, some rougher than others; a white spot of 16 pixels at row 8, column 24."""
    rough = 4 + 2 * (seed % 5)
    image = np.random.default_rng(seed).integers(
        128 - rough, 129 + rough, (SIDE, SIDE, 1), np.uint8
    )
    image = np.repeat(image, 3, axis=2)
    if spot:
        image[8:24, 24:40] = 255
    return image


def write_plate(path: Path, seed: int = 0, *, spot: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), plate(seed, spot=spot))
    return path


def write_set(root: Path, *, train: int = 24, test: int = 5) -> Path:
    """Plates in MVTec's layout; the spots of the defective ones are marked."""
    for number in range(train):
        write_plate(root / "train" / "good" / f"{number:03d}.png", number)
    for number in range(test):
        write_plate(root / "test" / "good" / f"{number:03d}.png", 100 + number)
        write_plate(root / "test" / "spot" / f"{number:03d}.png", 200 + number, spot=True)
        mask = root / "ground_truth" / "spot" / f"{number:03d}_mask.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(mask), (plate(spot=True) == 255).astype(np.uint8) * 255)
    return root
