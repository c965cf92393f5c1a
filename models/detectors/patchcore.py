"""PatchCore: a memory of the features of normal patches; the nearest one says how odd a patch is.

Karsten Roth, Latha Pemula, Joaquin Zepeda, Bernhard Schoelkopf, Thomas Brox and Peter Gehler,
"Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, arXiv:2106.08265. Features of
the second and third layer of a network that was trained on ImageNet, each the mean of 3 x 3
places, joined; a greedy cover keeps the memory small.

Preset `paper`: WideResNet-50-2 at 224 x 224, a tenth of all patches kept. What differs: 20000 of
them at most; the joined features are not pooled again to 1024 numbers; every epoch's patches are
thinned to a pool of bounded size before the cover is sought.

Preset `lite`, the default: ResNet-18 and 4000 patches.

Weights come from torchvision's download or from a file (`weights=PATH`), when learning begins. They
are part of what is saved, so that a model's file is whole.
"""

import time
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from models.coreset import cover, nearest, projected
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import OptionError, TrainingError
from models.networks.backbone import Backbone, Name, remarks
from models.still_maps import blur

POOL = 12  # patches for each item of the memory, from which those are chosen
PROJECTED = 128  # dimensions in which the cover is sought, as in the published code
NEIGHBOURS = 9  # of the nearest item, that weigh the published score
READING = 0.5  # share of the budget after which no more pictures are read


@dataclass(frozen=True)
class PatchcoreConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    backbone: Name = "resnet18"
    weights: str = "download"  # torchvision's; or "random", or the path of a file
    layers: tuple[int, ...] = (1, 2)  # of the backbone, 1 to 3; the first sets the map's grid
    items: int = 4000  # of the memory, at most
    share: float = 0.1  # of all patches that the memory keeps
    batch: int = 16
    learning_rate: float = 0.0  # nothing is learned by descent

    def __post_init__(self) -> None:
        if not set(self.layers) <= {1, 2, 3} or list(self.layers) != sorted(set(self.layers)):
            raise OptionError(f"patchcore joins layers out of 1, 2, 3 in order, got {self.layers}")
        if min(self.size) < 32 or any(side % 16 for side in self.size):
            raise OptionError(
                "patchcore needs sides of at least 32 that are multiples of 16, "
                f"got {self.size[0]} x {self.size[1]}"
            )


class Patchcore(Detector):
    """Scores a picture by the distance of its oddest patch from a memory of normal ones."""

    name = "patchcore"
    kind = "image"
    paper = "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022"
    Config = PatchcoreConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (224, 224),
            "backbone": "wide_resnet50_2",
            "layers": (2, 3),
            "items": 20_000,
        },
    }
    shared = False

    config: PatchcoreConfig
    memory: Tensor  # (M, D)

    def __init__(self, config: PatchcoreConfig) -> None:
        super().__init__(config)
        self.backbone = Backbone(config.backbone)
        with torch.no_grad():
            width = self._patches(torch.zeros(1, config.channels, 32, 32)).shape[1]
        self.register_buffer("memory", torch.zeros(1, width))

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
        """Take the weights, read every picture once, keep a cover of the patches.

        Called again, it starts anew. Raises besides what `Detector.fit` does:
            WeightsError: If the weights are not to be had.
        """
        started = time.monotonic()
        if not self.fitted:
            pictures = (self.shaped(batch)[:, 0] for batch in clips)
            self.backbone.take(self.config.weights, pictures)
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        pool, seen = self._read(clips, budget, log, started, generator)
        count = max(1, min(self.config.items, round(self.config.share * seen)))

        def go_on() -> bool:
            return budget.spent(time.monotonic() - started, 0) < 1

        chosen = cover(projected(pool, PROJECTED, generator), count, go_on=go_on)
        self.memory = pool[chosen].clone()
        self.fitted = True
        return self.eval()

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the oddest patch's distance. Term "paper": the same, weighed by its neighbours."""
        self.check(clips)
        features = self._patches(clips[:, 0])
        B, D, h, w = features.shape
        rows = features.movedim(1, -1).reshape(-1, D)
        distance, item = nearest(rows, self.memory)
        coarse = distance.reshape(B, 1, h, w)
        maps = F.interpolate(coarse, self.config.size, mode="bilinear", align_corners=False)
        scores, oddest = distance.reshape(B, -1).max(dim=1)
        places = torch.arange(B, device=scores.device) * h * w + oddest
        published = self._weighed(rows[places], item[places], scores)
        return Findings(scores, blur(maps[:, 0]), {"paper": published})

    def _weighed(self, rows: Tensor, items: Tensor, distances: Tensor) -> Tensor:
        """Equation 7: less where the nearest item lies among others that are as near, (B,)."""
        around = torch.cdist(self.memory[items], self.memory)
        near = around.topk(min(NEIGHBOURS, len(self.memory)), largest=False).indices  # (B, b)
        to_them = (rows[:, None] - self.memory[near]).norm(dim=2)
        share = (distances - to_them.logsumexp(dim=1)).exp()
        return (1 - share.clamp(0, 1)) * distances

    def _patches(self, pictures: Tensor) -> Tensor:
        """Features of each patch, (B, D, h, w), at the first layer's resolution."""
        every = self.backbone(pictures)
        found = [F.avg_pool2d(every[i - 1], 3, stride=1, padding=1) for i in self.config.layers]
        size = found[0].shape[-2:]
        return torch.cat(
            [F.interpolate(f, size, mode="bilinear", align_corners=False) for f in found], dim=1
        )

    def _read(
        self, clips: Clips, budget: Budget, log: Log, started: float, generator: torch.Generator
    ) -> tuple[Tensor, int]:
        """At most `POOL` patches for each item, drawn evenly, and how many there were."""
        most = POOL * self.config.items
        pool, keys, seen = torch.empty(0), torch.empty(0), 0
        for index, batch in enumerate(clips, start=1):
            rows = self._patches(self.shaped(batch)[:, 0]).movedim(1, -1).flatten(0, 2)
            seen += len(rows)
            drawn = torch.rand(len(rows), generator=generator).to(rows.device)
            pool = torch.cat([pool.to(rows), rows]) if len(pool) else rows
            keys = torch.cat([keys.to(drawn), drawn])
            if len(pool) > most:  # the lowest keys of all stay: an even draw without knowing N
                keys, kept = keys.topk(most, largest=False)
                pool = pool[kept]
            seconds = time.monotonic() - started
            spent = budget.spent(seconds, index)
            log(Step("memory", index, seconds, READING * spent, {}))
            if budget.spent(seconds, 0) >= READING:
                break
        if not seen:
            raise TrainingError("there is no clip to learn from")
        return pool, seen
