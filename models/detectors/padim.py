"""PaDiM: a Gaussian of features at every place; the Mahalanobis distance says how odd a place is.

Thomas Defard, Aleksandr Setkov, Angelique Loesch and Romaric Audigier, "PaDiM: a Patch Distribution
Modeling Framework for Anomaly Detection and Localization", ICPR 2020 workshops, arXiv:2011.08785.
Features of the first three layers of a network that was trained on ImageNet, joined; of their
channels a random choice; mean and covariance of each place. It needs things to lie where they lay.

Preset `paper`: ResNet-18 at 224 x 224, 100 channels, a place every 4 pixels ("R18-Rd100"). What
differs: 0.01 of the mean variance is added to the covariances where the paper adds 0.01 as such,
so that it does not matter how large the features are.

Preset `lite`, the default: a place every 8 pixels, a quarter of the memory.

Weights come from torchvision's download or from a file (`weights=PATH`), when learning begins. They
are part of what is saved, so that a model's file is whole.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import OptionError, TrainingError
from models.networks.backbone import Backbone, Name, remarks
from models.still_maps import blur, top_mean
from models.threads import one_thread

RIDGE = 0.01  # of the mean variance, added to all variances
LEAST_SEEN = 400  # pictures, repeats (which augmentation makes differ) counted


@dataclass(frozen=True)
class PadimConfig:
    """Everything that may be chosen; pixels are those of the detector's own size."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    backbone: Name = "resnet18"
    weights: str = "download"  # torchvision's; or "random", or the path of a file
    kept: int = 100  # channels of the joined features
    cell_px: int = 8  # from one place to the next; a multiple of 4
    rule: Literal["max", "top"] = "top"
    batch: int = 16
    learning_rate: float = 0.0  # nothing is learned by descent

    def __post_init__(self) -> None:
        if self.cell_px % 4:
            raise OptionError(f"padim needs a cell_px that is a multiple of 4, got {self.cell_px}")
        multiple = max(16, self.cell_px)
        if min(self.size) < 32 or any(side % multiple for side in self.size):
            raise OptionError(
                f"padim needs sides of at least 32 that are multiples of {multiple}, "
                f"got {self.size[0]} x {self.size[1]}"
            )


class Padim(Detector):
    """Scores each place by its distance from the Gaussian of that place."""

    name = "padim"
    kind = "image"
    paper = "Defard et al., PaDiM, ICPR 2020 workshops"
    Config = PadimConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {"size": (224, 224), "cell_px": 4, "rule": "max"},
    }
    shared = False

    config: PadimConfig
    kept: Tensor  # (K,), which channels
    mean: Tensor  # (h, w, K)
    whitening: Tensor  # (h, w, K, K); distance = |(x - mean) @ whitening|

    def __init__(self, config: PadimConfig) -> None:
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        with torch.no_grad():
            probe = torch.zeros(1, config.channels, 32, 32)
            self._widths = [layer.shape[1] for layer in self.backbone(probe)]
        kept = min(config.kept, sum(self._widths))
        h, w = (side // config.cell_px for side in config.size)
        self.register_buffer("kept", torch.arange(kept))
        self.register_buffer("mean", torch.zeros(h, w, kept))
        self.register_buffer("whitening", torch.zeros(h, w, kept, kept))
        self._part_kept()

    @property
    def spec(self) -> ClipSpec:
        """One picture."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Where the weights are from; for the report."""
        return remarks(self.config.backbone, self.config.weights)

    @torch.no_grad()
    def fit(
        self,
        clips: Clips,
        held_out: Clips,  # noqa: ARG002
        *,
        budget: Budget,
        log: Log = silent,
    ) -> Self:
        """Take the weights, choose channels, learn a Gaussian for each place.

        Called again, it starts anew. Raises besides what `Detector.fit` does:
            WeightsError: If the weights are not to be had.
        """
        if not self.fitted:
            pictures = (self.shaped(batch)[:, 0] for batch in clips)
            self.backbone.take(self.config.weights, pictures)
        self.kept.copy_(torch.randperm(sum(self._widths))[: len(self.kept)].sort().values)
        self._part_kept()
        total = torch.zeros_like(self.mean, dtype=torch.float64)
        products = torch.zeros_like(self.whitening)
        count = 0
        origin: Tensor | None = None  # near the mean, so that float32 is enough for the products
        for features in self._features(clips, budget, log):
            origin = features.mean(dim=0) if origin is None else origin
            away = features - origin
            count += len(away)
            total += away.sum(dim=0)
            by_place = away.flatten(1, 2).movedim(1, 0).contiguous()  # (hw, B, K)
            products.flatten(0, 1).baddbmm_(by_place.mT, by_place)
        if origin is None:
            raise TrainingError("there is no clip to learn from")
        mean = (total / count).float()
        covariance = products / count - mean[..., :, None] * mean[..., None, :]
        self.mean.copy_(origin + mean)
        self.whitening.copy_(_whitening(covariance))
        self.fitted = True
        return self.eval()

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: mean of the oddest places. Term "paper": the oddest one."""
        self.check(clips)
        away = self._places(clips[:, 0]) - self.mean
        distance = self._whitened(away).norm(dim=3)
        maps = F.interpolate(
            distance[:, None], self.config.size, mode="bilinear", align_corners=False
        )
        smooth = blur(maps[:, 0])
        scores = {"paper": smooth.amax(dim=(1, 2)), "top": top_mean(smooth)}
        return Findings(scores["paper" if self.config.rule == "max" else "top"], smooth, scores)

    def _whitened(self, away: Tensor) -> Tensor:
        """Place by place, (B, h, w, K); in the order in which OpenVINO computes it in bf16 too."""
        by_place = away.flatten(1, 2).movedim(1, 0) @ self.whitening.flatten(0, 1)  # (hw, B, K)
        return by_place.movedim(0, 1).reshape(away.shape)

    def _places(self, pictures: Tensor) -> Tensor:
        """The kept channels at each place, (B, h, w, K)."""
        size = (self.mean.shape[0], self.mean.shape[1])
        kept = [
            F.adaptive_avg_pool2d(layer[:, channels], size)
            if layer.shape[-1] > size[1]
            else F.interpolate(layer[:, channels], size, mode="bilinear", align_corners=False)
            for layer, channels in zip(self.backbone(pictures), self._channels, strict=True)
            if channels
        ]
        return torch.cat(kept, dim=1).movedim(1, -1)

    def load_state_dict(
        self,
        state_dict: Mapping[str, Any],
        strict: bool = True,  # noqa: FBT001, FBT002  torch's own
        assign: bool = False,  # noqa: FBT001, FBT002
    ) -> Any:
        """As torch's; which channels are kept is part of it."""
        found = super().load_state_dict(state_dict, strict, assign)
        self._part_kept()
        return found

    def _part_kept(self) -> None:
        """Which channels of each layer are kept: the others need not be resized."""
        ends = list(accumulate(self._widths, initial=0))
        self._channels = [
            [channel - begin for channel in self.kept.tolist() if begin <= channel < end]
            for begin, end in pairwise(ends)
        ]

    def _features(self, clips: Clips, budget: Budget, log: Log) -> Iterator[Tensor]:
        """Of at least `LEAST_SEEN` pictures, in whole epochs, while the budget lasts."""
        started, index, seen = time.monotonic(), 0, 0
        while index == 0 or seen < LEAST_SEEN:
            before = seen
            for batch in clips:
                spent = budget.spent(time.monotonic() - started, index)
                if spent >= 1 and index:
                    return
                yield self._places(self.shaped(batch)[:, 0])
                index, seen = index + 1, seen + len(batch)
                seconds = time.monotonic() - started
                log(Step("gaussians", index, seconds, budget.spent(seconds, index), {}))
            if seen == before:
                return


def _whitening(covariance: Tensor) -> Tensor:
    """Inverse of the Cholesky factor, transposed, of covariances (h, w, K, K) with their ridge."""
    K = covariance.shape[-1]
    variance = covariance.diagonal(dim1=-2, dim2=-1).mean()
    ridge = (RIDGE * variance + 1e-8) * torch.eye(K, device=covariance.device)
    identity = torch.eye(K, device=covariance.device).expand_as(covariance)
    with one_thread():
        factor = torch.linalg.cholesky(covariance + ridge)
        return torch.linalg.solve_triangular(factor, identity, upper=False).mT
