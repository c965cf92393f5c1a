"""CutPaste: a network learns to tell pictures with a piece moved; its features give a density.

Chun-Liang Li, Kihyuk Sohn, Jinsung Yoon and Tomas Pfister, "CutPaste: Self-Supervised Learning for
Anomaly Detection and Localization", CVPR 2021, arXiv:2104.04015. Three classes: a picture as it
is, with a patch of itself pasted elsewhere, with a thin turned scar. The score is the Mahalanobis
distance of the normalised embedding (covariance after Ledoit and Wolf); the map is Grad-CAM of it,
or, with `patch_px`, the distances of small crops all over the picture.

Preset `paper`: ResNet-18 from scratch at 256 x 256, gradient descent at 0.03 with momentum 0.9 and
decay 3e-5, 32 pictures a step, an embedding of 128. What differs: pictures are moved about by 4 %
before pasting, as the paper says and its best known port leaves out; no more than 1000 pictures
make the density.

Preset `lite`, the default: a small residual network without the early pooling, at 128 x 128.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import whole_batch
from models.corruptions import cut_paste, scar
from models.density import GaussianDensity
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.residual import ResidualEncoder
from models.still_maps import blur, top_mean
from models.training import Losses, Player, train

Task = Literal["3way", "patch", "scar"]
PASTING: dict[Task, tuple[Callable[[Tensor], Tensor], ...]] = {
    "3way": (cut_paste, scar),
    "patch": (cut_paste,),
    "scar": (scar,),
}
MOVE = 0.04  # of a side; pictures are moved by up to it before anything is pasted
LEAST_SEEN, MOST_SEEN = 500, 1000  # pictures that the density is learned from, repeats counted
CROPS_AT_ONCE = 512  # of the patch variant


@dataclass(frozen=True)
class CutpasteConfig:
    """Everything that may be chosen; pixels are those of the detector's own size."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    task: Task = "3way"
    network: Literal["small", "resnet18"] = "small"
    widths: tuple[int, ...] = (24, 48, 96, 128)  # of the small network, at 1/2, 1/4, ...
    embedding: int = 128
    patch_px: int | None = None  # side of the crops that are judged one by one; None: the whole
    stride_px: int = 8  # from one crop to the next
    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 3e-5
    batch: int = 16

    def __post_init__(self) -> None:
        side = min(self.size) if self.patch_px is None else self.patch_px
        multiple = 32 if self.network == "resnet18" else 2 ** len(self.widths)
        sides = self.size if self.patch_px is None else (self.patch_px,)
        if side < 16 or any(s % multiple for s in sides) or side > min(self.size):
            raise OptionError(
                f"cutpaste needs sides of at least 16 that are multiples of {multiple}, and crops "
                f"no larger than the picture; got {self.size[0]} x {self.size[1]}, "
                f"patch_px={self.patch_px}"
            )


class Cutpaste(Detector):
    """Scores how far a picture's self-taught features are from normal ones."""

    name = "cutpaste"
    kind = "image"
    paper = "Li et al., CutPaste, CVPR 2021"
    Config = CutpasteConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {"size": (256, 256), "network": "resnet18", "batch": 32},
    }

    config: CutpasteConfig

    def __init__(self, config: CutpasteConfig) -> None:
        super().__init__(config)
        self.features, width = _trunk(config)
        self.head = nn.Sequential(
            nn.Linear(width, config.embedding, bias=False),
            nn.BatchNorm1d(config.embedding),
            nn.ReLU(inplace=True),
        )
        self.classify = nn.Linear(config.embedding, len(PASTING[config.task]) + 1)
        self.density = GaussianDensity(width)

    @property
    def spec(self) -> ClipSpec:
        """One picture."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Which class each picture (B, C, H, W) is of, as logits (B, 3) or (B, 2)."""
        return self.classify(self.head(self.features(pictures).mean(dim=(2, 3))))

    def fit(
        self,
        clips: Clips,
        held_out: Clips,  # noqa: ARG002
        *,
        budget: Budget,
        log: Log = silent,
    ) -> Self:
        """Learn to tell what was pasted; then the density of normal features."""
        config = self.config
        player = Player(
            "cutpaste",
            self,
            self._losses,
            learning_rate=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        train([player], clips, budget=budget, log=log, state=self.training_state)
        self.eval()
        self.density.fit(torch.cat(list(self._normal_embeddings(clips))))
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: distance of the embedding, or the mean of the worst crops'.

        Term "class": how sure the network is that something was pasted, in nats.
        """
        self.check(clips)
        pictures = clips[:, 0]
        if self.config.patch_px is None:
            features = self.features(pictures)
            scores, maps = self._raised(features)
            logits = self.classify(self.head(features.mean(dim=(2, 3)))).float()
            return Findings(scores, maps, {"class": -logits.log_softmax(dim=1)[:, 0]})
        maps = self._crop_distances(pictures)
        return Findings(top_mean(maps), maps)

    def _distance(self, features: Tensor) -> Tensor:
        """Root of the squared Mahalanobis distance of features (B, K, h, w), (B,)."""
        return (self.density(_embedded(features)) + 1e-6).sqrt()

    def _raised(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """`_distance` and, over the picture, Grad-CAM of it: (B,) and (B, H, W).

        The embedding is a mean over places, so its gradient is one for all of them and is written
        out here; `models.saliency.grad_cam` says the same, but no exported graph holds a gradient.
        """
        mean = features.mean(dim=(2, 3)).float()
        length = mean.norm(dim=1, keepdim=True).clamp_min(1e-12)
        unit, distance = mean / length, self._distance(features)
        steep = self.density.slope(unit) / distance[:, None]
        places = features.shape[2] * features.shape[3]
        slope = (steep - unit * (unit * steep).sum(dim=1, keepdim=True)) / (length * places)
        raised = (slope[:, :, None, None] * features).sum(dim=1, keepdim=True).relu()
        spread = F.interpolate(raised, self.config.size, mode="bilinear", align_corners=False)
        return distance, spread[:, 0]

    def _losses(self, clips: Tensor) -> Losses:
        seen = whole_batch.of_whole(self._seen, self.shaped(clips))
        kinds = torch.arange(len(seen), device=clips.device).repeat_interleave(len(seen[0]))
        return {"class": F.cross_entropy(self(torch.cat(seen)), kinds)}

    def _seen(self, clips: Tensor) -> tuple[Tensor, ...]:
        """The pictures of each class: normal ones, and as each way of pasting leaves them."""
        moved = _crop(_moved(clips[:, 0]), self.config.patch_px)
        return (moved, *(paste(moved) for paste in PASTING[self.config.task]))

    @torch.no_grad()
    def _normal_embeddings(self, clips: Clips) -> Iterator[Tensor]:
        """Of training pictures as the loader gives them, again and again until they are many."""
        seen = 0
        while seen < LEAST_SEEN:
            for batch in itertools.islice(clips, MOST_SEEN):
                pictures = _crop(batch[:, 0], self.config.patch_px)
                yield _embedded(self.features(pictures))
                seen += len(pictures)
                if seen >= MOST_SEEN:
                    return

    def _crop_distances(self, pictures: Tensor) -> Tensor:
        """Distance of the crop around each place, (B, H, W)."""
        side, stride = self.config.patch_px or 0, self.config.stride_px
        crops = pictures.unfold(2, side, stride).unfold(3, side, stride)  # (B, C, h, w, s, s)
        h, w = crops.shape[2:4]
        flat = crops.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
        found = [self._distance(self.features(part)) for part in torch.split(flat, CROPS_AT_ONCE)]
        coarse = torch.cat(found).reshape(-1, 1, h, w)
        # the first crop's centre is half a crop from the border; what is beyond gets the nearest's
        full = [(n - 1) * stride + 1 for n in (h, w)]
        inner = F.interpolate(coarse, full, mode="bilinear", align_corners=True)
        above, left = side // 2, side // 2
        below, right = (
            total - before - size
            for total, before, size in zip(self.config.size, (above, left), full, strict=True)
        )
        return blur(F.pad(inner, (left, right, above, below), mode="replicate")[:, 0])


def _trunk(config: CutpasteConfig) -> tuple[Callable[[Tensor], Tensor], int]:
    """A network from pictures to the maps of its last convolution, and how many there are."""
    if config.network == "small":
        return LastOf(ResidualEncoder(config.channels, config.widths)), config.widths[-1]
    from torchvision.models import resnet18  # importing it takes as long as torch does

    whole = resnet18(weights=None)
    if config.channels == 1:
        whole.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return nn.Sequential(*list(whole.children())[:-2]), 512


class LastOf(nn.Sequential):
    """The coarsest features of an encoder."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, h, w)."""
        return self[0](pictures)[-1]


def _embedded(features: Tensor) -> Tensor:
    """Mean over places, of length one, (B, K)."""
    return F.normalize(features.mean(dim=(2, 3)).float(), dim=1)


def _moved(pictures: Tensor) -> Tensor:
    """Each picture moved by up to `MOVE` either way; what is beyond the border is mirrored."""
    H, W = pictures.shape[-2:]
    reach = [max(1, round(MOVE * side)) for side in (H, W)]
    wide = F.pad(pictures, (reach[1], reach[1], reach[0], reach[0]), mode="reflect")
    return _windows(wide, (H, W))


def _crop(pictures: Tensor, side: int | None) -> Tensor:
    """A square from anywhere in each picture; the whole pictures where no side is given."""
    return pictures if side is None else _windows(pictures, (side, side))


def _windows(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """A window of that size from anywhere in each picture."""
    (H, W), (h, w) = pictures.shape[-2:], size
    rows = torch.randint(H - h + 1, (len(pictures),)).tolist()
    columns = torch.randint(W - w + 1, (len(pictures),)).tolist()
    places = zip(pictures, rows, columns, strict=True)
    return torch.stack([p[:, y : y + h, x : x + w] for p, y, x in places])
