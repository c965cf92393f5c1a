"""Kernel SVDD on colour and texture: no network, seconds to learn, nothing to download.

David M. J. Tax and Robert P. W. Duin, "Support Vector Data Description", Machine Learning 54, 2004;
with an RBF kernel the same as the one-class SVM.

Preset `paper`: one description of whole pictures, on whitened features (the paper leaves these to
the user): mean, spread and maximum of the formulae of `networks/texture.py` over the picture, and
how far its extremes lie off its own median, since a coarse ground errs everywhere as much as a
crack does in a smooth one. They are whitened in all directions, as far as Ledoit and Wolf trust so
few pictures: a defect hides where normal pictures hardly vary. The map is then how unusual each
place is by the second description.

Preset `lite`, the default: two descriptions. One of whole pictures, as above; one of places, with
where they lie in the picture as two features more. Each is brought to the scale of held-out
pictures, and the score is their sum: what is small shows in the worst places, what is everywhere in
the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from models.density import GaussianDensity
from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import OptionError, TrainingError
from models.kernel_svdd import KernelSvdd, Whitening
from models.networks.texture import STRIDE, Texture, against_own
from models.still_maps import UsualPlaces, top_mean

SPREAD_OF_PLACES = 1.7  # a ramp from -1.7 to 1.7 has variance 1
LEAST_DEVIATION = 1e-4  # of a picture's feature; what never varies is not divided by nothing


@dataclass(frozen=True)
class SvddConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (128, 128)
    channels: Literal[1, 3] = 3
    directions: int = 32  # that whitening keeps of places, at most
    nu: float = 0.2  # share of normal places and pictures outside
    steepness: float = 2.0  # of the kernel, over the number of directions
    position: float = 3.0  # weight of where a place lies; 0 for textures
    places: int = 4096  # that the description is learned from
    pictures: int = 2000  # likewise, at most
    learning_rate: float = 0.0  # nothing descends here
    batch: int = 16
    rule: Literal["both", "places", "paper"] = "both"

    def __post_init__(self) -> None:
        if any(side % STRIDE or side < 16 for side in self.size):
            raise OptionError(
                f"svdd needs sides of 16 pixels or more that are multiples of {STRIDE}, got "
                f"{self.size[0]} x {self.size[1]}"
            )
        if not 0 < self.nu < 1:
            raise OptionError(f"svdd needs nu within (0, 1), got {self.nu:g}")


class Svdd(Detector):
    """Describes normal colour and texture by support vectors; scores what lies outside."""

    name = "svdd"
    kind = "image"
    paper = "Tax and Duin, Support Vector Data Description, Machine Learning 2004"
    Config = SvddConfig
    presets = {"lite": {}, "paper": {"rule": "paper"}}  # noqa: RUF012
    shared = False

    config: SvddConfig
    deviation: Tensor  # (7 F,), of each of a picture's features
    middle: Tensor  # (2,), mean of held-out pictures' two scores
    spread: Tensor  # (2,), their deviation

    def __init__(self, config: SvddConfig) -> None:
        super().__init__(config)
        self.texture = Texture(config.channels)
        width, kept = self.texture.width, config.directions
        self.whiten_places = Whitening(width, kept)
        self.density = GaussianDensity(7 * width)
        settings = {"nu": config.nu, "steepness": config.steepness}
        self.of_places = KernelSvdd(kept + 2, **settings)
        self.of_pictures = KernelSvdd(7 * width, **settings)
        self.usual = UsualPlaces(config.size)
        self.register_buffer("deviation", torch.ones(7 * width))
        self.register_buffer("middle", torch.zeros(2))
        self.register_buffer("spread", torch.ones(2))

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Gather features, one epoch at most; describe them. As `Detector.fit`.

        A step is a batch looked at; the first is always taken. Called again, it gathers more.
        """
        state = self.training_state
        state["interrupted"] = False
        try:
            for batch in self._gathered(clips, budget, log):
                self._keep(batch)
        except KeyboardInterrupt:
            state["interrupted"] = True
        if "pictures" not in state:
            raise TrainingError("there is no clip to learn from")
        self._describe()
        return self._scale(held_out)

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: as `rule` says; terms: each description's own, the whole picture's as "paper"."""
        self.check(clips)
        distances, whole = self._distances(clips)
        maps = self.usual(distances)
        worst = top_mean(maps)
        middle, spread = self.middle, self.spread
        both = (worst - middle[0]) / spread[0] + (whole - middle[1]) / spread[1]
        terms = {"places": worst, "paper": whole}
        return Findings({"both": both, **terms}[self.config.rule], maps, terms)

    def _gathered(self, clips: Clips, budget: Budget, log: Log) -> Iterator[Tensor]:
        """Batch after batch of features (B, F, h, w), until the budget or the epoch ends."""
        state, begun = self.training_state, monotonic()
        first, earlier = int(state.get("step", 0)), float(state.get("seconds", 0.0))
        for step, batch in enumerate(clips, start=1):
            yield self._features(batch)
            seconds = monotonic() - begun
            state["step"], state["seconds"] = first + step, earlier + seconds
            spent = budget.spent(seconds, step)
            losses = {"svdd/pictures": float(len(state["pictures"]))}
            log(Step("svdd", first + step, earlier + seconds, spent, losses))
            if spent >= 1:
                break

    def _keep(self, features: Tensor) -> None:
        """Put a fair sample of the places, and the pictures, beside those that are kept."""
        state, config = self.training_state, self.config
        generator = torch.Generator().manual_seed(int(state.get("step", 0)))
        places = placed(features).flatten(0, 2).cpu()
        tickets = torch.rand(len(places), generator=generator)
        if "places" in state:
            places = torch.cat([state["places"], places])
            tickets = torch.cat([state["tickets"], tickets])
        tickets, drawn = tickets.sort()
        state["places"] = places[drawn[: config.places]]
        state["tickets"] = tickets[: config.places].clone()
        known = [state["pictures"]] if "pictures" in state else []
        state["pictures"] = torch.cat([*known, self._summary(features).cpu()])[-config.pictures :]

    def _describe(self) -> None:
        """Whiten what was kept and draw both balls."""
        device = self.middle.device
        places = self.training_state["places"].to(device)
        pictures = self.training_state["pictures"].to(device)
        self.whiten_places.fit(places[:, :-2])
        self.of_places.fit(self._points(places))
        if len(pictures) > 1:  # of a single picture nothing is known but its places
            self.deviation.copy_(pictures.std(dim=0, correction=0).clamp_min(LEAST_DEVIATION))
            self.density.fit(pictures / self.deviation)
            self.of_pictures.fit(self.density.whitened(pictures / self.deviation))

    def _scale(self, held_out: Clips) -> Self:
        """Learn the usual distances of places, and the scale of both scores."""
        distances, whole = [], []
        with torch.no_grad():
            for batch in held_out:
                one, other = self._distances(batch)
                distances.append(one)
                whole.append(other)
            self.usual.fit(distances)
            worst = torch.cat([top_mean(self.usual(maps)) for maps in distances])
            both = torch.stack([worst, torch.cat(whole)])  # (2, pictures)
            self.middle.copy_(both.mean(dim=1))
            self.spread.copy_(both.std(dim=1, correction=0).clamp_min(1e-3))
        self.fitted = True
        return self

    @torch.no_grad()
    def _features(self, clips: Tensor) -> Tensor:
        return self.texture(self.shaped(clips)[:, 0])

    def _distances(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        """Of the places, laid over the picture (B, H, W); of the pictures (B,)."""
        features = self._features(clips)
        places = self.of_places(self._points(placed(features)))
        maps = F.interpolate(places[:, None], size=self.config.size, mode="bilinear")[:, 0]
        pictures = self._summary(features) / self.deviation
        return maps, self.of_pictures(self.density.whitened(pictures))

    def _summary(self, features: Tensor) -> Tensor:
        """What is known of whole pictures, (B, 7 F)."""
        own = against_own(features, self.config.channels)
        return torch.cat([summary(features), extremes(own)], dim=1)

    def _points(self, places: Tensor) -> Tensor:
        """Whitened features, and where they lie, (..., F + 2) -> (..., D + 2)."""
        where = self.config.position * SPREAD_OF_PLACES * places[..., -2:]
        return torch.cat([self.whiten_places(places[..., :-2]), where], dim=-1)


def placed(features: Tensor) -> Tensor:
    """Features (B, F, h, w) -> (B, h, w, F + 2), with where each lies, from -1 to 1."""
    B, _, h, w = features.shape
    down = torch.linspace(-1, 1, h, device=features.device)[:, None].expand(h, w)
    across = torch.linspace(-1, 1, w, device=features.device).expand(h, w)
    where = torch.stack([down, across], dim=-1).expand(B, h, w, 2)
    return torch.cat([features.movedim(1, -1), where], dim=-1)


def summary(features: Tensor) -> Tensor:
    """Mean, spread and maximum of the features (B, F, h, w) over the picture, (B, 3 F)."""
    mean, spread = features.mean(dim=(2, 3)), features.std(dim=(2, 3))
    return torch.cat([mean, spread, features.amax(dim=(2, 3))], dim=1)


def extremes(features: Tensor) -> Tensor:
    """Spread of the features (B, F, h, w) over the picture, and how high they reach, (B, 4 F).

    The level that a twentieth of the places top, and the means above it and of a hundredth.
    """
    flat = features.flatten(2)
    places = flat.shape[2]
    top = flat.topk(max(1, places // 20), dim=2).values
    highest = top[..., : max(1, places // 100)].mean(dim=2)
    return torch.cat([flat.std(dim=2), top[..., -1], highest, top.mean(dim=2)], dim=1)
