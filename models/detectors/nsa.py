"""Natural synthetic anomalies: a network learns to find patches that were blended in.

Hannah M. Schlueter, Jeremy Tan, Benjamin Hou and Bernhard Kainz, "Natural Synthetic Anomalies for
Self-Supervised Anomaly Detection and Localization", ECCV 2022, arXiv:2109.15222. Every training
picture gets patches of other normal pictures, resized, moved and blended by Poisson editing
(`models.blending`); the network says for each pixel how much it was changed, on a logistic scale.

Preset `paper`: the published sizes (224 x 224, batches of 64, Adam at 1e-3 with a cosine), an
encoder of ResNet-18's widths and no skips, rectangles only, the score is the mean of the map. What
differs: our residual blocks (`models.networks.residual`) in place of torchvision's; holes of a
change are closed where the paper takes a median, which would lose thin lines; one set of bounds and
one logistic scale for all data where the paper chooses them for each class by looking at its
defects; the patches' background test is an option (`foreground`).

Preset `lite`, the default: a small residual network with skips, ellipses besides rectangles, both
kinds of Poisson blending, and the highest share of the smoothed map as the score.
"""

import itertools
from dataclasses import dataclass
from typing import Literal, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models import whole_batch
from models.blending import Mask, PatchRule, Picture, corrupt
from models.corruptions import cloud, cut_paste, scar, scratches, stain
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError
from models.networks.residual import ResidualDecoder, ResidualEncoder
from models.still_maps import blur, top_mean
from models.training import Losses, Player, train

FOREIGN = (stain, scratches, scar, cut_paste, cloud)
RARE = -3.0  # logit of a change before anything is learned: one pixel in twenty
REMEMBERED = 64  # pictures that patches are taken from, the latest ones seen
BORDER = 4  # pixels at the border that tell the background's colour
OFF_BACKGROUND = 20  # grey levels away from it is foreground


@dataclass(frozen=True)
class NsaConfig:
    """Everything that may be chosen; pixels are those of the detector's own size."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (16, 32, 64, 128, 128)  # at 1/2, 1/4, ... of the resolution
    skips: bool = True  # from the encoder's finer levels
    most: float = 0.5  # a patch's side, of the picture's
    most_patches: int = 3
    mixed: float = 0.5  # share of patches blended with the stronger of both gradients
    rounded: float = 0.5  # share of ellipses
    foreign: float = 0.3  # share of pictures that get a stain, scratch or the like instead
    foreground: bool = False  # patches only where something stands on a plain background
    midpoint: float = 7.0  # grey levels of change that are half an anomaly
    steepness: float = 1 / 3  # per grey level (both as published for six of the classes)
    changed_weight: float = 4.0  # of changed pixels against the many others
    rule: Literal["top", "mean"] = "top"
    learning_rate: float = 1e-3
    batch: int = 16

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if min(self.size) < 32 or any(side % multiple for side in self.size):
            raise OptionError(
                f"nsa needs sides of at least 32 that are multiples of {multiple}, "
                f"got {self.size[0]} x {self.size[1]}"
            )


class Nsa(Detector):
    """Scores how much of a picture looks blended in."""

    name = "nsa"
    kind = "image"
    paper = "Schlueter et al., Natural Synthetic Anomalies, ECCV 2022"
    Config = NsaConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (224, 224),
            "widths": (64, 64, 128, 256, 512),
            "skips": False,
            "rounded": 0.0,
            "foreign": 0.0,
            "changed_weight": 1.0,
            "rule": "mean",
            "batch": 64,
        },
    }

    config: NsaConfig

    def __init__(self, config: NsaConfig) -> None:
        super().__init__(config)
        self.encode = ResidualEncoder(config.channels, config.widths)
        self.decode = ResidualDecoder(config.widths, skips=config.skips)
        nn.init.constant_(self.decode.out.bias, RARE)  # type: ignore[arg-type]
        self.rule = PatchRule(
            most=config.most,
            most_patches=config.most_patches,
            mixed=config.mixed,
            rounded=config.rounded,
        )
        self._seen: list[Picture] = []

    @property
    def spec(self) -> ClipSpec:
        """One picture."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of how anomalous each pixel is, (B, H, W)."""
        return self.decode(self.encode(pictures))[:, 0]

    def fit(
        self,
        clips: Clips,
        held_out: Clips,  # noqa: ARG002
        *,
        budget: Budget,
        log: Log = silent,
    ) -> Self:
        """Learn to find blended patches. As `Detector.fit`; `held_out` is not needed."""
        self._seen = [
            picture
            for batch in itertools.islice(clips, REMEMBERED)
            for picture in _pictures(self.shaped(batch)[:, 0])
        ][:REMEMBERED]
        player = Player("nsa", self, self._losses, learning_rate=self.config.learning_rate)
        train([player], clips, budget=budget, log=log, state=self.training_state)
        self._seen = []
        self.fitted = True
        return self.eval()

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the highest places of the smoothed map; or, the "paper" term, the map's mean."""
        self.check(clips)
        maps = self(clips[:, 0]).float().sigmoid()
        smooth = blur(maps)
        terms = {"paper": maps.mean(dim=(1, 2)), "top": top_mean(smooth)}
        return Findings(terms["top" if self.config.rule == "top" else "paper"], smooth, terms)

    def _losses(self, clips: Tensor) -> Losses:
        corrupted, target = whole_batch.of_whole(self._corrupted, self.shaped(clips))
        logits = self(corrupted)
        weight = torch.tensor(self.config.changed_weight, device=logits.device)
        loss = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
        return {"change": loss}

    def _corrupted(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) with patches in them, and how anomalous each pixel is."""
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        before = _pictures(clips[:, 0])
        self._seen = (before + self._seen)[:REMEMBERED]
        foreign = rng.random(len(before)) < self.config.foreign
        spoilt = iter(_pictures(_spoilt(clips[foreign, 0])))
        after = [
            next(spoilt) if other else self._patched(picture, rng)
            for picture, other in zip(before, foreign, strict=True)
        ]
        change = [
            degree(picture, other, self.config.midpoint, self.config.steepness)
            for picture, other in zip(before, after, strict=True)
        ]
        found = torch.from_numpy(np.stack(after)).movedim(-1, 1)[:, : self.config.channels]
        target = torch.from_numpy(np.stack(change))
        return found.to(clips.device).float() / 255, target.to(clips.device)

    def _patched(self, picture: Picture, rng: np.random.Generator) -> Picture:
        foreground = foreground_of(picture) if self.config.foreground else None
        return corrupt(picture, self._seen, self.rule, rng, foreground)[0]


def _spoilt(pictures: Tensor) -> Tensor:
    """Each picture with something that is not from this world, whatever it is."""
    if not len(pictures):
        return pictures
    return FOREIGN[int(torch.randint(len(FOREIGN), ()))](pictures)


def degree(
    before: Picture, after: Picture, midpoint: float, steepness: float
) -> NDArray[np.float32]:
    """How anomalous each pixel is, 0 to 1, (H, W): logistic in its change, 0 where nothing is."""
    change = cv2.absdiff(before, after).mean(axis=2).astype(np.float32)
    change = cv2.morphologyEx(change, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    found: NDArray[np.float32] = (change > 0) / (1 + np.exp(steepness * (midpoint - change)))
    return found.astype(np.float32)


def foreground_of(picture: Picture) -> Mask:
    """What differs from the colour of the picture's border, (H, W)."""
    edge = np.ones(picture.shape[:2], dtype=bool)
    edge[BORDER:-BORDER, BORDER:-BORDER] = False
    background = np.median(picture[edge], axis=0)
    away = np.abs(picture.astype(np.float32) - background).max(axis=2) > OFF_BACKGROUND
    found: Mask = cv2.medianBlur(away.astype(np.uint8), 5) > 0
    return found


def _pictures(pictures: Tensor) -> list[Picture]:
    """Pictures (B, C, H, W), each as (H, W, 3) of grey levels."""
    levels = (pictures * 255).round().clamp(0, 255).to(torch.uint8).movedim(1, -1)
    colours = levels.expand(*levels.shape[:3], 3) if levels.shape[-1] == 1 else levels
    return [np.ascontiguousarray(picture) for picture in colours.cpu().numpy()]
