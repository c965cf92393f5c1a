"""Several detectors heard together: how surprising is what all of them say?

Fisher's method (Statistical Methods for Research Workers, 4th ed., 1932, section 21.1), place by
place and weighted (Good, "On the weighted combination of significance tests", JRSS B 1955): every
part is a detector of its own; its map becomes a surprise at each place, -log10 p by its own
held-out normal maps, and the surprises of one place are added. What two parts find odd at the same
place counts; two oddities in different corners do not add up to one. The parts are not independent,
so the sum is no p-value; the calibration that every detector gets afterwards makes one of it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.detector import Budget, Clips, ClipSpec, Detector, Findings, Log, Step, silent
from models.detectors.frame_prediction import FramePrediction
from models.detectors.motion import Motion
from models.errors import OptionError, TrainingError

PARTS: dict[str, type[Detector]] = {kind.name: kind for kind in (Motion, FramePrediction)}
TAIL = 0.999  # quantile of the held-out places above which p falls as an exponential
BODY = 256  # quantiles below it
MOST_VALUES = 2_000_000  # of the held-out places are looked at; more change nothing
# how far a part's surprises are believed: what a predictor errs by changes with the crowd, and few
# held-out recordings show how much; motion's do not (UCSD Ped2: 0.25 gave 0.980, 1 gave 0.957)
WEIGHTS = {"motion": 1.0, "frame_prediction": 0.25}
MOTION_SHARE = 0.3  # of the time at most; it ends by itself when it has seen enough


@dataclass(frozen=True)
class FusionConfig:
    """Everything that may be chosen; the parts' own options by the part's name."""

    size: tuple[int, int] = (240, 360)  # frames come at this size, parts take theirs from it
    cell_px: int = 8  # places are this far apart
    top: int = 5  # places whose mean surprise is the score
    motion: dict[str, Any] = field(default_factory=dict)
    frame_prediction: dict[str, Any] = field(default_factory=dict)
    batch: int = 4

    def __post_init__(self) -> None:
        for name, kind in PARTS.items():
            try:
                kind.Config(**getattr(self, name))
            except TypeError as error:
                raise OptionError(f"fusion: {name} does not take these options: {error}") from None


class Fusion(Detector):
    """Adds the surprises of motion and frame prediction; says which of them spoke."""

    name = "fusion"
    kind = "video"
    paper = "Fisher's method over motion and frame_prediction (Liu et al., CVPR 2018)"
    Config = FusionConfig
    presets = {"lite": {}}  # noqa: RUF012

    config: FusionConfig

    def __init__(self, config: FusionConfig) -> None:
        super().__init__(config)
        own = {name: dict(getattr(config, name)) for name in PARTS}
        own["motion"].setdefault("size", config.size)
        own["frame_prediction"].setdefault("size", _as_small_as_lite(config.size))
        self.parts = nn.ModuleDict(
            {name: kind(kind.Config(**own[name])) for name, kind in PARTS.items()}
        )
        self.rarities = nn.ModuleDict({name: Rarity() for name in PARTS})

    @property
    def spec(self) -> ClipSpec:
        """Long enough for every part; at stride 1, from which the parts pick theirs."""
        return ClipSpec(max(self._part(name).spec.span for name in PARTS), 1, self.config.size, 1)

    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Let every part learn, then learn how rare its scores are. As `Detector.fit`."""
        started, clips = monotonic(), Shaped(self, clips)

        def tell(step: Step) -> None:
            """The part's step, within the whole."""
            seconds = monotonic() - started
            whole = budget.spent(seconds, 0) if budget.seconds is not None else step.spent
            log(replace(step, seconds=seconds, spent=whole))

        motion, predictor = self._part("motion"), self._part("frame_prediction")
        if not motion.fitted:  # when resumed, only what a longer training betters is trained
            share = None if budget.seconds is None else MOTION_SHARE * budget.seconds
            _fit(motion, clips, held_out, Budget(share), tell)
            if motion.training_state["interrupted"]:  # half of it would stay so when resumed
                motion.fitted = False
                raise KeyboardInterrupt
        seconds = budget.seconds
        if seconds is not None:
            seconds = max(0.0, seconds - (monotonic() - started))
        predictor.training_state = self.training_state
        _fit(predictor, clips, held_out, Budget(seconds, budget.steps), tell)
        for name in PARTS:
            self._rarity(name).fit(self._places(self.heard(name, batch).maps) for batch in held_out)
        self.fitted = True
        return self

    @torch.inference_mode()
    def examine(self, clips: Tensor) -> Findings:
        """Score: mean surprise of the `top` places. Terms: what each part gave to it, and PSNR."""
        self.check(clips)
        seen = narrow(clips, self._part("frame_prediction").spec)
        return self.joined(seen, self.heard("motion", clips).maps)

    def joined(self, seen: Tensor, motion: Tensor) -> Findings:
        """What `examine` says, from the frame predictor's clips and motion's maps (B, H, W).

        All but what is done frame by frame, which `models.prelude` does for exported ones; so this
        can be traced.
        """
        predicted = self._part("frame_prediction").examine(seen)
        surprises = {
            name: WEIGHTS[name] * self._rarity(name)(self._places(maps)).flatten(1)
            for name, maps in (("motion", motion), ("frame_prediction", predicted.maps))
        }
        terms = {"psnr": predicted.terms["psnr"]}
        total = torch.stack(list(surprises.values())).sum(dim=0)  # (B, places)
        scores, where = total.topk(min(self.config.top, total.shape[1]), dim=1)
        for name, surprise in surprises.items():
            terms[f"part/{name}"] = surprise.gather(1, where).mean(dim=1)
        maps = _resized(total.view(seen.shape[0], 1, *self._grid), self.config.size)[:, 0]
        return Findings(scores.mean(dim=1), maps, terms)

    def heard(self, name: str, clips: Tensor) -> Findings:
        """What a part says of clips of the whole."""
        part = self._part(name)
        return part.examine(narrow(clips, part.spec))

    @property
    def _grid(self) -> tuple[int, int]:
        height, width = self.config.size
        return height // self.config.cell_px, width // self.config.cell_px

    def _places(self, maps: Tensor) -> Tensor:
        """A part's maps averaged over places, (B, h, w)."""
        return F.adaptive_avg_pool2d(maps[:, None], self._grid)[:, 0]

    @torch.inference_mode()
    def reconstruct(self, clips: Tensor) -> Tensor | None:
        """The target as the frame predictor expected it, (B, C, H, W) in [0, 1]."""
        self.check(clips)
        predictor = self._part("frame_prediction")
        expected = predictor.reconstruct(narrow(clips, predictor.spec))
        return None if expected is None else _resized(expected, self.config.size)

    def _part(self, name: str) -> Detector:
        part = self.parts[name]
        assert isinstance(part, Detector)
        return part

    def _rarity(self, name: str) -> "Rarity":
        rarity = self.rarities[name]
        assert isinstance(rarity, Rarity)
        return rarity

    def get_extra_state(self) -> Tensor:
        """Which parts are fitted, so that a resumed training knows."""
        return torch.tensor([self._part(name).fitted for name in PARTS])

    def set_extra_state(self, state: Tensor) -> None:
        """The way back from `get_extra_state`."""
        for name, fitted in zip(PARTS, state.tolist(), strict=True):
            self._part(name).fitted = bool(fitted)


class Rarity(nn.Module):
    """How rare a value is among held-out normal ones: -log10 p, monotone, without an end.

    Below the start of the tail p is the share of normal values that are higher; beyond it p falls
    as an exponential does, so that twice as far out is twice as surprising.
    """

    body: Tensor  # (BODY,) quantiles of the normal values, from 0 to `TAIL`
    scale: Tensor  # (), mean excess over the last of them

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("body", torch.linspace(0, 1, BODY))
        self.register_buffer("scale", torch.tensor(1.0))

    @torch.no_grad()
    def fit(self, values: Iterable[Tensor]) -> None:
        """Learn from batches, of any shape, of what held-out normal clips gave.

        Raises:
            TrainingError: If there is none.
        """
        batches = [batch.flatten() for batch in values]
        if not batches:
            raise TrainingError("there is no held-out clip to learn from what is usual")
        normal = torch.cat(batches).double()
        normal = normal[:: 1 + len(normal) // MOST_VALUES].sort().values
        shares = torch.linspace(0, TAIL, BODY, dtype=torch.double, device=normal.device)
        body = normal[(shares * (len(normal) - 1)).long()]
        excesses = normal[normal >= body[-1]] - body[-1]
        spread = (body[-1] - body[0]) / BODY
        self.body.copy_(body)
        self.scale.copy_(torch.maximum(excesses.mean(), spread).clamp_min(1e-6))

    def forward(self, values: Tensor) -> Tensor:
        """-log10 p of values of any shape; 0 below every normal one."""
        right = _passed(values, self.body).clamp(1, BODY - 1)
        low, high = self.body[right - 1], self.body[right]
        within = ((values - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        share = TAIL * (right - 1 + within) / (BODY - 1)  # of the normal values are lower
        tail = (values - self.body[-1]).clamp_min(0) / self.scale / math.log(10)
        return tail - torch.log10(1 - share)


def _passed(values: Tensor, bounds: Tensor) -> Tensor:
    """How many of the sorted bounds (N,) are lower than each value; N, where it is no number."""
    if torch.compiler.is_exporting():  # no graph can search
        return len(bounds) - (values[..., None] <= bounds).sum(dim=-1)
    return torch.searchsorted(bounds, values.contiguous())


def _as_small_as_lite(size: tuple[int, int]) -> tuple[int, int]:
    """The frame predictor's size for pictures of this shape; sides are multiples of 16."""
    usual = PARTS["frame_prediction"].Config().size
    scale = math.sqrt(usual[0] * usual[1] / (size[0] * size[1]))
    height, width = (max(1, round(side * scale / 16)) * 16 for side in size)
    return height, width


class Shaped:
    """Clips, refused where they are not of the detector's spec."""

    def __init__(self, detector: Detector, clips: Clips) -> None:
        self._detector, self._clips = detector, clips

    def __iter__(self) -> Iterator[Tensor]:
        for batch in self._clips:
            self._detector.shaped(batch)
            yield batch


class Narrowed:
    """Clips of a longer and larger kind, as one part takes them; iterable again and again."""

    def __init__(self, clips: Clips, spec: ClipSpec) -> None:
        self._clips, self._spec = clips, spec

    def __iter__(self) -> Iterator[Tensor]:
        return (narrow(batch, self._spec) for batch in self._clips)


def narrow(clips: Tensor, spec: ClipSpec) -> Tensor:
    """The newest frames that a part takes, at its size: (B, T, 1, H, W)."""
    seen = clips[:, -spec.span :: spec.stride]
    B, T, C = seen.shape[:3]
    return _resized(seen.flatten(0, 1), spec.size).view(B, T, C, *spec.size)


def _resized(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) at another size: areas averaged going down, bilinear going up."""
    if pictures.shape[-2:] == size:
        return pictures
    if pictures.shape[-1] > size[1]:
        return F.interpolate(pictures, size, mode="area")
    return F.interpolate(pictures, size, mode="bilinear", align_corners=False)


def _fit(part: Detector, clips: Clips, held_out: Clips, budget: Budget, log: Log) -> None:
    part.fit(Narrowed(clips, part.spec), Narrowed(held_out, part.spec), budget=budget, log=log)
