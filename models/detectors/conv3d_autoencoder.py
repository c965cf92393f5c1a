"""Spatio-temporal autoencoder with two decoders: one rebuilds the clip, one foresees what follows.

Yiru Zhao, Bing Deng, Chen Shen, Yao Liu, Hongtao Lu and Xian-Sheng Hua, "Spatio-Temporal
AutoEncoder for Video Anomaly Detection", ACM Multimedia 2017, doi:10.1145/3123266.3123451.

Preset `paper`: 16 luma frames of 128 x 128 are rebuilt and the next 16 foreseen; the score is the
error of rebuilding, given to the middle of those 16. What differs: the score is not normalised, as
that needs the whole video; the frames that are only foreseen are part of the clip, so the score
comes later than the paper's needs to.

Preset `lite`, the default: online. The newest frames are those foreseen, and the score is the
newest one's absolute error, of the whole frame and of its worst window. Narrower, works at a
quarter of the resolution, and the mean picture of the training set is taken away first, so that
what little the network can hold goes to what moves.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.losses import intensity_loss
from models.networks.conv3d import (
    Decoder3d,
    PoolingEncoder3d,
    Triple,
    channels_first,
    channels_third,
)
from models.similarity import absolute_error, squared_error
from models.training import Losses, Player, train
from models.usual import Rule, Usual, judge, mean_picture

POOLINGS = 3  # each halves the time


@dataclass(frozen=True)
class Conv3dAutoencoderConfig:
    """Everything that may be chosen; frames are frames of the camera."""

    size: tuple[int, int] = (128, 192)
    past: int = 8  # frames seen and rebuilt; a multiple of 8
    future: int = 4  # frames foreseen; past / 8 times 1, 2, 4 or 8
    stride: int = 2  # frames from one of them to the next
    widths: tuple[int, int, int, int] = (32, 48, 64, 64)
    decoder_widths: tuple[int, ...] = (64, 32)  # each layer enlarges, up to the third
    halvings: int = 1  # how many of the three poolings halve height and width, too
    unshuffle: int = 4  # the network works at 1/n of the resolution
    subtract_mean: bool = True  # the mean picture of the training clips, before anything else
    prediction_weight: float = 1.0
    learning_rate: float = 1e-3
    rule: Rule | Literal["paper"] = "both"
    window_px: int = 24  # side of the window that "window" and "local" judge

    def __post_init__(self) -> None:
        multiple = self.unshuffle * 2**self.halvings
        if self.past % 2**POOLINGS or any(side % multiple for side in self.size):
            raise OptionError(
                f"conv3d_autoencoder needs sides that are multiples of {multiple} and a past of 8, "
                f"16, ... frames, got {self.size[0]} x {self.size[1]} and {self.past}"
            )
        if len(self.decoder_widths) + 1 < POOLINGS:
            raise OptionError(f"conv3d_autoencoder needs {POOLINGS - 1} decoder_widths or more")
        doublings = math.log2(self.future * 2**POOLINGS / self.past)
        if doublings not in range(POOLINGS + 1):
            raise OptionError(
                f"conv3d_autoencoder cannot foresee {self.future} frames from {self.past}; "
                "the future is the past, or a half, a quarter or an eighth of it"
            )


class Views(NamedTuple):
    """A clip as the two decoders see it, around [0, 1]."""

    rebuilt: Tensor  # (B, past, 1, H, W)
    foreseen: Tensor  # (B, future, 1, H, W)


class Conv3dAutoencoder(Detector):
    """Rebuilds the past and foresees the future of a clip; scores the failure."""

    name = "conv3d_autoencoder"
    kind = "video"
    paper = "Zhao et al., Spatio-Temporal AutoEncoder for Video Anomaly Detection, ACM MM 2017"
    Config = Conv3dAutoencoderConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (128, 128),
            "past": 16,
            "future": 16,
            "widths": (32, 48, 64, 64),
            "decoder_widths": (48, 32, 32),
            "halvings": 3,
            "unshuffle": 1,
            "stride": 1,
            "subtract_mean": False,
            "rule": "paper",
        },
    }
    concurrent = True

    config: Conv3dAutoencoderConfig
    background: Tensor

    def __init__(self, config: Conv3dAutoencoderConfig) -> None:
        super().__init__(config)
        pixels = config.unshuffle**2
        self.encode = PoolingEncoder3d(
            pixels, config.widths, _factors(POOLINGS, POOLINGS, range(config.halvings))
        )
        self.rebuild = self._decoder(POOLINGS)
        self.foresee = self._decoder(int(math.log2(config.future * 2**POOLINGS / config.past)))
        self.usual = Usual(config.size, config.window_px)
        self.register_buffer("background", torch.full((1, *config.size), 0.5))

    @property
    def spec(self) -> ClipSpec:
        """Luma clips of past and future; the target is the newest frame, or mid-past by "paper"."""
        config = self.config
        length = config.past + config.future
        online = config.rule != "paper"
        target = -1 if online else config.past // 2 - length
        return ClipSpec(length, config.stride, config.size, channels=1, target=target)

    def forward(self, clips: Tensor) -> Views:
        """Both views of clips (B, T, 1, H, W); the future frames are not looked at."""
        past = 2 * (clips[:, : self.config.past] - self.background)
        latents = self.encode(channels_first(past, self.config.unshuffle))
        return Views(self._picture(self.rebuild, latents), self._picture(self.foresee, latents))

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn both views; then which errors are usual where. As `Detector.fit`."""
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
        """Score: absolute error of the newest, foreseen frame as `Rule` says, or the paper's.

        That is the mean squared error of rebuilding; the terms have those of both views.
        """
        self.check(clips)
        views, past = self(clips), self.config.past
        rebuilding = _squared(views.rebuilt, clips[:, :past])
        foreseeing = _squared(views.foreseen, clips[:, past:])
        terms = {
            "reconstruction": rebuilding.mean(dim=(1, 2)),
            "prediction": foreseeing.mean(dim=(1, 2)),
        }
        if self.config.rule == "paper":
            return Findings(terms["reconstruction"], rebuilding, terms)
        errors = absolute_error(views.foreseen[:, -1], clips[:, -1])
        judged = judge(errors, clips[:, -1], self.config.rule, self.usual)
        return Findings(judged.scores, judged.maps, judged.terms | terms)

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The target frame as it was foreseen or rebuilt, (B, 1, H, W) in [0, 1]."""
        self.check(clips)
        return torch.cat(self(clips), dim=1)[:, self.spec.target].clamp(0, 1)

    def _decoder(self, doublings: int) -> Decoder3d:
        """Undoes the poolings, but doubles time only the first `doublings` times."""
        widths = [*self.config.decoder_widths, self.config.unshuffle**2]
        late = range(POOLINGS - self.config.halvings, POOLINGS)  # small pictures cost less
        factors = _factors(len(widths), doublings, late)
        return Decoder3d(self.config.widths[-1], widths, factors)

    def _picture(self, decoder: nn.Module, latents: Tensor) -> Tensor:
        return channels_third(decoder(latents).tanh(), self.config.unshuffle) / 2 + self.background

    def _losses(self, clips: Tensor) -> Losses:
        self.shaped(clips)
        views, past = self(clips), self.config.past
        return {
            "reconstruction": intensity_loss(views.rebuilt, clips[:, :past]),
            "prediction": self.config.prediction_weight
            * prediction_loss(views.foreseen, clips[:, past:]),
        }

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        self.shaped(clips)
        return absolute_error(self(clips).foreseen[:, -1], clips[:, -1])


def _factors(layers: int, in_time: int, in_space: range) -> list[Triple]:
    """By how much each layer changes time (the first few), height and width (`in_space`)."""
    sides = [2 if layer in in_space else 1 for layer in range(layers)]
    return [(2 if layer < in_time else 1, side, side) for layer, side in enumerate(sides)]


def prediction_loss(foreseen: Tensor, future: Tensor) -> Tensor:
    """Squared error of T frames (B, T, C, H, W), the t-th weighted (T - t + 1) / T^2 (eq. 4)."""
    T = future.shape[1]
    weights = torch.arange(T, 0, -1, dtype=future.dtype, device=future.device) / T**2
    return ((foreseen - future).square().mean(dim=(0, 2, 3, 4)) * weights).sum()


def _squared(frames: Tensor, true: Tensor) -> Tensor:
    """Squared error averaged over a clip's frames, (B, H, W)."""
    return squared_error(frames.flatten(1, 2), true.flatten(1, 2))
