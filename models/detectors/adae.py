"""Adversarial dual autoencoder: one autoencoder rebuilds, a second one judges what it made.

Ha Son Vu, Daisuke Ueta, Kiyoshi Hashimoto, Kazuki Maeno, Sugiri Pranata and Sheng Mei Shen,
"Anomaly Detection with Adversarial Dual Autoencoders", arXiv:1902.06924, 2019.

Both are autoencoders. With |.| the mean absolute error,
    discriminator: |x - D(x)| - |G(x) - D(G(x))|,
    generator:     |x - G(x)| + |G(x) - D(G(x))|,
    score:         the length of x - D(G(x)).

Preset `paper`: 32 x 32, these losses, Adam at 1e-3 with 3/4 of it again and again, score over the
whole picture. What differs: each autoencoder is a strided encoder with a mirrored decoder.

The discriminator's loss has no lower bound: it can always rebuild the generator's pictures worse
still. Preset `lite`, the default, balances it as in Berthelot et al., "BEGAN", 2017,
arXiv:1703.10717: the second term is multiplied with k in (0, 1], which grows only while generated
pictures' errors are below `balance` times the real ones'. Errors are held against
what is usual at their place in held-out pictures.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn

from models import whole_batch
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.strided import StridedDecoder, StridedEncoder
from models.similarity import absolute_error, residual_norm
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, cosine, train

BALANCE_RATE = 0.01  # k's steps; BEGAN's 0.001 is for 100,000 of them
LEAST_SHARE = 0.01  # of k: at zero the two would no longer play against one another
DECAYS = 10  # times that the paper's rate is multiplied with 3/4: each 10 of 100 epochs


@dataclass(frozen=True)
class AdaeConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (32, 48, 64, 96)  # of both, after each halving
    latent: int = 64  # channels of the innermost layer
    objective: Literal["balanced", "unbounded"] = "balanced"
    balance: float = 0.7  # gamma of BEGAN: errors on generated pictures over those on real ones
    learning_rate: float = 1e-3
    stepped_rate: bool = False  # the paper's; else a cosine
    batch: int = 16
    rule: Literal["places", "paper"] = "places"

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if not self.widths or any(side % multiple for side in self.size):
            raise OptionError(
                f"adae with {len(self.widths)} widths needs one width or more and sides that are "
                f"multiples of {multiple}, got {self.size[0]} x {self.size[1]}"
            )


class DualHalf(nn.Module):
    """An autoencoder of pictures (B, C, H, W) in [-1, 1]."""

    def __init__(self, channels: int, widths: tuple[int, ...], latent: int) -> None:
        super().__init__()
        self.encode = StridedEncoder(channels, widths, activate_last=True)
        self.narrow = nn.Conv2d(widths[-1], latent, 1)
        self.widen = nn.Conv2d(latent, widths[-1], 1)
        self.decode = StridedDecoder(widths[::-1], channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """The pictures as they were rebuilt."""
        return self.decode(self.widen(self.narrow(self.encode(pictures)))).tanh()


class Adae(Detector):
    """Rebuilds a picture twice, by the generator and then the discriminator; scores the failure."""

    name = "adae"
    kind = "image"
    paper = "Vu et al., Anomaly Detection with Adversarial Dual Autoencoders, arXiv:1902.06924"
    Config = AdaeConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "widths": (64, 128, 192),
            "latent": 128,
            "objective": "unbounded",
            "stepped_rate": True,
            "batch": 64,
            "rule": "paper",
        },
    }

    config: AdaeConfig
    share_of_fakes: Tensor  # (), k

    def __init__(self, config: AdaeConfig) -> None:
        super().__init__(config)
        self.generator = DualHalf(config.channels, config.widths, config.latent)
        self.discriminator = DualHalf(config.channels, config.widths, config.latent)
        self.register_buffer("share_of_fakes", torch.tensor(LEAST_SHARE))
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] as both in a row rebuild them."""
        return (self.discriminator(self.generator(2 * pictures - 1)) + 1) / 2

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Let the two play; then learn which errors are usual where. As `Detector.fit`."""
        players = [
            self._player("discriminator", self.discriminator),
            self._player("generator", self.generator),
        ]
        train(players, clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' errors over the usual, or the residual's length ("paper")."""
        self.check(clips)
        pictures = clips[:, 0]
        rebuilt = self(pictures)
        published = {"paper": (rebuilt - pictures).square().mean(dim=(1, 2, 3)).sqrt()}
        if self.config.rule == "paper":
            return Findings(published["paper"], absolute_error(rebuilt, pictures), published)
        maps = self.usual(residual_norm(rebuilt, pictures))
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The picture as it was rebuilt by both, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips[:, 0]).clamp(0, 1)

    def _player(self, name: str, module: nn.Module) -> Player:
        judging = name == "discriminator"
        return Player(
            name,
            module,
            self._judging if judging else self._generating,
            learning_rate=self.config.learning_rate,
            schedule=stepped if self.config.stepped_rate else cosine,
        )

    def _judging(self, clips: Tensor) -> Losses:
        """The discriminator's: real pictures well, generated ones badly."""
        pictures = 2 * self.shaped(clips)[:, 0] - 1
        with torch.no_grad():
            made = self.generator(pictures)
        real = whole_batch.mean((pictures - self.discriminator(pictures)).abs())
        fake = whole_batch.mean((made - self.discriminator(made)).abs())
        if self.config.objective == "unbounded":
            return {"real": real, "fake": -fake}
        k = self.share_of_fakes.clone()
        surplus = (self.config.balance * real - fake).detach()
        self.share_of_fakes.add_(BALANCE_RATE * surplus / real.detach()).clamp_(LEAST_SHARE, 1)
        return {"real": real, "fake": -k * fake}

    def _generating(self, clips: Tensor) -> Losses:
        """The generator's: like the picture, and such as the discriminator rebuilds well."""
        pictures = 2 * self.shaped(clips)[:, 0] - 1
        made = self.generator(pictures)
        return {
            "reconstruction": (pictures - made).abs().mean(),
            "adversarial": (made - self.discriminator(made)).abs().mean(),
        }

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        pictures = self.shaped(clips)[:, 0]
        return residual_norm(self(pictures), pictures)


def stepped(spent: float, _step: int) -> float:
    """Three quarters of the rate, again after each tenth of the training."""
    return 0.75 ** int(spent * DECAYS)
