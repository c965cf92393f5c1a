"""Implicit representation (experimental): how badly a small network draws this very picture.

A sine network from place to colour is fitted to each picture by itself and stopped early: what is
smooth is drawn by then, what is fine is not, and the residual is large there. The networks:
Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", NeurIPS 2020,
arXiv:2006.09661; thin ones: Dupont et al., "COIN", arXiv:2103.03123. As a detector of defects the
recipe has no published benchmark known to us. It has no network to train: fitting learns only what
residual is normal at each place. It takes the time of a fit for every picture, so it is nothing
for a live camera.

Preset `paper`: SIREN's own size, 3 x 256 at 256 x 256, rate 1e-4, all places in a step, stopped at
500 of its 10,000 steps. Preset `coin`: COIN's default, 10 x 28, rate 2e-4. In both the score is the
99.5th percentile of the blurred residual over its median among normal pictures.

Preset `lite`, the default: 3 x 48 at 64 x 64, a quarter of the places in a step, residuals held
against what is usual at their place: fine detail that normal pictures have as well is no defect.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal, Self

import torch
from torch import Tensor

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.errors import TrainingError
from models.networks.siren import Siren, fitted_pictures
from models.similarity import absolute_error
from models.still_maps import UsualPlaces, blur, top_mean

PERCENTILE = 0.995
WHOLE: dict[str, Any] = {"points": None, "rule": "paper"}


@dataclass(frozen=True)
class InrConfig:
    """Everything that may be chosen."""

    size: tuple[int, int] = (64, 64)
    channels: Literal[1, 3] = 3
    width: int = 48  # of the networks
    layers: int = 3  # with a sine
    omega: float = 30.0
    learning_rate: float = 1e-3
    steps: int = 150  # after which the fit is stopped
    points: int | None = 1024  # places of a step; None: all
    normals: int = 128  # pictures that the usual is learned from, at most in one call
    batch: int = 16
    rule: Literal["places", "paper"] = "places"

    @property
    def siren(self) -> Siren:
        """The network of a picture."""
        return Siren(self.width, self.layers, self.omega, self.learning_rate, self.points)


class Inr(Detector):
    """Fits a sine network to the picture itself; scores what is not drawn yet when it stops."""

    name = "inr"
    kind = "image"
    paper = "after Sitzmann et al., Implicit Neural Representations, NeurIPS 2020 (experimental)"
    Config = InrConfig
    presets = {  # noqa: RUF012
        "lite": {},
        "paper": {"size": (256, 256), "width": 256, "learning_rate": 1e-4, "steps": 500} | WHOLE,
        "coin": {"size": (128, 128), "width": 28, "layers": 10, "learning_rate": 2e-4, "steps": 500}
        | WHOLE,
    }
    shared = False

    config: InrConfig
    median: Tensor  # (), of the percentiles of normal pictures

    def __init__(self, config: InrConfig) -> None:
        super().__init__(config)
        self.usual = UsualPlaces(config.size)
        self.register_buffer("median", torch.tensor(1.0))

    @property
    def spec(self) -> ClipSpec:
        """Single pictures."""
        return ClipSpec(1, 1, self.config.size, channels=self.config.channels)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:  # noqa: ARG002
        """Learn which residuals are usual where. A step is one batch; the first is always taken.

        `held_out` is left alone: nothing is fitted to `clips` that would flatter them.

        Raises:
            ShapeError: If the clips do not match `spec`.
            TrainingError: If there are none.
        """
        state = self.training_state
        known = [state["residuals"]] if "residuals" in state else []
        state["interrupted"] = False
        try:
            for residuals in self._gathered(clips, budget, log):
                known.append(residuals)
                state["residuals"] = torch.cat(known)[-self.config.normals :]
        except KeyboardInterrupt:
            state["interrupted"] = True
        if "residuals" not in state:
            raise TrainingError("there is no clip to learn from")
        self.usual.fit([state["residuals"]])
        self.median.copy_(percentile(state["residuals"]).median().clamp_min(1e-6))
        self.fitted = True
        return self

    def examine(self, clips: Tensor) -> Findings:
        """Score: the worst places' residuals over the usual, or the percentile's ("paper")."""
        self.check(clips)
        residuals = self._residuals(clips)
        with torch.inference_mode():
            published = {"paper": percentile(residuals) / self.median}
            if self.config.rule == "paper":
                return Findings(published["paper"], blur(residuals) / self.median, published)
            maps = self.usual(residuals)
            return Findings(top_mean(maps), maps, published)

    def reconstruct(self, clips: Tensor) -> Tensor:
        """The picture as its network draws it when it stops, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        return self._drawn(clips).clamp(0, 1)

    def _gathered(self, clips: Clips, budget: Budget, log: Log) -> Iterator[Tensor]:
        """Residuals of batch after batch, one epoch at most, until the budget is spent."""
        state, begun = self.training_state, monotonic()
        first, earlier = int(state.get("step", 0)), float(state.get("seconds", 0.0))
        pictures = 0
        for step, batch in enumerate(clips, start=1):
            residuals = self._residuals(self.shaped(batch))
            seconds = monotonic() - begun
            state["step"], state["seconds"] = first + step, earlier + seconds
            yield residuals
            spent = budget.spent(seconds, step)
            losses = {"inr/residual": float(residuals.mean())}
            log(Step("inr", first + step, earlier + seconds, spent, losses))
            pictures += len(batch)
            if spent >= 1 or pictures >= self.config.normals:
                break

    def _residuals(self, clips: Tensor) -> Tensor:
        return absolute_error(self._drawn(clips), clips[:, 0])

    def _drawn(self, clips: Tensor) -> Tensor:
        """The fit needs gradients, whatever the caller has switched off."""
        with torch.inference_mode(mode=False):
            pictures = clips[:, 0].clone()
            (drawn,) = fitted_pictures(pictures, self.config.siren, [self.config.steps])
        return drawn


def percentile(residuals: Tensor) -> Tensor:
    """The 99.5th of each blurred map (B, H, W), (B,)."""
    return torch.quantile(blur(residuals).flatten(1), PERCENTILE, dim=1)
