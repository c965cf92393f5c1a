"""Skip-GANomaly: a U-Net with an adversary rebuilds pictures; its failure is anomalous.

Samet Akcay, Amir Atapour-Abarghouei and Toby P. Breckon, "Skip-GANomaly: Skip Connected and
Adversarially Trained Encoder-Decoder Anomaly Detection", IJCNN 2019, arXiv:1901.08954.

Preset `paper`: 32 x 32, losses with weights 1 / 50 / 1, score 0.9 residual + 0.1 features. What
differs: batch norm never learns from test pictures, scores are not scaled by the test set's own, no
epoch is chosen by test labels, and the discriminator has no term on the latents.

Preset `lite`, the default: 128 x 128, and the network learns to repair. Skips are a way past the
bottleneck, by which a defect is copied as well as anything else (published results fall after the
first epoch); so defects are made on the input and the clean picture is what has to come out. The
residual is held against what is usual at its place.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import whole_batch
from models.corruptions import CORRUPTIONS, Corruption
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.networks.picture_gan import (
    PictureDiscriminator,
    Verdict,
    grid_of,
    initialise,
    refuse_sides,
    signed,
    unit,
    widths_of,
)
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, constant, cosine, train


@dataclass(frozen=True)
class SkipGanomalyConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    width: int = 16  # channels after the first layer
    corruption: Corruption | Literal["none"] = "mixed"  # of the input, while learning
    adversarial_weight: float = 1.0
    contextual_weight: float = 50.0
    latent_weight: float = 1.0
    feature_share: float = 0.1  # of the published score
    learning_rate: float = 1e-3
    discriminator_learning_rate: float = 2e-4
    constant_rate: bool = False  # the paper's; else a cosine
    rule: Literal["places", "paper"] = "places"  # of the score
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_sides("skip_ganomaly", self.size)


class SkipGenerator(nn.Module):
    """(B, C, H, W) in [-1, 1] -> the same; a skip joins both sides of every halving."""

    def __init__(self, size: tuple[int, int], channels: int, width: int) -> None:
        super().__init__()
        widths = [channels, *widths_of(width, grid_of(size)[0])]
        inner = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            _down(a, b, outermost=i == 0, innermost=i == len(inner) - 1)
            for i, (a, b) in enumerate(inner)
        )
        self.up = nn.ModuleList(
            _up(b if i == len(inner) - 1 else 2 * b, a, outermost=i == 0)
            for i, (a, b) in reversed(list(enumerate(inner)))
        )
        self.apply(initialise)
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures rebuilt."""
        x = pictures.contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for layer in self.down:
            x = layer(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for layer in self.up[1:]:
            x = layer(torch.cat([skips.pop(), x], dim=1))
        return x


def _down(before: int, after: int, *, outermost: bool, innermost: bool) -> nn.Sequential:
    bare = outermost or innermost
    stack = nn.Sequential() if outermost else nn.Sequential(nn.LeakyReLU(0.2))
    stack.append(nn.Conv2d(before, after, 4, 2, 1, bias=bare))
    return stack if bare else stack.append(nn.BatchNorm2d(after))


def _up(before: int, after: int, *, outermost: bool) -> nn.Sequential:
    stack = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1, bias=outermost))
    return stack.append(nn.Tanh() if outermost else nn.BatchNorm2d(after))


class SkipGanomaly(Detector):
    """Rebuilds, or repairs, pictures by a U-Net with an adversary; scores the residual."""

    name = "skip_ganomaly"
    kind = "image"
    paper = "Akcay et al., Skip-GANomaly, IJCNN 2019"
    Config = SkipGanomalyConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "width": 64,
            "corruption": "none",
            "learning_rate": 2e-4,
            "constant_rate": True,
            "rule": "paper",
            "batch": 64,
        },
    }

    config: SkipGanomalyConfig

    def __init__(self, config: SkipGanomalyConfig) -> None:
        super().__init__(config)
        sizes = (config.size, config.channels, config.width)
        self.generator = SkipGenerator(*sizes)
        self.discriminator = PictureDiscriminator(*sizes)
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1], rebuilt."""
        return unit(self.generator(signed(pictures)))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which errors are usual where. As `Detector.fit`."""
        train(self._players(), clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' deviation from the usual, or the published one ("paper")."""
        self.check(clips)
        pictures = clips[:, 0]
        rebuilt = self(pictures)
        real, fake = self._verdict(pictures), self._verdict(rebuilt)
        residual = (signed(rebuilt) - signed(pictures)).square().mean(dim=(1, 2, 3))
        share = self.config.feature_share
        published = {"paper": (1 - share) * residual + share * feature_error(real, fake)}
        errors = absolute_error(rebuilt, pictures)
        if self.config.rule == "paper":
            return Findings(published["paper"], errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The pictures as they were rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips[:, 0])

    def _verdict(self, pictures: Tensor) -> Verdict:
        return self.discriminator(signed(pictures))

    def _players(self) -> list[Player]:
        """The generator moves first, as published."""
        config = self.config
        return [
            self._player("generator", self.generator, self._generator_losses, config.learning_rate),
            self._player(
                "discriminator",
                self.discriminator,
                self._discriminator_losses,
                config.discriminator_learning_rate,
            ),
        ]

    def _player(
        self, name: str, module: nn.Module, losses: Callable[[Tensor], Losses], rate: float
    ) -> Player:
        return Player(
            name,
            module,
            losses,
            learning_rate=rate,
            betas=(0.5, 0.999),
            schedule=constant if self.config.constant_rate else cosine,
            max_gradient_norm=math.inf,
        )

    def _repaired(self, clips: Tensor) -> Tensor:
        """What the network makes of the pictures, spoilt where the configuration says so."""
        pictures, kind = self.shaped(clips)[:, 0], self.config.corruption
        if kind == "none":
            return self(pictures)
        corrupt = CORRUPTIONS[kind]
        return self(whole_batch.of_whole(lambda whole: corrupt(whole[:, 0], None), clips))

    def _generator_losses(self, clips: Tensor) -> Losses:
        config, pictures = self.config, clips[:, 0]
        rebuilt = self._repaired(clips)
        with torch.no_grad():
            real = self._verdict(pictures)
        fake = self._verdict(rebuilt)
        residual = F.l1_loss(signed(rebuilt), signed(pictures))
        return {
            "adversarial": config.adversarial_weight * F.softplus(-fake.logits).mean(),
            "contextual": config.contextual_weight * residual,
            "latent": config.latent_weight * F.mse_loss(fake.features, real.features),
        }

    def _discriminator_losses(self, clips: Tensor) -> Losses:
        with torch.no_grad():
            rebuilt = self._repaired(clips)
        real = F.softplus(-self._verdict(clips[:, 0]).logits).mean()
        return {"real": real, "fake": F.softplus(self._verdict(rebuilt).logits).mean()}

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        return absolute_error(self(self.shaped(clips)[:, 0]), clips[:, 0])


def feature_error(one: Verdict, other: Verdict) -> Tensor:
    """Mean squared difference of the features, (B,)."""
    return (one.features - other.features).square().mean(dim=1)
