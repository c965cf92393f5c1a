"""AnoGAN: what no latent of a GAN of normal pictures can generate is anomalous.

Thomas Schlegl, Philipp Seeboeck, Sebastian M. Waldstein, Ursula Schmidt-Erfurth and Georg Langs,
"Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide Marker Discovery",
IPMI 2017, arXiv:1703.05921.

Preset `paper`: DCGAN at 64 x 64, then 500 steps of search per picture from one random latent, with
lambda 0.1. What differs: the search is of all pictures of a batch at once, each on its own, and
starts from the same latent always, so that a score can be had twice; the rates of the search are
those of Zenati et al., arXiv:1802.06222 (0.01, a tenth of it after 200 steps, half that after 300).

Preset `lite`, the default: fewer channels, and fewer steps of search that start from the nearest
of many fixed latents; the residual is held against what is usual at its place.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from models import whole_batch
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.networks.picture_gan import (
    PictureDiscriminator,
    PictureGenerator,
    Verdict,
    refuse_sides,
    signed,
    unit,
)
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, constant, cosine, train

STARTS_SEED = 20170317  # of the latents that a search may start from
STARTS_BATCH = 64  # of them are generated at a time


@dataclass(frozen=True)
class AnoganConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 3
    width: int = 16  # channels after the first layer
    latent: int = 64
    learning_rate: float = 5e-4
    discriminator_learning_rate: float = 2e-4
    constant_rate: bool = False  # the paper's; else a cosine
    search_steps: int = 60  # per picture
    search_rate: float = 0.1
    starts: int = 256  # fixed latents, the nearest of which begins the search
    discrimination_weight: float = 0.1  # lambda; the residual weighs 1 - lambda
    rule: Literal["places", "paper"] = "places"  # of the score; the paper's is the search's loss
    batch: int = 16

    def __post_init__(self) -> None:
        refuse_sides("anogan", self.size)


class Found(NamedTuple):
    """Where a search ended."""

    pictures: Tensor  # (B, C, H, W) in (-1, 1), the nearest that could be generated
    losses: Tensor  # (B,), the published score


class Anogan(Detector):
    """Searches the latent whose picture is nearest; scores the failure."""

    name = "anogan"
    kind = "image"
    paper = "Schlegl et al., Unsupervised Anomaly Detection with GANs, IPMI 2017"
    Config = AnoganConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "width": 64,
            "latent": 100,
            "learning_rate": 2e-4,
            "constant_rate": True,
            "search_steps": 500,
            "search_rate": 0.01,
            "starts": 1,
            "rule": "paper",
            "batch": 64,
        },
    }

    config: AnoganConfig
    starts: Tensor

    def __init__(self, config: AnoganConfig) -> None:
        super().__init__(config)
        sizes = (config.size, config.channels, config.width)
        self.generator = PictureGenerator(*sizes, config.latent)
        self.discriminator = PictureDiscriminator(*sizes)
        self.usual = UsualPlaces(config.size)
        noise = torch.Generator().manual_seed(STARTS_SEED)
        starts = torch.randn(config.starts, config.latent, generator=noise)
        self.register_buffer("starts", starts)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to generate; then which errors are usual where. As `Detector.fit`."""
        train(self._players(), clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(self._search(batch).pictures, batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' deviation from the usual, or the search's loss ("paper")."""
        self.check(clips)
        found = self._search(clips)
        published = {"paper": found.losses}
        errors = self._errors(found.pictures, clips)
        if self.config.rule == "paper":
            return Findings(found.losses, errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The nearest pictures that could be generated, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return unit(self._search(clips).pictures)

    def _search(self, clips: Tensor) -> Found:
        """Adam on each latent alone; what is summed over the batch has separate gradients."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            pictures = signed(self.shaped(clips)[:, 0].clone())
            with torch.no_grad():
                real = self.discriminator(pictures)
                latents = self._nearest(pictures)
            optimiser = torch.optim.Adam([latents.requires_grad_()], lr=self.config.search_rate)
            for step in range(self.config.search_steps):
                optimiser.param_groups[0]["lr"] = self._rate(step)
                losses = self._losses_at(latents, pictures, real).losses
                (latents.grad,) = torch.autograd.grad(losses.sum(), latents)
                optimiser.step()
            with torch.no_grad():
                return self._losses_at(latents, pictures, real)

    def _losses_at(self, latents: Tensor, pictures: Tensor, real: Verdict) -> Found:
        generated = self.generator(latents)
        share = self.config.discrimination_weight
        losses = search_losses(generated, pictures, self.discriminator(generated), real, share)
        return Found(generated, losses)

    def _rate(self, step: int) -> float:
        """Of the search: whole for two fifths of it, a tenth to three fifths, then a twentieth."""
        share = step / self.config.search_steps
        return self.config.search_rate * (1.0 if share < 0.4 else 0.1 if share < 0.6 else 0.05)

    def _nearest(self, pictures: Tensor) -> Tensor:
        """For each picture the start (B, Z) whose generated picture differs least from it."""
        some = torch.split(self.starts, STARTS_BATCH)
        generated = (one for part in some for one in self.generator(part))
        distances = [(one - pictures).abs().mean(dim=(1, 2, 3)) for one in generated]
        return self.starts[torch.stack(distances).argmin(dim=0)].clone()

    def _players(self) -> list[Player]:
        config = self.config
        schedule = constant if config.constant_rate else cosine
        rates = (config.discriminator_learning_rate, config.learning_rate)
        both = (
            ("discriminator", self.discriminator, self._discriminator_losses),
            ("generator", self.generator, self._generator_losses),
        )
        return [
            Player(
                name,
                module,
                losses,
                learning_rate=rate,
                betas=(0.5, 0.999),
                schedule=schedule,
                max_gradient_norm=math.inf,
            )
            for (name, module, losses), rate in zip(both, rates, strict=True)
        ]

    def _generated(self, clips: Tensor) -> Tensor:
        sizes, device = self.config.latent, clips.device
        noise = whole_batch.drawn(len(clips), lambda n: torch.randn(n, sizes, device=device))
        return self.generator(noise)

    def _discriminator_losses(self, clips: Tensor) -> Losses:
        real = self.discriminator(signed(self.shaped(clips)[:, 0])).logits
        with torch.no_grad():
            generated = self._generated(clips)
        fake = self.discriminator(generated).logits
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def _generator_losses(self, clips: Tensor) -> Losses:
        fake = self.discriminator(self._generated(clips)).logits
        return {"adversarial": F.softplus(-fake).mean()}

    def _errors(self, found: Tensor, clips: Tensor) -> Tensor:
        return absolute_error(unit(found), clips[:, 0])


def search_losses(
    generated: Tensor, pictures: Tensor, fake: Verdict, real: Verdict, share: float
) -> Tensor:
    """(1 - share) sum |x - G(z)| + share sum |f(x) - f(G(z))|, (B,); f are features (eq. 2-5)."""
    residual = (generated - pictures).abs().sum(dim=(1, 2, 3))
    discrimination = (fake.features - real.features).abs().sum(dim=1)
    return (1 - share) * residual + share * discrimination
