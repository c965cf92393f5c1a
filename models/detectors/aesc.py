"""Autoencoder with additive skips that cleans pictures of stains; scores what it would clean.

Anne-Sophie Collin and Christophe De Vleeschouwer, "Improved anomaly detection by training an
autoencoder with skip connections on images corrupted with stain-shaped noise", ICPR 2020,
arXiv:2008.12977.

Preset `paper`: 256 x 256 gray, six levels from 16 channels doubling, 5 x 5, one stain a picture,
the Euclidean norm of the residual map. The uncertainty is the variance over 30 passes with
dropout at scoring only, growing with depth. What differs: a cosine in place of a rate that falls
on plateaus; the residual is of a pass without dropout; what dropout leaves out is the same for
all pictures, so that a score depends on its picture alone.

Preset `lite`, the default: 128 x 128 in colour, five levels, stains among other ways to spoil a
picture, and differences in colour and edges, or deviations of the passes, against what is usual
at their place.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Generator, Tensor

from models import whole_batch
from models.corruptions import CORRUPTIONS, Corruption
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.picture import PictureAutoencoder
from models.rebuilding import Loss, Measure, Pair, Rebuilding, rebuilding_losses
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, train

Judged = Literal["residual", "uncertainty", "fused"]
SEED = 0  # of what dropout leaves out: the same for every picture and every time


@dataclass(frozen=True)
class AescConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (16, 32, 64, 128, 256)  # each level halves the sides
    kernel: int = 5  # odd
    skips: bool = True  # False: the paper's plain autoencoder
    corruption: Corruption | Literal["none"] = "mixed"
    loss: Loss = "mse"
    judged: Judged = "residual"
    measure: Measure = "both"  # of the residual
    rates: tuple[float, ...] = (0.0, 0.0, 0.1, 0.2, 0.4)  # of dropout when scoring, by level
    passes: int = 30  # with dropout
    rule: Literal["usual", "paper"] = "usual"
    learning_rate: float = 2e-3
    batch: int = 16

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if any(side % multiple for side in self.size):
            raise OptionError(
                f"aesc needs sides that are multiples of {multiple}, "
                f"got {self.size[0]} x {self.size[1]}"
            )
        if self.kernel % 2 == 0:
            raise OptionError(f"aesc: kernel is odd, got {self.kernel}")
        if len(self.rates) != len(self.widths) or not all(0 <= rate < 1 for rate in self.rates):
            raise OptionError(
                f"aesc: rates are one in [0, 1) for each of the {len(self.widths)} widths, "
                f"got {self.rates}"
            )
        if self.rule == "paper" and self.judged == "fused":
            raise OptionError("aesc: the paper does not fuse; judged='fused' needs rule='usual'")


class Sight(NamedTuple):
    """A picture, cleaned, and how far the passes with dropout differ."""

    cleaned: Tensor  # (B, C, H, W) in (0, 1)
    deviation: Tensor | None  # (B, H, W), over the passes; None where nobody asked


class Aesc(Detector):
    """Cleans a picture of what does not belong there; scores the difference."""

    name = "aesc"
    kind = "image"
    paper = "Collin and De Vleeschouwer, AESc with stain-shaped noise, ICPR 2020"
    Config = AescConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (256, 256),
            "channels": 1,
            "widths": (16, 32, 64, 128, 256, 512),
            "rates": (0.0, 0.0, 0.1, 0.2, 0.4, 0.5),
            "corruption": "stain",
            "rule": "paper",
            "learning_rate": 0.01,
        },
    }

    config: AescConfig

    def __init__(self, config: AescConfig) -> None:
        super().__init__(config)
        self.network = PictureAutoencoder(
            config.channels, config.widths, kernel=config.kernel, skips=config.skips
        )
        if config.rule == "usual" and config.judged != "uncertainty":
            self.rebuilding = Rebuilding(config.size, config.measure)
        if config.rule == "usual" and config.judged != "residual":
            self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W), cleaned, in (0, 1)."""
        return self.network(pictures)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to clean; then what is usual where. As `Detector.fit`."""
        player = Player("aesc", self, self._losses, learning_rate=self.config.learning_rate)
        train([player], clips, budget=budget, log=log, state=self.training_state)
        if self.config.rule == "usual" and self.config.judged != "uncertainty":
            self.rebuilding.fit(self._pair, held_out)
        if self.config.rule == "usual" and self.config.judged != "residual":
            self.usual.fit(self.deviation(self.shaped(clips)[:, 0]) for clips in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places of the map, or the norm of the map ("paper").

        Terms: "residual", and "uncertainty" where it is judged: the norms as published.
        """
        self.check(clips)
        pictures = clips[:, 0]
        sight = self._sight(pictures)
        published = {"residual": absolute_error(sight.cleaned, pictures)}
        if sight.deviation is not None:
            published["uncertainty"] = sight.deviation.square()
        terms = {name: _norm(found) for name, found in published.items()}
        if self.config.rule == "paper":
            return Findings(terms[self.config.judged], published[self.config.judged], terms)
        maps = self._unusual(sight, pictures)
        return Findings(top_mean(maps), maps, terms)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The picture, cleaned, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips[:, 0])

    @torch.no_grad()
    def deviation(self, pictures: Tensor) -> Tensor:
        """Deviation of each pixel over the passes, (B, H, W): root of the variance over colour."""
        chance = Generator().manual_seed(SEED)
        around = self.network.sampled(pictures, self.config.rates, chance)
        total, squares = torch.zeros_like(pictures), torch.zeros_like(pictures)
        for _ in range(self.config.passes - 1):
            off = self.network.sampled(pictures, self.config.rates, chance) - around
            total += off
            squares += off.square()
        mean = total / self.config.passes
        variance = (squares / self.config.passes - mean.square()).clamp_min(0)
        return variance.mean(dim=1).sqrt()

    def _sight(self, pictures: Tensor) -> Sight:
        asked = self.config.judged != "residual"
        return Sight(self(pictures), self.deviation(pictures) if asked else None)

    def _unusual(self, sight: Sight, pictures: Tensor) -> Tensor:
        """The map of what is unusual, (B, H, W), in deviations."""
        if sight.deviation is None:
            return self.rebuilding(sight.cleaned, pictures)
        uncertain = self.usual(sight.deviation)
        if self.config.judged == "uncertainty":
            return uncertain
        return (self.rebuilding(sight.cleaned, pictures) + uncertain) / 2

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


def _norm(maps: Tensor) -> Tensor:
    """Euclidean norm of each map, per pixel, so that it does not grow with the picture; (B,)."""
    return maps.square().mean(dim=(1, 2)).sqrt()
