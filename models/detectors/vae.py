"""Variational autoencoder: a picture that its latent distribution does not explain is anomalous.

Jinwon An and Sungzoon Cho, "Variational Autoencoder based Anomaly Detection using Reconstruction
Probability", SNU Data Mining Center, 2015; Diederik P. Kingma and Max Welling, "Auto-Encoding
Variational Bayes", ICLR 2014, arXiv:1312.6114.

Preset `paper`: a Gaussian decoder of unit variance and the evidence bound (here: per pixel and
colour) as the score. What differs: convolutions, as the paper's networks are for rows of a table;
one pass through the mean of the latents in place of samples, so that a score is the same twice.

Preset `lite`, the default: the decoder's variance is what is best for the batch (Rybkin,
Daniilidis and Levine, "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021,
arXiv:2006.13202), so that neither term drowns the other at any size of picture; the score is of
differences in colour and edges against what is usual at their place.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from models import whole_batch
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.picture import PictureDecoder, PictureEncoder, deepest_shape
from models.rebuilding import Measure, Pair, Rebuilding
from models.similarity import squared_error
from models.still_maps import top_mean
from models.training import Losses, Player, train

LEAST_VARIANCE = 1e-5  # of the decoder: half a grey level of 256, squared; less is not learning


@dataclass(frozen=True)
class VaeConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (16, 32, 64, 128, 128)  # each level halves the sides
    kernel: int = 5  # odd
    latent: int = 128  # numbers that stand for a picture
    beta: float = 1.0  # times the divergence
    variance: Literal["best", "unit"] = "best"  # of the decoder
    measure: Measure = "both"
    rule: Literal["usual", "paper"] = "usual"
    learning_rate: float = 2e-3
    batch: int = 16

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if any(side % multiple for side in self.size):
            raise OptionError(
                f"vae needs sides that are multiples of {multiple}, "
                f"got {self.size[0]} x {self.size[1]}"
            )
        if self.kernel % 2 == 0:
            raise OptionError(f"vae: kernel is odd, got {self.kernel}")


class Latents(NamedTuple):
    """A Gaussian for each picture, (B, N) each."""

    mean: Tensor
    log_variance: Tensor

    def sample(self) -> Tensor:
        """One draw for each picture."""
        latent, device = self.mean.shape[1], self.mean.device
        noise = whole_batch.drawn(
            len(self.mean), lambda n: torch.randn(n, latent, device=device, dtype=self.mean.dtype)
        )
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self) -> Tensor:
        """Kullback-Leibler from the standard Gaussian, (B,), in nats."""
        squares = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return 0.5 * squares.sum(dim=1)


class Vae(Detector):
    """Rebuilds a picture from a Gaussian over latents; scores the failure."""

    name = "vae"
    kind = "image"
    paper = "An and Cho, VAE based Anomaly Detection using Reconstruction Probability, 2015"
    Config = VaeConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {"variance": "unit", "rule": "paper", "learning_rate": 1e-3},
    }

    config: VaeConfig

    def __init__(self, config: VaeConfig) -> None:
        super().__init__(config)
        shape = deepest_shape(config.widths, config.size)
        count = shape[0] * shape[1] * shape[2]
        self.encoder = PictureEncoder(config.channels, config.widths, config.kernel)
        self.to_latents = nn.Linear(count, 2 * config.latent)
        self.from_latents = nn.Sequential(nn.Linear(config.latent, count), nn.Unflatten(1, shape))
        self.decoder = PictureDecoder(config.channels, config.widths, config.kernel)
        self.to(memory_format=torch.channels_last)
        if config.rule == "usual":
            self.rebuilding = Rebuilding(config.size, config.measure)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def encode(self, pictures: Tensor) -> Latents:
        """What pictures (B, C, H, W) are taken for."""
        deepest = self.encoder(pictures)[-1]
        mean, log_variance = self.to_latents(deepest.flatten(1)).chunk(2, dim=1)
        return Latents(mean, log_variance.clamp(-10, 10))

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, N) as pictures, in (0, 1)."""
        return self.decoder(self.from_latents(latents))

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) rebuilt from the mean of their latents."""
        return self.decode(self.encode(pictures).mean)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which differences are usual where. As `Detector.fit`."""
        player = Player("vae", self, self._losses, learning_rate=self.config.learning_rate)
        train([player], clips, budget=budget, log=log, state=self.training_state)
        if self.config.rule == "usual":
            self.rebuilding.fit(self._pair, held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' unusual differences, or the evidence bound ("paper").

        Terms: "paper", and "divergence", in nats.
        """
        self.check(clips)
        pictures = clips[:, 0]
        latents = self.encode(pictures)
        rebuilt = self.decode(latents.mean)
        error, divergence = squared_error(rebuilt, pictures), latents.divergence()
        per_value = self.config.beta / pictures[0].numel()
        bound = 0.5 * error.mean(dim=(1, 2)) + per_value * divergence
        terms = {"paper": bound, "divergence": divergence}
        if self.config.rule == "paper":
            return Findings(bound, error, terms)
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
        """The evidence bound of a picture, in nats for each of its values."""
        pictures = self.shaped(clips)[:, 0]
        latents = self.encode(pictures)
        error = whole_batch.mean((self.decode(latents.sample()) - pictures).square())
        best = self.config.variance == "best"
        return {
            "likelihood": 0.5 * (error + LEAST_VARIANCE).log() if best else 0.5 * error,
            "divergence": self.config.beta / pictures[0].numel() * latents.divergence().mean(),
        }
