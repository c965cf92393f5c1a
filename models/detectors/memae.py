"""Memory-augmented autoencoder of single pictures: rebuilt from a memory of normal parts only.

Dong Gong, Lingqiao Liu, Vuong Le, Budhaditya Saha, Moussa Reda Mansour, Svetha Venkatesh and Anton
van den Hengel, "Memorizing Normality to Detect Anomaly: Memory-augmented Deep Autoencoder for
Unsupervised Anomaly Detection", ICCV 2019, arXiv:1904.02639, section 4.1.

Preset `paper`: the network for CIFAR-10 (32 x 32, widths 64-128-128-256, N = 500), one memory for
all places of the feature map, entropy weight 0.0002, Adam at 1e-4; score: the length of the
residual averaged over the picture, not normalised. What differs: shrinkage at 2/N that never
empties a row, see `networks/memory.py`; nearest-neighbour doubling in place of transposed
convolutions.

Preset `lite`, the default: four halvings and no batch norm in 128 x 128, cosines sharpened so that
an item can stand out; errors are held against what is usual at their place in held-out pictures,
and the worst half per cent of places is the score.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.losses import intensity_loss, memory_entropy
from models.networks.memory import Addressing, Memory
from models.networks.strided import BatchNorm, StridedDecoder, StridedEncoder
from models.similarity import residual_norm
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, constant, cosine, train


@dataclass(frozen=True)
class MemaeConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (32, 64, 96, 128)  # after each halving
    batch_norm: BatchNorm = "affine"
    items: int = 200  # of the memory
    shrinkage: float | None = None  # None: 2 / items
    addressing: Addressing = "cosine"
    sharpness: float = 10.0  # times the cosine
    entropy_weight: float = 2e-4
    learning_rate: float = 1e-3
    constant_rate: bool = False  # the paper's; else a cosine
    batch: int = 16
    rule: Literal["places", "paper"] = "places"

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if not self.widths or any(side % multiple for side in self.size):
            raise OptionError(
                f"memae with {len(self.widths)} widths needs one width or more and sides that are "
                f"multiples of {multiple}, got {self.size[0]} x {self.size[1]}"
            )


class Rebuilt(NamedTuple):
    """Pictures as the memory has them."""

    pictures: Tensor  # (B, C, H, W), around [0, 1]
    weights: Tensor  # (B, N, h, w), how the memory was addressed


class Memae(Detector):
    """Rebuilds a picture from memorised latents, place by place; scores the failure."""

    name = "memae"
    kind = "image"
    paper = "Gong et al., Memorizing Normality to Detect Anomaly, ICCV 2019"
    Config = MemaeConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "widths": (64, 128, 128, 256),
            "items": 500,
            "sharpness": 1.0,
            "learning_rate": 1e-4,
            "constant_rate": True,
            "rule": "paper",
        },
    }

    config: MemaeConfig

    def __init__(self, config: MemaeConfig) -> None:
        super().__init__(config)
        widths = config.widths
        self.encode = StridedEncoder(config.channels, widths, batch_norm=config.batch_norm)
        self.memory = Memory(
            config.items,
            widths[-1],
            shrinkage=config.shrinkage,
            addressing=config.addressing,
            sharpness=config.sharpness,
        )
        self.decode = StridedDecoder(widths[::-1], config.channels, batch_norm=config.batch_norm)
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Rebuilt:
        """Pictures (B, C, H, W) out of the memory."""
        recall = self.memory(self.encode(2 * pictures - 1))
        return Rebuilt((self.decode(recall.latents) + 1) / 2, recall.weights)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which errors are usual where. As `Detector.fit`."""
        config = self.config
        schedule = constant if config.constant_rate else cosine
        player = Player(
            "memae", self, self._losses, learning_rate=config.learning_rate, schedule=schedule
        )
        train([player], clips, budget=budget, log=log, state=self.training_state)
        self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' errors over the usual, or the mean error ("paper", a term)."""
        self.check(clips)
        errors = self._errors(clips)
        published = {"paper": errors.mean(dim=(1, 2))}
        if self.config.rule == "paper":
            return Findings(published["paper"], errors, published)
        maps = self.usual(errors)
        return Findings(top_mean(maps), maps, published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The picture as it was rebuilt, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips[:, 0]).pictures.clamp(0, 1)

    def _losses(self, clips: Tensor) -> Losses:
        pictures = self.shaped(clips)[:, 0]
        rebuilt = self(pictures)
        return {
            "reconstruction": intensity_loss(rebuilt.pictures, pictures),
            "entropy": self.config.entropy_weight * memory_entropy(rebuilt.weights),
        }

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        pictures = self.shaped(clips)[:, 0]
        return residual_norm(self(pictures).pictures, pictures)
