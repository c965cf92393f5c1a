"""EGBAD: a bidirectional GAN learns generator and encoder at once; what they fail at is anomalous.

Houssam Zenati, Chuan Sheng Foo, Bruno Lecouat, Gaurav Manek and Vijay Ramaseshan Chandrasekhar,
"Efficient GAN-Based Anomaly Detection", ICLR 2018 workshop, arXiv:1802.06222. The bidirectional
GAN is that of Donahue et al., ICLR 2017, arXiv:1605.09782.

Preset `paper`: 32 x 32, latent 200, w = 0.1, discrimination by feature matching ("fm") or by
cross-entropy ("cross_e"). What differs: DCGAN's layers in place of the ones made for 28 x 28
digits, and the weights' moving average is left out.

Preset `lite`, the default: 64 x 64, faster rates, and a cycle term |x - G(E(x))| in the loss of
generator and encoder (Li et al., "ALICE", NeurIPS 2017, arXiv:1709.01215): a bidirectional GAN only
sees to it that pairs look alike as a whole, so that G(E(x)) may be any normal picture, and mostly
is. The residual is held against what is usual at its place.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import whole_batch
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.networks.picture_gan import (
    PictureEncoder,
    PictureGenerator,
    Verdict,
    halving,
    initialise,
    refuse_sides,
    signed,
    unit,
)
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, constant, cosine, train

Discrimination = Literal["fm", "cross_e"]
LATENT_FEATURES = 512  # published, of the discriminator's layer on latents
JOINT_FEATURES = 1024  # published, of the layer on both


@dataclass(frozen=True)
class EgbadConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 3
    width: int = 16  # channels after the first layer
    latent: int = 100
    cycle_weight: float = 20.0
    discrimination: Discrimination = "fm"
    discrimination_weight: float = 0.1  # w, in the published score
    learning_rate: float = 1e-3  # of generator and encoder
    discriminator_learning_rate: float = 2e-4
    constant_rate: bool = False  # the paper's; else a cosine
    rule: Literal["places", "paper"] = "places"  # of the score
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_sides("egbad", self.size)


class Pairs(NamedTuple):
    """Pictures and latents that are said to belong together."""

    pictures: Tensor  # (B, C, H, W) in [-1, 1]
    latents: Tensor  # (B, Z)


class BothWays(nn.Module):
    """Generator and encoder, which play together against the discriminator."""

    def __init__(self, config: EgbadConfig) -> None:
        super().__init__()
        sizes = (config.size, config.channels, config.width, config.latent)
        self.generate = PictureGenerator(*sizes)
        self.encode = PictureEncoder(*sizes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1], encoded and generated again."""
        return self.generate(self.encode(pictures))


class PairDiscriminator(nn.Module):
    """Pairs -> whether the latent was encoded from the picture (high) or the other way round."""

    def __init__(self, config: EgbadConfig) -> None:
        super().__init__()
        self.pictures, features = halving(
            config.size, config.channels, config.width, normalised=True
        )
        self.latents = nn.Sequential(
            nn.Linear(config.latent, LATENT_FEATURES), nn.LeakyReLU(0.2), nn.Dropout(0.5)
        )
        self.joint = nn.Sequential(
            nn.Linear(features + LATENT_FEATURES, JOINT_FEATURES), nn.LeakyReLU(0.2)
        )
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(JOINT_FEATURES, 1))
        self.apply(initialise)

    def forward(self, pairs: Pairs) -> Verdict:
        """Logits, and features of the joint layer."""
        both = torch.cat([self.pictures(pairs.pictures), self.latents(pairs.latents)], dim=1)
        features = self.joint(both)
        return Verdict(self.head(features)[:, 0], features)


class Egbad(Detector):
    """Rebuilds pictures by an encoder and a generator learned at once; scores the failure."""

    name = "egbad"
    kind = "image"
    paper = "Zenati et al., Efficient GAN-Based Anomaly Detection, ICLR 2018 workshop"
    Config = EgbadConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "width": 32,
            "latent": 200,
            "cycle_weight": 0.0,
            "learning_rate": 1e-5,
            "discriminator_learning_rate": 1e-5,
            "constant_rate": True,
            "rule": "paper",
            "batch": 100,
        },
    }

    config: EgbadConfig

    def __init__(self, config: EgbadConfig) -> None:
        super().__init__(config)
        self.network = BothWays(config)
        self.discriminator = PairDiscriminator(config)
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, clips: Tensor) -> Tensor:
        """The pictures of clips (B, 1, C, H, W), rebuilt, (B, C, H, W) in (-1, 1)."""
        return self.network(signed(self.shaped(clips)[:, 0]))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn both ways; then which errors are usual where. As `Detector.fit`."""
        train(self._players(), clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' deviation from the usual, or the published one ("paper")."""
        self.check(clips)
        pictures = signed(clips[:, 0])
        latents = self.network.encode(pictures)
        rebuilt = self.network.generate(latents)
        published = {"paper": self._published(Pairs(pictures, latents), Pairs(rebuilt, latents))}
        errors = absolute_error(unit(rebuilt), clips[:, 0])
        if self.config.rule == "paper":
            return Findings(published["paper"], errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The pictures as they were rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return unit(self(clips))

    def _published(self, real: Pairs, rebuilt: Pairs) -> Tensor:
        verdict = self.discriminator(real)
        if self.config.discrimination == "cross_e":
            failure = F.softplus(-verdict.logits)
        else:
            failure = feature_distance(verdict, self.discriminator(rebuilt))
        residual = (real.pictures - rebuilt.pictures).abs().sum(dim=(1, 2, 3))
        share = self.config.discrimination_weight
        return (1 - share) * residual + share * failure

    def _players(self) -> list[Player]:
        config = self.config
        return [
            self._player(
                "discriminator",
                self.discriminator,
                self._discriminator_losses,
                config.discriminator_learning_rate,
            ),
            self._player("generator", self.network, self._generator_losses, config.learning_rate),
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

    def _pairs(self, clips: Tensor) -> tuple[Pairs, Pairs]:
        """(x, E(x)) and (G(z), z)."""
        pictures = signed(self.shaped(clips)[:, 0])
        latent, device = self.config.latent, clips.device
        noise = whole_batch.drawn(len(clips), lambda n: torch.randn(n, latent, device=device))
        encoded = Pairs(pictures, self.network.encode(pictures))
        return encoded, Pairs(self.network.generate(noise), noise)

    def _discriminator_losses(self, clips: Tensor) -> Losses:
        with torch.no_grad():
            encoded, generated = self._pairs(clips)
        return {
            "encoded": F.softplus(-self.discriminator(encoded).logits).mean(),
            "generated": F.softplus(self.discriminator(generated).logits).mean(),
        }

    def _generator_losses(self, clips: Tensor) -> Losses:
        encoded, generated = self._pairs(clips)
        terms = {
            "encoded": F.softplus(self.discriminator(encoded).logits).mean(),
            "generated": F.softplus(-self.discriminator(generated).logits).mean(),
        }
        if self.config.cycle_weight:
            cycle = F.l1_loss(self.network.generate(encoded.latents), encoded.pictures)
            terms["cycle"] = self.config.cycle_weight * cycle
        return terms

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        return absolute_error(unit(self(clips)), clips[:, 0])


def feature_distance(one: Verdict, other: Verdict) -> Tensor:
    """Sum of absolute differences of the features, (B,): the published "fm"."""
    return (one.features - other.features).abs().sum(dim=1)
