"""Convolutional autoencoder of pictures: what cannot be rebuilt, or is repaired, is anomalous.

Paul Bergmann, Sindy Loewe, Michael Fauser, David Sattlegger and Carsten Steger, "Improving
Unsupervised Defect Segmentation by Applying Structural Similarity to Autoencoders", VISAPP 2019,
arXiv:1807.02011; corrupt and repair as the reconstructive half of Vitjan Zavrtanik, Matej Kristan
and Danijel Skocaj, "DRAEM", ICCV 2021, arXiv:2108.07610.

Preset `paper`: the former. 128 x 128, a bottleneck of 100 numbers, trained and judged by SSIM over
windows of 11. What differs: whole pictures, not patches; a convolution for each halving, with
batch norm, in place of the published nine; the score, which that paper does not have, is the mean
of the map.

Preset `lite`, the default: pictures are spoilt in training and the network repairs them; the
score is of differences in colour and in edges, against what is usual at their place.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from models import whole_batch
from models.corruptions import CORRUPTIONS, Corruption
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.picture import PictureAutoencoder
from models.rebuilding import Loss, Measure, Pair, Rebuilding, rebuilding_losses
from models.similarity import squared_error, ssim_map
from models.still_maps import top_mean
from models.training import Losses, Player, train


@dataclass(frozen=True)
class CaeConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (16, 32, 64, 128, 128)  # each level halves the sides
    kernel: int = 5  # odd
    latent: int | None = None  # numbers that a picture is squeezed to; None: the deepest level
    corruption: Corruption | Literal["none"] = "mixed"  # to be repaired
    loss: Loss = "both"
    measure: Measure = "both"
    rule: Literal["usual", "paper"] = "usual"
    learning_rate: float = 2e-3
    batch: int = 16

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if any(side % multiple for side in self.size):
            raise OptionError(
                f"cae needs sides that are multiples of {multiple}, "
                f"got {self.size[0]} x {self.size[1]}"
            )
        if self.kernel % 2 == 0:
            raise OptionError(f"cae: kernel is odd, got {self.kernel}")


class Cae(Detector):
    """Rebuilds a picture through a bottleneck; scores what differs."""

    name = "cae"
    kind = "image"
    paper = "Bergmann et al., Improving Unsupervised Defect Segmentation by SSIM, VISAPP 2019"
    Config = CaeConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "widths": (32, 32, 64, 128),
            "kernel": 3,
            "latent": 100,
            "corruption": "none",
            "loss": "ssim",
            "rule": "paper",
            "learning_rate": 2e-4,
        },
    }

    config: CaeConfig

    def __init__(self, config: CaeConfig) -> None:
        super().__init__(config)
        self.network = PictureAutoencoder(
            config.channels,
            config.widths,
            kernel=config.kernel,
            squeeze=None if config.latent is None else (config.size, config.latent),
        )
        if config.rule == "usual":
            self.rebuilding = Rebuilding(config.size, config.measure)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) as they were rebuilt or repaired, in (0, 1)."""
        return self.network(pictures)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which differences are usual where. As `Detector.fit`."""
        player = Player("cae", self, self._losses, learning_rate=self.config.learning_rate)
        train([player], clips, budget=budget, log=log, state=self.training_state)
        if self.config.rule == "usual":
            self.rebuilding.fit(self._pair, held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' unusual differences, or the mean of 1 - SSIM ("paper").

        Terms: "paper", and the mean squared error ("squared").
        """
        self.check(clips)
        pictures = clips[:, 0]
        rebuilt = self(pictures)
        unlike = 1 - ssim_map(rebuilt, pictures, 11)
        terms = {
            "paper": unlike.mean(dim=(1, 2)),
            "squared": squared_error(rebuilt, pictures).mean(dim=(1, 2)),
        }
        if self.config.rule == "paper":
            return Findings(terms["paper"], unlike, terms)
        maps = self.rebuilding(rebuilt, pictures)
        return Findings(top_mean(maps), maps, terms)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The picture as it was rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips[:, 0])

    def _pair(self, clips: Tensor) -> Pair:
        pictures = self.shaped(clips)[:, 0]
        return self(pictures), pictures

    def _losses(self, clips: Tensor) -> Losses:
        pictures = self.shaped(clips)[:, 0]
        spoilt = pictures
        if self.config.corruption != "none":
            corrupt = CORRUPTIONS[self.config.corruption]
            spoilt = whole_batch.of_whole(lambda whole: corrupt(whole[:, 0], None), clips)
        return rebuilding_losses(self(spoilt), pictures, self.config.loss)
