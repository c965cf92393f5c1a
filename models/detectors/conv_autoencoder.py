"""Two-dimensional autoencoder of stacked frames: what cannot be rebuilt is anomalous.

Mahmudul Hasan, Jonghyun Choi, Jan Neumann, Amit K. Roy-Chowdhury and Larry S. Davis, "Learning
Temporal Regularity in Video Sequences", CVPR 2016, arXiv:1604.04574.

Preset `paper`: ten luma frames of 227 x 227 as channels, the published layers, the squared error
of the frame. What differs: Adam in place of AdaGrad; the score is e(t) of the newest frame,
un-normalised, as the regularity score needs the whole video; other temporal strides are the
caller's.

Preset `lite`, the default: fewer channels, maxima spread when unpooling, and the mean picture of
the training set taken away first, so that the little the network can hold goes to what moves;
absolute errors count instead of squares.
"""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.losses import intensity_loss
from models.networks.conv2d import StackAutoencoder, Unpooling, Widths
from models.similarity import absolute_error, squared_error
from models.training import Losses, Player, train
from models.usual import Rule, Usual, judge, mean_picture


@dataclass(frozen=True)
class ConvAutoencoderConfig:
    """Everything that may be chosen; frames are frames of the camera."""

    size: tuple[int, int] = (128, 192)
    length: int = 8  # frames in a stack
    stride: int = 1  # frames from one of them to the next
    widths: Widths = (64, 64, 32)
    unpooling: Unpooling = "nearest"
    subtract_mean: bool = True  # the mean picture of the training clips, before anything else
    learning_rate: float = 1e-3
    rule: Rule | Literal["paper"] = "frame"
    window_px: int = 24  # side of the window that "window" and "local" judge


class ConvAutoencoder(Detector):
    """Rebuilds a stack of frames through a bottleneck; scores the newest frame's error."""

    name = "conv_autoencoder"
    kind = "video"
    paper = "Hasan et al., Learning Temporal Regularity in Video Sequences, CVPR 2016"
    Config = ConvAutoencoderConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (227, 227),
            "length": 10,
            "widths": (512, 256, 128),
            "unpooling": "indices",
            "subtract_mean": False,
            "rule": "paper",
        },
    }
    concurrent = True

    config: ConvAutoencoderConfig
    background: Tensor

    def __init__(self, config: ConvAutoencoderConfig) -> None:
        super().__init__(config)
        self.network = StackAutoencoder(config.length, config.widths, unpooling=config.unpooling)
        self.usual = Usual(config.size, config.window_px)
        self.register_buffer("background", torch.full((1, *config.size), 0.5))

    @property
    def spec(self) -> ClipSpec:
        """Luma clips; the score is of the newest frame."""
        return ClipSpec(self.config.length, self.config.stride, self.config.size, channels=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 1, H, W) as they were rebuilt, around [0, 1]."""
        residual = 2 * (clips - self.background)  # in [-1, 1] where no mean was taken away
        return self.network(residual.flatten(1, 2)).unflatten(1, (-1, 1)) / 2 + self.background

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild; then which errors are usual where. As `Detector.fit`."""
        if self.config.subtract_mean and not self.training_state:
            self.background.copy_(mean_picture(map(self.shaped, clips)))
        players = [
            Player("autoencoder", self, self._losses, learning_rate=self.config.learning_rate)
        ]
        train(players, clips, budget=budget, log=log, state=self.training_state)
        if self.config.rule == "local":
            self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the newest frame's absolute error as `Rule` says, or e(t) ("paper", a term).

        e(t) is the squared error, summed over the frame.
        """
        self.check(clips)
        rebuilt, newest = self(clips)[:, -1], clips[:, -1]
        squared = squared_error(rebuilt, newest)
        published = {"paper": squared.sum(dim=(1, 2))}
        if self.config.rule == "paper":
            return Findings(published["paper"], squared, published)
        judged = judge(absolute_error(rebuilt, newest), newest, self.config.rule, self.usual)
        return Findings(judged.scores, judged.maps, judged.terms | published)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The newest frame as it was rebuilt, (B, 1, H, W) in [0, 1]."""
        self.check(clips)
        return self(clips)[:, -1].clamp(0, 1)

    def _losses(self, clips: Tensor) -> Losses:
        self.shaped(clips)
        return {"reconstruction": intensity_loss(self(clips), clips)}

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        self.shaped(clips)
        return absolute_error(self(clips)[:, -1], clips[:, -1])
