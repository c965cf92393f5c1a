"""The one contract between the networks and whoever uses them.

A detector learns from clips what is normal and then gives any clip one number: how far from
normal it is. It knows nothing of cameras, files, thresholds or alerts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from models.errors import NotFittedError, ShapeError
from models.spec import ClipSpec
from models.steps import Budget, Log, Step, silent

__all__ = [
    "Budget",
    "ClipSpec",
    "Clips",
    "Detector",
    "Findings",
    "Log",
    "Step",
    "silent",
]


@dataclass(frozen=True)
class Findings:
    """What a detector says of a batch of clips; higher is more anomalous, everywhere.

    `terms` are named side scores of the same frames, each (B,): the papers' own rule beside
    ours, or what each part of a fusion said.
    """

    scores: Tensor  # (B,)
    maps: Tensor  # (B, H, W)
    terms: dict[str, Tensor] = field(default_factory=dict)


Clips = Iterable[Tensor]  # batches (B, T, C, H, W); iterated once per epoch, so not a generator


class Detector(nn.Module, ABC):
    """Scores clips (B, T, C, H, W), float32 in [0, 1]; higher is more anomalous, always.

    All that fitting learns is held in parameters and buffers, so `state_dict` is the whole of
    a detector's memory and one `save` serves them all.
    """

    name: ClassVar[str]  # key in `models.DETECTORS`, on the command line and in checkpoints
    kind: ClassVar[Literal["video", "image"]]
    paper: ClassVar[str]  # where it comes from, one line
    Config: ClassVar[type[Any]]  # frozen dataclass of plain values; its defaults are `lite`
    presets: ClassVar[dict[str, dict[str, Any]]]  # what each preset changes in the defaults
    concurrent: ClassVar[bool] = False  # whether threads may call `examine` at the same time
    shared: ClassVar[bool] = True  # whether several processes learn it sooner than one

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.fitted = False
        self.training_state: dict[str, Any] = {}  # optimisers and counters, so as to resume

    @property
    @abstractmethod
    def spec(self) -> ClipSpec:
        """The clips this detector takes."""

    @abstractmethod
    def fit(self, clips: Clips, held_out: Clips, *, budget: Budget, log: Log = silent) -> Self:
        """Learn what is normal; called again with a new budget, go on from there.

        Args:
            clips: Normal clips to learn from.
            held_out: Normal clips that are never learned from; scales of errors and maps come
                from these, because errors on what was learned are too small.
            budget: When to end. An interrupt (Ctrl-C) ends it early and keeps what was learned.
            log: Called after every step.

        Raises:
            ShapeError: If the clips do not match `spec`.
            TrainingError: If there are no clips, or a loss stops being finite.
        """

    @abstractmethod
    def examine(self, clips: Tensor) -> Findings:
        """Scores and maps from one pass. Each depends on its own clip alone, never on its batch.

        Raises:
            NotFittedError: If called before `fit`.
            ShapeError: If the clips do not match `spec`.
        """

    @torch.inference_mode()
    def score(self, clips: Tensor) -> Tensor:
        """Anomaly scores, (B,). Raises as `examine`."""
        return self.examine(clips).scores

    @torch.inference_mode()
    def explain(self, clips: Tensor) -> Tensor:
        """Anomaly maps, (B, H, W): where the score comes from. Raises as `examine`."""
        return self.examine(clips).maps

    def reconstruct(self, clips: Tensor) -> Tensor | None:
        """The target frame as it was expected, (B, C, H, W) in [0, 1]; None where there is none."""
        self.check(clips)
        return None

    def check(self, clips: Tensor) -> None:
        """Refuse clips that `spec` does not describe, and any clip before `fit`."""
        if not self.fitted:
            raise NotFittedError(f"{self.name} was asked for a score before fit() or load()")
        self.shaped(clips)

    def shaped(self, clips: Tensor) -> Tensor:
        """The clips themselves; those that `spec` does not describe are refused."""
        spec = self.spec
        expected = (spec.length, spec.channels, *spec.size)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != expected:
            raise ShapeError(
                f"{self.name} takes clips of shape (B, {', '.join(map(str, expected))}), "
                f"got {tuple(clips.shape)}"
            )
        return clips
