"""f-AnoGAN: an encoder learns the way back into a GAN of normal pictures; its failure is anomalous.

Thomas Schlegl, Philipp Seeboeck, Sebastian M. Waldstein, Georg Langs and Ursula Schmidt-Erfurth,
"f-AnoGAN: Fast Unsupervised Anomaly Detection with Generative Adversarial Networks", Medical Image
Analysis 54, 2019. The GAN is that of Gulrajani et al., NeurIPS 2017, arXiv:1704.00028.

Preset `paper`: 64 x 64 in gray, WGAN-GP with five critic steps to one of the generator, lambda 10,
then the encoder by izi_f with kappa 1. What differs: DCGAN's layers in place of residual ones, Adam
in place of RMSProp for the encoder, and the encoder is not forced into [-1, 1].

Preset `lite`, the default: colour, fewer channels, two critic steps, faster rates that fall as a
cosine. A critic's features have no scale of their own, and theirs grew to a hundred times the
residual; here their error is a share of them. Minutes are too few for a generator that knows all
normal pictures, so it goes on learning together with the encoder. The residual is held against what
is usual at its place.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import whole_batch
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
from models.training import Losses, Player, Stage, constant, cosine, train_stages

# What the encoder learns: izi, pictures rebuilt; izi_f, and their features; ziz, latents found.
Lesson = Literal["izi_f", "izi", "ziz"]


@dataclass(frozen=True)
class FanoganConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 3
    width: int = 16  # channels after the first layer
    latent: int = 100
    critic_steps: int = 2  # to one of the generator
    penalty_weight: float = 10.0  # lambda
    feature_weight: float = 1.0  # kappa
    relative_features: bool = True  # while learning, features' errors are shares of the features
    encoder_lesson: Lesson = "izi_f"
    encoder_share: float = 0.5  # of the budget
    tune_generator: bool = True  # it goes on learning together with the encoder
    learning_rate: float = 5e-4  # of critic and generator
    encoder_learning_rate: float = 1e-3
    constant_rate: bool = False  # the paper's; else a cosine
    rule: Literal["places", "paper"] = "places"  # of the score
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_sides("fanogan", self.size)


class Fanogan(Detector):
    """Rebuilds a picture as generator(encoder(picture)); scores the failure."""

    name = "fanogan"
    kind = "image"
    paper = "Schlegl et al., f-AnoGAN: Fast Unsupervised Anomaly Detection with GANs, MedIA 2019"
    Config = FanoganConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "channels": 1,
            "width": 64,
            "latent": 128,
            "critic_steps": 5,
            "relative_features": False,
            "tune_generator": False,
            "learning_rate": 1e-4,
            "encoder_learning_rate": 5e-5,
            "constant_rate": True,
            "rule": "paper",
            "batch": 64,
        },
    }

    config: FanoganConfig

    def __init__(self, config: FanoganConfig) -> None:
        super().__init__(config)
        sizes = (config.size, config.channels, config.width)
        self.generator = PictureGenerator(*sizes, config.latent)
        self.critic = PictureDiscriminator(*sizes, normalised=False)
        self.encoder = PictureEncoder(*sizes, config.latent)
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [-1, 1], rebuilt."""
        return self.generator(self.encoder(pictures))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to generate, then to find the way back, then which errors are usual where.

        As `Detector.fit`; called again, the encoder learns on. When interrupted in the first part
        there is nothing to score by yet.
        """
        share = self.config.encoder_share
        stages = (
            Stage("gan", 1 - share, self._adversaries),
            Stage("encoder", share, self._learner),
        )
        train_stages(stages, clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' deviation from the usual, or the residuals ("paper", a term)."""
        self.check(clips)
        pictures = signed(clips[:, 0])
        rebuilt = self(pictures)
        kappa = self.config.feature_weight
        losses = izi_f_losses(rebuilt, pictures, self.critic(rebuilt), self.critic(pictures), kappa)
        published = {"paper": losses}
        errors = absolute_error(unit(rebuilt), clips[:, 0])
        if self.config.rule == "paper":
            return Findings(losses, errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The pictures as they were rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return unit(self(signed(clips[:, 0])))

    def _adversaries(self) -> list[Player]:
        steps, rate = self.config.critic_steps, self.config.learning_rate
        return [
            self._player("critic", self.critic, self._critic_losses, rate),
            self._player("generator", self.generator, self._generator_losses, rate, every=steps),
        ]

    def _learner(self) -> list[Player]:
        config, module = self.config, nn.ModuleList([self.encoder])
        if config.tune_generator and config.encoder_lesson != "ziz":  # ziz needs it as it is
            module.append(self.generator)
        rate = config.encoder_learning_rate
        return [self._player("encoder", module, self._encoder_losses, rate, beta=0.5)]

    def _player(
        self,
        name: str,
        module: nn.Module,
        losses: Callable[[Tensor], Losses],
        rate: float,
        *,
        every: int = 1,
        beta: float = 0.0,
    ) -> Player:
        return Player(
            name,
            module,
            losses,
            learning_rate=rate,
            betas=(beta, 0.9),
            schedule=constant if self.config.constant_rate else cosine,
            every=every,
            max_gradient_norm=math.inf,
        )

    def _noise(self, clips: Tensor) -> Tensor:
        latent, device = self.config.latent, clips.device
        return whole_batch.drawn(len(clips), lambda n: torch.randn(n, latent, device=device))

    def _critic_losses(self, clips: Tensor) -> Losses:
        real = signed(self.shaped(clips)[:, 0])
        with torch.no_grad():
            fake = self.generator(self._noise(clips))
        device = real.device
        mix = whole_batch.drawn(len(real), lambda n: torch.rand(n, 1, 1, 1, device=device))
        penalty = gradient_penalty(self.critic, real + mix * (fake - real))
        return {
            "real": -self.critic(real).logits.mean(),
            "fake": self.critic(fake).logits.mean(),
            "penalty": self.config.penalty_weight * penalty,
        }

    def _generator_losses(self, clips: Tensor) -> Losses:
        return {"adversarial": -self.critic(self.generator(self._noise(clips))).logits.mean()}

    def _encoder_losses(self, clips: Tensor) -> Losses:
        config, pictures = self.config, signed(self.shaped(clips)[:, 0])
        if config.encoder_lesson == "ziz":
            noise = self._noise(clips)
            with torch.no_grad():
                generated = self.generator(noise)
            return {"latents": F.mse_loss(self.encoder(generated), noise)}
        rebuilt = self(pictures)
        terms = {"pictures": F.mse_loss(rebuilt, pictures)}
        if config.encoder_lesson == "izi_f":
            with torch.no_grad():
                real = self.critic(pictures).features
            difference = F.mse_loss(self.critic(rebuilt).features, real)
            scale = whole_batch.mean(real.square()) if config.relative_features else 1.0
            terms["features"] = config.feature_weight * difference / scale
        return terms

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        return absolute_error(unit(self(signed(self.shaped(clips)[:, 0]))), clips[:, 0])


def gradient_penalty(critic: Callable[[Tensor], Verdict], pictures: Tensor) -> Tensor:
    """Mean of (||gradient of the critic at a picture|| - 1)^2; pictures (B, C, H, W)."""
    pictures = pictures.detach().requires_grad_()
    logits = critic(pictures).logits
    (gradients,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


def izi_f_losses(
    rebuilt: Tensor, pictures: Tensor, found: Verdict, real: Verdict, kappa: float
) -> Tensor:
    """Mean squared residual + kappa that of the critic's features, (B,): the published score."""
    residual = (rebuilt - pictures).square().mean(dim=(1, 2, 3))
    return residual + kappa * (found.features - real.features).square().mean(dim=1)
