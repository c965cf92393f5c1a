"""A detector that learns the mean picture in seconds, and sets of plates to learn from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.training import Player, train
from tests.monitor.stills.sets import save
from tests.monitor.stills.spots import SIDE, plate, write_plate


@dataclass(frozen=True)
class MeanPictureConfig:
    size: tuple[int, int] = (32, 32)
    channels: Literal[1, 3] = 3
    batch: int = 8
    learning_rate: float = 0.05

    def __post_init__(self) -> None:
        if any(side % 16 for side in self.size):
            raise OptionError(f"mean_picture needs multiples of 16, got {self.size}")


class MeanPicture(Detector):
    """Map: how far a pixel is from the mean picture, over the usual. Score: the highest of it."""

    name = "mean_picture"
    kind = "image"
    paper = "none"
    Config = MeanPictureConfig
    presets = {"lite": {}, "paper": {"size": (48, 48)}}  # noqa: RUF012
    usual: Tensor

    def __init__(self, config: MeanPictureConfig) -> None:
        super().__init__(config)
        self.mean = nn.Parameter(torch.rand(config.channels, *config.size))
        self.register_buffer("usual", torch.ones(()))

    @property
    def spec(self) -> ClipSpec:
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        def losses(batch: Tensor) -> dict[str, Tensor]:
            return {"distance": (self.shaped(batch)[:, 0] - self.mean).square().mean()}

        player = Player("mean", self, losses, learning_rate=self.config.learning_rate)
        train([player], clips, budget=budget, log=log, state=self.training_state)
        with torch.no_grad():
            self.usual.copy_(torch.cat([self._errors(batch) for batch in held_out]).mean())
        self.fitted = True
        return self

    def _errors(self, clips: Tensor) -> Tensor:
        return (clips[:, 0] - self.mean).abs().mean(dim=1)

    def examine(self, clips: Tensor) -> Findings:
        self.check(clips)
        maps = self._errors(clips) / self.usual
        return Findings(maps.amax(dim=(1, 2)), maps, {"mean_error": maps.mean(dim=(1, 2))})

    def reconstruct(self, clips: Tensor) -> Tensor:
        return self.mean.clamp(0, 1).expand(len(clips), -1, -1, -1)


def write_plates(root: Path, *, n_train: int = 40, n_test: int = 8, first: int = 0) -> Path:
    """In MVTec's layout: good plates, and test ones with spots, masks with them."""
    for index in range(n_train):
        write_plate(root / "train" / "good" / f"{index:03d}.png", first + index)
    for index in range(n_test):
        write_plate(root / "test" / "good" / f"{index:03d}.png", 500 + index)
        write_plate(root / "test" / "spot" / f"{index:03d}.png", 900 + index, spot=True)
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[8:24, 24:40] = 255
        save(root / "ground_truth" / "spot" / f"{index:03d}_mask.png", mask)
    return root


__all__ = ["MeanPicture", "MeanPictureConfig", "plate", "write_plates"]
