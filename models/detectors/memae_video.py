"""Memory-augmented autoencoder: clips are rebuilt from a memory of normal ones only.

Dong Gong, Lingqiao Liu, Vuong Le, Budhaditya Saha, Moussa Reda Mansour, Svetha Venkatesh and Anton
van den Hengel, "Memorizing Normality to Detect Anomaly: Memory-augmented Deep Autoencoder for
Unsupervised Anomaly Detection", ICCV 2019, arXiv:1904.02639.

Preset `paper`: 16 luma frames of 256 x 256, 2000 items, the length of the residual averaged over
the clip and given to its centre frame, which delays it by eight. What differs: shrinkage at 2/N
(published: 5/N, above the paper's own interval) that never empties a row, see `networks/memory.py`;
addressing by dot product as in the published code; the score is not normalised.

Preset `lite`, the default: online. Eight frames, fewer channels and items, half resolution inside,
cosines sharpened so that an item can stand out, the mean picture of the training set taken away
first, and the score is the newest frame's error.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.losses import intensity_loss, memory_entropy
from models.networks.conv3d import Decoder3d, Encoder3d, channels_first, channels_third
from models.networks.memory import Addressing, Memory
from models.similarity import residual_norm
from models.training import Losses, Player, constant, cosine, train
from models.usual import Rule, Usual, judge, mean_picture

STRIDES = ((1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))  # time, height, width; time shrinks to 1/8


@dataclass(frozen=True)
class MemaeVideoConfig:
    """Everything that may be chosen; frames are frames of the camera."""

    size: tuple[int, int] = (128, 192)
    length: int = 8  # frames of a clip; a multiple of 8
    stride: int = 1  # frames from one of them to the next
    widths: tuple[int, ...] = (32, 48, 64)  # of at most four layers
    unshuffle: int = 2  # the network works at 1/n of the resolution
    subtract_mean: bool = True  # the mean picture of the training clips, before anything else
    items: int = 256  # of the memory
    shrinkage: float | None = None  # None: 2 / items
    addressing: Addressing = "cosine"
    sharpness: float = 10.0  # times the cosine
    entropy_weight: float = 2e-4
    learning_rate: float = 1e-3
    constant_rate: bool = False  # the paper's; else a cosine
    rule: Rule | Literal["paper"] = "frame"
    window_px: int = 24  # side of the window that "window" and "local" judge

    def __post_init__(self) -> None:
        if not 1 <= len(self.widths) <= len(STRIDES):
            raise OptionError(f"memae_video has 1 to {len(STRIDES)} layers, got {self.widths}")
        multiple = self.unshuffle * 2 ** len(self.widths)
        if self.length % 2 ** (len(self.widths) - 1) or any(s % multiple for s in self.size):
            raise OptionError(
                f"memae_video needs sides that are multiples of {multiple} and a length of 8, 16, "
                f"... frames, got {self.size[0]} x {self.size[1]} and {self.length}"
            )


class Rebuilt(NamedTuple):
    """A clip as the memory has it."""

    clips: Tensor  # (B, T, 1, H, W), around [0, 1]
    weights: Tensor  # (B, N, t, h, w), how the memory was addressed


class MemaeVideo(Detector):
    """Rebuilds a clip from memorised latents; scores the failure."""

    name = "memae_video"
    kind = "video"
    paper = "Gong et al., Memorizing Normality to Detect Anomaly, ICCV 2019"
    Config = MemaeVideoConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (256, 256),
            "length": 16,
            "widths": (96, 128, 256, 256),
            "unshuffle": 1,
            "subtract_mean": False,
            "items": 2000,
            "addressing": "dot",
            "learning_rate": 1e-4,
            "constant_rate": True,
            "rule": "paper",
        },
    }
    concurrent = True

    config: MemaeVideoConfig
    background: Tensor

    def __init__(self, config: MemaeVideoConfig) -> None:
        super().__init__(config)
        pixels, widths = config.unshuffle**2, config.widths
        strides = STRIDES[: len(widths)]
        self.encode = Encoder3d(pixels, widths, strides)
        self.memory = Memory(
            config.items,
            widths[-1],
            shrinkage=config.shrinkage,
            addressing=config.addressing,
            sharpness=config.sharpness,
        )
        self.decode = Decoder3d(widths[-1], [*widths[-2::-1], pixels], strides[::-1])
        self.usual = Usual(config.size, config.window_px)
        self.register_buffer("background", torch.full((1, *config.size), 0.5))

    @property
    def spec(self) -> ClipSpec:
        """Luma clips; the target is the newest frame, or the centre one by the paper's rule."""
        config = self.config
        target = -config.length // 2 if config.rule == "paper" else -1
        return ClipSpec(config.length, config.stride, config.size, channels=1, target=target)

    def forward(self, clips: Tensor) -> Rebuilt:
        """Clips (B, T, 1, H, W) out of the memory."""
        residual = channels_first(2 * (clips - self.background), self.config.unshuffle)
        recall = self.memory(self.encode(residual))
        rebuilt = channels_third(self.decode(recall.latents), self.config.unshuffle)
        return Rebuilt(rebuilt / 2 + self.background, recall.weights)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which errors are usual where. As `Detector.fit`."""
        config = self.config
        if config.subtract_mean and not self.training_state:
            self.background.copy_(mean_picture(map(self.shaped, clips)))
        schedule = constant if config.constant_rate else cosine
        player = Player(
            "memae", self, self._losses, learning_rate=config.learning_rate, schedule=schedule
        )
        train([player], clips, budget=budget, log=log, state=self.training_state)
        if config.rule == "local":
            self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the newest frame's error as `Rule` says, or the clip's mean ("paper", a term)."""
        self.check(clips)
        rebuilt = self(clips).clips
        every = residual_norm(rebuilt.flatten(0, 1), clips.flatten(0, 1))  # (B T, H, W)
        errors = every.reshape(*clips.shape[:2], *clips.shape[3:])
        published = {"paper": errors.mean(dim=(1, 2, 3))}
        if self.config.rule == "paper":
            return Findings(published["paper"], errors.mean(dim=1), published)
        judged = judge(errors[:, -1], clips[:, -1], self.config.rule, self.usual)
        return Findings(judged.scores, judged.maps, judged.terms | published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The target frame as it was rebuilt, (B, 1, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips).clips[:, self.spec.target].clamp(0, 1)

    def _losses(self, clips: Tensor) -> Losses:
        self.shaped(clips)
        rebuilt = self(clips)
        return {
            "reconstruction": intensity_loss(rebuilt.clips, clips),
            "entropy": self.config.entropy_weight * memory_entropy(rebuilt.weights),
        }

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        self.shaped(clips)
        return residual_norm(self(clips).clips[:, -1], clips[:, -1])
