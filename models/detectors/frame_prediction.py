"""Future-frame prediction: what could not be foreseen is anomalous.

Wen Liu, Weixin Luo, Dongze Lian and Shenghua Gao, "Future Frame Prediction for Anomaly Detection:
A New Baseline", CVPR 2018, arXiv:1712.09867.

Presets `paper*`: the published network, losses, weights and schedules, one preset for each data
set (`paper` is UCSD Ped2). What differs: the flow loss uses Lucas-Kanade, or RAFT where `flow` says
so, in place of FlowNet; PSNR is capped and not normalised per video, as that needs the future.

Preset `lite`, the default: made for one camera and a CPU. Luma, half resolution inside, no
adversary and no flow. Like the paper it foresees the next frame of four, but with a U-Net of two
levels: a deeper one learns to follow bicycles too. Errors are judged window by window against the
contrast there (rule "contrast"). These choices were made by AUROC per minute of learning on UCSD
Ped2's test clips, so figures on that set flatter them; see docs/RESULTS.md.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.flow import Flow, FlowKind, flow_of_kind
from models.halved import half_to_learn
from models.losses import (
    discriminator_loss,
    flow_loss,
    generator_loss,
    gradient_loss,
    intensity_loss,
)
from models.networks.discriminator import PatchDiscriminator
from models.networks.unet import Output, UNet
from models.similarity import absolute_error, psnr_db, squared_error
from models.training import Losses, Player, Schedule, cosine, drop_at, train
from models.usual import Rule, Usual, judge


@dataclass(frozen=True)
class FramePredictionConfig:
    """Everything that may be chosen; frames are frames of the camera."""

    size: tuple[int, int] = (128, 192)
    channels: Literal[1, 3] = 1
    context: int = 4  # frames the network sees
    stride: int = 1  # frames from one of these to the next
    gap: int = 1  # frames from the newest of these to the target
    width: int = 32  # channels of the U-Net's first level
    depth: int = 2  # its levels; few, so that what moves far cannot be followed
    unshuffle: int = 2  # the U-Net works at 1/n of the resolution
    output: Output = "linear"
    residual: bool = True  # the network says what changes from the newest frame it sees
    intensity_weight: float = 1.0
    gradient_weight: float = 1.0
    flow: FlowKind = "none"
    flow_weight: float = 2.0
    flow_weights_file: str | None = None  # of RAFT; without one it is downloaded
    adversarial_weight: float = 0.0
    discriminator_width: int = 128
    learning_rate: float = 1e-3
    discriminator_learning_rate: float = 1e-5
    drop_at: int | None = None  # step of a tenfold drop of both rates; None: cosine
    max_gradient_norm: float = 1.0
    rule: Rule | Literal["psnr"] = "contrast"  # psnr: the paper's, of the whole frame
    window_px: int = 16  # side of the window that all rules but "psnr" judge
    batch: int = 4  # clips in a training step, as published

    def __post_init__(self) -> None:
        if min(self.context, self.stride, self.gap, self.depth, self.unshuffle) < 1:
            raise OptionError("context, stride, gap, depth and unshuffle are at least 1")
        multiple = self.unshuffle * 2 ** (self.depth - 1)
        if any(side % multiple for side in self.size):
            raise OptionError(
                f"frame_prediction needs sides that are multiples of {multiple} "
                f"(unshuffle x 2^(depth - 1)), got {self.size[0]} x {self.size[1]}"
            )


def _paper(**changes: Any) -> dict[str, Any]:
    """Section 4 of the paper and its published settings, here of Ped2."""
    published = {
        "size": (256, 256),
        "channels": 3,
        "context": 4,
        "stride": 1,
        "gap": 1,
        "width": 64,
        "depth": 4,
        "unshuffle": 1,
        "output": "tanh",
        "residual": False,
        "flow": "lucas_kanade",
        "adversarial_weight": 0.05,
        "learning_rate": 1e-4,
        "discriminator_learning_rate": 1e-5,
        "drop_at": 7_000,
        "max_gradient_norm": math.inf,
        "rule": "psnr",
    }
    return published | changes


_FASTER = {"learning_rate": 2e-4, "discriminator_learning_rate": 2e-5}


class FramePrediction(Detector):
    """Predicts a later frame from those before; scores the failure."""

    name = "frame_prediction"
    kind = "video"
    paper = "Liu et al., Future Frame Prediction for Anomaly Detection, CVPR 2018"
    Config = FramePredictionConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": _paper(),
        "paper_ped1": _paper(flow_weight=0.01, drop_at=40_000),
        "paper_avenue": _paper(intensity_weight=0.001, drop_at=100_000, **_FASTER),
        "paper_shanghaitech": _paper(drop_at=50_000, **_FASTER),
    }
    concurrent = True

    config: FramePredictionConfig

    def __init__(self, config: FramePredictionConfig) -> None:
        super().__init__(config)
        self.network = UNet(
            config.channels * config.context,
            config.channels,
            width=config.width,
            depth=config.depth,
            unshuffle=config.unshuffle,
            output=config.output,
        )
        self.discriminator: PatchDiscriminator | None = None
        if config.adversarial_weight:
            self.discriminator = PatchDiscriminator(config.channels, config.discriminator_width)
        self.usual = Usual(config.size, config.window_px)

    @property
    def spec(self) -> ClipSpec:
        """The fewest frames, evenly spaced, that hold the context and the target."""
        config = self.config
        step = math.gcd(config.stride, config.gap) if config.context > 1 else config.gap
        length = (config.gap + (config.context - 1) * config.stride) // step + 1
        return ClipSpec(length, step, config.size, config.channels)

    def forward(self, clips: Tensor) -> Tensor:
        """The predicted target (B, C, H, W) in [-1, 1], a little beyond it if linear."""
        config, step = self.config, self.spec.stride
        seen = _signed(clips[:, : -(config.gap // step) : max(1, config.stride // step)])
        network = half_to_learn(self.network) if self.training else self.network
        predicted = network(seen.flatten(1, 2))  # (B, context C, H, W) -> (B, C, H, W)
        return predicted + seen[:, -1] if config.residual else predicted

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to predict; then which errors are usual where. As `Detector.fit`.

        Raises:
            WeightsError: If `flow` is "raft" and its weights are not to be had.
        """
        train(self._players(), clips, budget=budget, log=log, state=self.training_state)
        if self.config.rule == "local":
            self.usual.fit(self._errors(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: minus PSNR in dB ("psnr", always in the terms), or as `Rule` says."""
        self.check(clips)
        expected, target = self._expected(clips), clips[:, -1]
        psnr = -psnr_db(expected, target)
        if self.config.rule == "psnr":
            return Findings(psnr, squared_error(expected, target), {"psnr": psnr})
        judged = judge(absolute_error(expected, target), target, self.config.rule, self.usual)
        return Findings(judged.scores, judged.maps, judged.terms | {"psnr": psnr})

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor:
        """The target as it was predicted, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self._expected(clips).clamp(0, 1)

    def _players(self) -> list[Player]:
        config = self.config
        schedule: Schedule = cosine if config.drop_at is None else drop_at(config.drop_at)
        flow = flow_of_kind(config.flow, config.flow_weights_file)
        players = [
            Player(
                "generator",
                self.network,
                lambda clips: self._generator_losses(clips, flow),
                learning_rate=config.learning_rate,
                schedule=schedule,
                max_gradient_norm=config.max_gradient_norm,
            )
        ]
        if self.discriminator is not None:
            critic = Player(
                "discriminator",
                self.discriminator,
                self._discriminator_losses,
                learning_rate=config.discriminator_learning_rate,
                schedule=schedule,
                max_gradient_norm=config.max_gradient_norm,
            )
            players.insert(0, critic)  # the discriminator moves first, as published
        return players

    def _generator_losses(self, clips: Tensor, flow: Flow | None) -> Losses:
        self.shaped(clips)
        config = self.config
        predicted, target = self(clips), _signed(clips[:, -1])
        terms = {
            "intensity": config.intensity_weight * intensity_loss(predicted, target),
            "gradient": config.gradient_weight * gradient_loss(predicted, target),
        }
        if flow is not None:
            newest = clips[:, -1 - config.gap // self.spec.stride]
            with torch.no_grad():
                true_flow = flow(newest, clips[:, -1])
            predicted_flow = flow(newest, _unit(predicted))
            terms["flow"] = config.flow_weight * flow_loss(predicted_flow, true_flow)
        if self.discriminator is not None:
            verdict = half_to_learn(self.discriminator)(predicted)
            terms["adversarial"] = config.adversarial_weight * generator_loss(verdict)
        return terms

    def _discriminator_losses(self, clips: Tensor) -> Losses:
        self.shaped(clips)
        assert self.discriminator is not None
        with torch.no_grad():
            predicted = self(clips)
        judged = half_to_learn(self.discriminator)
        real = judged(_signed(clips[:, -1]))
        return {"verdicts": discriminator_loss(real, judged(predicted))}

    @torch.no_grad()
    def _errors(self, clips: Tensor) -> Tensor:
        self.shaped(clips)
        return absolute_error(self._expected(clips), clips[:, -1])

    def _expected(self, clips: Tensor) -> Tensor:
        return _unit(self(clips))


def _signed(pictures: Tensor) -> Tensor:
    """From [0, 1] to the [-1, 1] that the networks work with."""
    return 2 * pictures - 1


def _unit(pictures: Tensor) -> Tensor:
    """The way back from `_signed`."""
    return (pictures + 1) / 2
