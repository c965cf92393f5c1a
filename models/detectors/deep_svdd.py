"""Deep SVDD: a network that draws normal pictures together around a centre.

Lukas Ruff, Robert Vandermeulen, Nico Görnitz, Lucas Deecke, Shoaib Ahmed Siddiqui, Alexander
Binder, Emmanuel Müller and Marius Kloft, "Deep One-Class Classification", ICML 2018.

Preset `paper`: the CIFAR-10 setting: 32 x 32, widths 32-64-128, a latent of 128 numbers, pictures
normalised by their contrast (L1), Adam at 1e-4 with a tenth of it after a third of the training,
weight decay 0.5e-6, nu = 0.1; the score is the squared distance from the centre, less the squared
radius with the soft boundary. What differs: convolutions with stride in place of max-pooling; as
the dense latent has no places, the map is what each place of the last feature map adds to the
distance, which is exact because the last layer is linear.

Preset `lite`, the default: fully convolutional (after Liznerski et al., "Explainable Deep One-Class
Classification", ICLR 2021, arXiv:2007.01760): every place of the feature map has a distance from
the centre of its place, held against what is usual there in held-out pictures.

Against the collapse of the network to one point: no biases, no scale and shift in batch norm, no
bounded activation, no centre near zero; and what collapsed nonetheless is refused.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import whole_batch
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, silent
from models.errors import OptionError, TrainingError
from models.losses import intensity_loss
from models.networks.strided import StridedDecoder, StridedEncoder
from models.still_maps import UsualPlaces, top_mean
from models.training import Losses, Player, Stage, cosine, train_stages

NEAREST = 0.1  # no coordinate of the centre is closer to zero (the published code's eps)
LEAST_SPREAD = 1e-3  # of the latents, against the centre's length: less is one point for all
ENOUGH = 64  # batches to find the centre and the radius from
DROP = 1 / 3  # of the training, then a tenth of the rate (milestone 50 of 150 epochs)


@dataclass(frozen=True)
class DeepSvddConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    widths: tuple[int, ...] = (32, 64, 96)  # after each halving, before the latent's layer
    latent: int = 32  # channels of a place, or numbers of a picture
    head: Literal["places", "dense"] = "places"
    centre: Literal["place", "shared"] = "place"  # of each place, or one for all of them
    objective: Literal["one-class", "soft-boundary"] = "one-class"
    nu: float = 0.1  # share of training pictures outside the soft boundary
    warm_up: int = 100  # steps of the second stage before the radius moves
    trim: float = 0.0  # share of each batch, its farthest pictures, that teaches nothing
    pretraining: float = 0.5  # share of the budget
    normalise_contrast: bool = False
    weight_decay: float = 5e-7
    learning_rate: float = 1e-3
    stepped_rate: bool = False  # the paper's; else a cosine
    batch: int = 16
    rule: Literal["places", "paper"] = "places"

    def __post_init__(self) -> None:
        multiple = 2 ** len(self.widths)
        if not self.widths or any(side % multiple for side in self.size):
            raise OptionError(
                f"deep_svdd with {len(self.widths)} widths needs one width or more and sides that "
                f"are multiples of {multiple}, got {self.size[0]} x {self.size[1]}"
            )
        if not (0 < self.nu < 1 and 0 <= self.trim < 1 and 0 <= self.pretraining < 1):
            raise OptionError(
                "deep_svdd needs nu within (0, 1), trim and pretraining within [0, 1), got "
                f"{self.nu:g}, {self.trim:g} and {self.pretraining:g}"
            )
        if self.head == "dense" and self.rule != "paper":
            raise OptionError("deep_svdd with a dense head has no places: set rule to 'paper'")


class Projection(nn.Module):
    """Features (B, C, h, w) -> latents (B, latent, 1, 1) of whole pictures, and back; no bias."""

    usual: Tensor  # (C, h, w), mean features of normal pictures

    def __init__(self, features: tuple[int, int, int], latent: int) -> None:
        super().__init__()
        count = features[0] * features[1] * features[2]
        self.down = nn.Linear(count, latent, bias=False)
        self.up = nn.Linear(latent, count, bias=False)
        self.register_buffer("usual", torch.zeros(features))

    def forward(self, features: Tensor) -> Tensor:
        """To the latent."""
        return self.down(features.flatten(1))[:, :, None, None]

    def back(self, latents: Tensor) -> Tensor:
        """To features of the shape they had."""
        return self.up(latents.flatten(1)).reshape(-1, *self.usual.shape)

    def shares(self, features: Tensor, towards: Tensor) -> Tensor:
        """What each place adds to the latent in a direction (B, latent), (B, h, w).

        The projection is linear: over all places this sums to what lies between the latent and
        the usual one in that direction.
        """
        weights = (towards @ self.down.weight).reshape(-1, *self.usual.shape)
        return (weights * (features - self.usual)).sum(dim=1)


class PointProjection(nn.Module):
    """Features (B, C, h, w) -> latents (B, latent, h, w), place by place, and back; no bias."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, latent, 1, bias=False)
        self.up = nn.Conv2d(latent, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """To the latent."""
        return self.down(features)

    def back(self, latents: Tensor) -> Tensor:
        """To features of the shape they had."""
        return self.up(latents)


class DeepSvdd(Detector):
    """Draws what is normal towards a centre; scores the distance from it."""

    name = "deep_svdd"
    kind = "image"
    paper = "Ruff et al., Deep One-Class Classification, ICML 2018"
    Config = DeepSvddConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {
            "size": (32, 32),
            "widths": (32, 64, 128),
            "latent": 128,
            "head": "dense",
            "centre": "shared",
            "normalise_contrast": True,
            "learning_rate": 1e-4,
            "stepped_rate": True,
            "batch": 200,
            "rule": "paper",
        },
    }

    config: DeepSvddConfig
    centre: Tensor  # (latent, 1, 1), or (latent, h, w) with a centre for each place
    squared_radius: Tensor  # (), of the ball that holds all but nu of the training pictures

    def __init__(self, config: DeepSvddConfig) -> None:
        super().__init__(config)
        widths, shrunk = config.widths, [side // 2 ** len(config.widths) for side in config.size]
        self.encode = StridedEncoder(
            config.channels, widths, batch_norm="plain", bias=False, activate_last=True
        )
        self.project: Projection | PointProjection
        if config.head == "dense":
            self.project = Projection((widths[-1], shrunk[0], shrunk[1]), config.latent)
        else:
            self.project = PointProjection(widths[-1], config.latent)
        self.decode = StridedDecoder(widths[::-1], config.channels)
        places = shrunk if config.head == "places" and config.centre == "place" else [1, 1]
        self.register_buffer("centre", torch.zeros(config.latent, *places))
        self.register_buffer("squared_radius", torch.tensor(0.0))
        self.usual = UsualPlaces(config.size)

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Squared distances (B, h, w) from the centre; h = w = 1 with a dense head."""
        return (self._latents(pictures) - self.centre).square().sum(dim=1)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn to rebuild, then to draw together. As `Detector.fit`; called again, the latter.

        Raises:
            TrainingError: As there, or if the network has collapsed to one point.
        """
        share = self.config.pretraining
        stages = [
            Stage("pretraining", share, self._pretraining),
            Stage("one-class", 1 - share, lambda: self._drawing(clips)),
        ]
        train_stages(stages, clips, budget=budget, log=log, state=self.training_state)
        self._settle(clips)
        self.usual.fit(self._distance_maps(batch) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' distances over the usual, or the mean one ("paper", a term)."""
        self.check(clips)
        published = {"paper": self._published(self(clips[:, 0]))}
        maps = self._distance_maps(clips)
        if self.config.rule == "paper":
            return Findings(published["paper"], maps, published)
        maps = self.usual(maps)
        return Findings(top_mean(maps), maps, published)

    def _latents(self, pictures: Tensor) -> Tensor:
        return self.project(self.encode(self._prepared(pictures)))

    def _prepared(self, pictures: Tensor) -> Tensor:
        """In about [-1, 1], or without mean and contrast of its own (L1, as published)."""
        if not self.config.normalise_contrast:
            return 2 * pictures - 1
        centred = pictures - pictures.mean(dim=(1, 2, 3), keepdim=True)
        return centred / centred.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)

    def _published(self, distances: Tensor) -> Tensor:
        mean = distances.mean(dim=(1, 2))
        return mean - self.squared_radius if self.config.objective == "soft-boundary" else mean

    def _pretraining(self) -> Sequence[Player]:
        return [self._player("autoencoder", self, self._rebuilding)]

    def _drawing(self, clips: Clips) -> Sequence[Player]:
        """The second stage's player, once it is known where the centre is."""
        if not self.training_state["one-class"]["step"]:  # what was drawn together stays there
            self._centre(clips)
        encoder = nn.ModuleList([self.encode, self.project])
        return [self._player("one-class", encoder, self._drawing_losses)]

    @torch.no_grad()
    def _centre(self, clips: Clips) -> None:
        """The mean of the pictures, where the first stage has left them."""
        mean = torch.cat([self._latents(batch) for batch in self._some(clips)]).mean(dim=0)
        if self.centre.shape[1:] == (1, 1):
            mean = mean.mean(dim=(1, 2), keepdim=True)
        self.centre.copy_(away_from_zero(mean))

    def _player(self, name: str, module: nn.Module, losses: Callable[[Tensor], Losses]) -> Player:
        config = self.config
        return Player(
            name,
            module,
            losses,
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
            schedule=stepped if config.stepped_rate else cosine,
        )

    def _rebuilding(self, clips: Tensor) -> Losses:
        target = self._prepared(self.shaped(clips)[:, 0])
        rebuilt = self.decode(self.project.back(self.project(self.encode(target))))
        return {"reconstruction": intensity_loss(rebuilt, target)}

    def _drawing_losses(self, clips: Tensor) -> Losses:
        distances = self(self.shaped(clips)[:, 0]).mean(dim=(1, 2))
        kept = nearest(whole_batch.gathered(distances), self.config.trim)
        if self.config.objective == "one-class":
            return {"distance": kept.mean()}
        if self.training_state["one-class"]["step"] >= self.config.warm_up:
            quantile = torch.quantile(kept.detach(), 1 - self.config.nu)
            self.squared_radius.copy_(quantile)
        outside = (kept - self.squared_radius).relu().mean() / self.config.nu
        return {"radius": self.squared_radius.clone(), "outside": outside}

    def _some(self, clips: Clips) -> Iterable[Tensor]:
        """The pictures of up to `ENOUGH` batches."""
        return (self.shaped(batch)[:, 0] for batch in islice(clips, ENOUGH))

    @torch.no_grad()
    def _settle(self, clips: Clips) -> None:
        """Note the radius; refuse a network that says the same of everything."""
        features = torch.cat([self.encode(self._prepared(p)) for p in self._some(clips)])
        if isinstance(self.project, Projection):
            self.project.usual.copy_(features.mean(dim=0))
        latents = self.project(features)
        spread = (latents - latents.mean(dim=(0, 2, 3), keepdim=True)).square().mean().sqrt()
        length = self.centre.square().mean().sqrt()
        if not spread > LEAST_SPREAD * length:
            raise TrainingError(
                f"deep_svdd has collapsed: all pictures lie within {float(spread):.2g} of one "
                f"point that is {float(length):.2g} from zero; train for fewer steps or at a "
                f"lower learning rate than {self.config.learning_rate:g}, and look whether the "
                "training pictures differ at all"
            )
        distances = (latents - self.centre).square().sum(dim=1).mean(dim=(1, 2))
        self.squared_radius.copy_(torch.quantile(distances, 1 - self.config.nu))

    @torch.no_grad()
    def _distance_maps(self, clips: Tensor) -> Tensor:
        """Distances, or shares in the one distance, laid over the picture, (B, H, W)."""
        features = self.encode(self._prepared(self.shaped(clips)[:, 0]))
        away = self.project(features) - self.centre
        places = away.square().sum(dim=1)
        if isinstance(self.project, Projection):
            places = self.project.shares(features, away.flatten(1))
        return F.interpolate(places[:, None], size=self.config.size, mode="bilinear")[:, 0]


def away_from_zero(centre: Tensor) -> Tensor:
    """The centre with every coordinate at least `NEAREST` from zero, on the side it was on.

    A coordinate at zero could be met by weights of zero, whatever the picture.
    """
    signs = torch.where(centre < 0, -1.0, 1.0)
    return torch.where(centre.abs() < NEAREST, signs * NEAREST, centre)


def nearest(distances: Tensor, trim: float) -> Tensor:
    """All but the farthest share `trim` of them, (B,) -> (at least 1,)."""
    return distances.sort().values[: max(1, round((1 - trim) * len(distances)))]


def stepped(spent: float, _step: int) -> float:
    """The rate as given, then a tenth of it."""
    return 0.1 if spent >= DROP else 1.0
