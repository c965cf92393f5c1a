"""GANomaly: what is not encoded alike before and after rebuilding is anomalous.

Samet Akcay, Amir Atapour-Abarghouei and Toby P. Breckon, "GANomaly: Semi-Supervised Anomaly
Detection via Adversarial Training", ACCV 2018, arXiv:1805.06725.

Preset `paper`: 32 x 32, encoder - decoder - encoder, losses with weights 1 / 50 / 1, the score on
the latents. What differs: batch norm never learns from test pictures (the published code scores in
training mode), scores are not scaled by the test set's own, no epoch is chosen by test labels, and
a discriminator that has won is not started anew: the features it is matched by do not saturate.

Preset `lite`, the default: 64 x 64, fewer channels, a faster rate that falls as a cosine, and the
score is the residual |x - x'| held against what is usual at its place. Distances of latents tell
that a picture is odd as a whole; a small defect hardly moves them.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.networks.picture_gan import (
    PictureDiscriminator,
    PictureEncoder,
    PictureGenerator,
    Verdict,
    refuse_sides,
    signed,
    unit,
)
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, constant, cosine, frozen, train


@dataclass(frozen=True)
class GanomalyConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 3
    width: int = 16  # channels after the first layer
    latent: int = 100
    adversarial_weight: float = 1.0
    contextual_weight: float = 50.0
    encoder_weight: float = 1.0
    learning_rate: float = 1e-3
    constant_rate: bool = False  # the paper's; else a cosine
    rule: Literal["places", "paper"] = "places"  # of the score; the paper's is of the latents
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_sides("ganomaly", self.size)


class Rebuilt(NamedTuple):
    """A picture after the encoder, the decoder and the second encoder."""

    pictures: Tensor  # (B, C, H, W) in (-1, 1)
    latents: Tensor  # (B, Z), before
    again: Tensor  # (B, Z), after


class GanomalyGenerator(nn.Module):
    """Encoder - decoder - encoder; pictures (B, C, H, W) in [-1, 1]."""

    def __init__(self, config: GanomalyConfig) -> None:
        super().__init__()
        sizes = (config.size, config.channels, config.width, config.latent)
        self.encode = PictureEncoder(*sizes)
        self.decode = PictureGenerator(*sizes)
        self.encode_again = PictureEncoder(*sizes)

    def forward(self, pictures: Tensor) -> Rebuilt:
        """Pictures rebuilt, and both latents."""
        latents = self.encode(pictures)
        rebuilt = self.decode(latents)
        return Rebuilt(rebuilt, latents, self.encode_again(rebuilt))


class Ganomaly(Detector):
    """Rebuilds pictures from latents, with an adversary; scores the residual or the latents."""

    name = "ganomaly"
    kind = "image"
    paper = "Akcay et al., GANomaly: Semi-Supervised Anomaly Detection, ACCV 2018"
    Config = GanomalyConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "width": 64,
            "learning_rate": 2e-4,
            "constant_rate": True,
            "rule": "paper",
            "batch": 64,
        },
    }

    config: GanomalyConfig

    def __init__(self, config: GanomalyConfig) -> None:
        super().__init__(config)
        self.generator = GanomalyGenerator(config)
        self.discriminator = PictureDiscriminator(config.size, config.channels, config.width)
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, clips: Tensor) -> Rebuilt:
        """The pictures of clips (B, 1, C, H, W), rebuilt."""
        return self.generator(signed(self.shaped(clips)[:, 0]))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which errors are usual where. As `Detector.fit`."""
        train(self._players(), clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' deviation from the usual, or the latents' ("paper", a term)."""
        self.check(clips)
        rebuilt = self(clips)
        published = {"paper": latent_distance(rebuilt.latents, rebuilt.again)}
        errors = absolute_error(unit(rebuilt.pictures), clips[:, 0])
        if self.config.rule == "paper":
            return Findings(published["paper"], errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The pictures as they were rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return unit(self(clips).pictures)

    def _players(self) -> list[Player]:
        """The generator moves first, as published."""
        config, turns = self.config, Turns(self)
        schedule = constant if config.constant_rate else cosine
        both = (
            ("generator", self.generator, turns.generator),
            ("discriminator", self.discriminator, turns.discriminator),
        )
        return [
            Player(
                name,
                module,
                losses,
                learning_rate=config.learning_rate,
                betas=(0.5, 0.999),
                schedule=schedule,
                max_gradient_norm=math.inf,
            )
            for name, module, losses in both
        ]

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        return absolute_error(unit(self(clips).pictures), clips[:, 0])


class Turns:
    """The losses of both players on a batch (B, 1, C, H, W), the generator's asked for first.

    The discriminator judges what the generator made before its step, as published, and looks at
    the true pictures once for both: a fifth of all passes less than when each begins anew.
    """

    def __init__(self, detector: Ganomaly) -> None:
        self._detector = detector
        self._left: tuple[Verdict, Tensor] | None = None  # of true pictures; what was made

    def generator(self, clips: Tensor) -> Losses:
        """How far features, pictures and latents are from the true ones'."""
        detector, config = self._detector, self._detector.config
        rebuilt, pictures = detector(clips), signed(clips[:, 0])
        real = detector.discriminator(pictures)
        with frozen(detector.discriminator):
            fake = detector.discriminator(rebuilt.pictures).features
        self._left = real, rebuilt.pictures.detach()
        return {
            "adversarial": config.adversarial_weight * F.mse_loss(fake, real.features.detach()),
            "contextual": config.contextual_weight * F.l1_loss(rebuilt.pictures, pictures),
            "encoder": config.encoder_weight * F.mse_loss(rebuilt.again, rebuilt.latents),
        }

    def discriminator(self, _clips: Tensor) -> Losses:
        """The mean of both cross-entropies."""
        assert self._left is not None
        (real, made), self._left = self._left, None
        fake = self._detector.discriminator(made)
        return {
            "real": F.softplus(-real.logits).mean() / 2,
            "fake": F.softplus(fake.logits).mean() / 2,
        }


def latent_distance(before: Tensor, after: Tensor) -> Tensor:
    """Mean squared difference of latents (B, Z), (B,): the published code's score."""
    return (before - after).square().mean(dim=1)
