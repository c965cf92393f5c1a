"""The values that pass from stage to stage; all frozen, none knows a stage.

Times are float seconds of the source's own clock, indices count the source's frames from 0.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3), RGB

ASPECT_TOLERANCE = 0.1  # of the width-to-height ratio; more squeezes people visibly


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture of a source."""

    image: Image  # (H, W, 3) uint8, RGB
    index: int  # which frame of its source, from 0
    time_s: float  # its presentation time, from the start of the source
    epoch: int = 0  # bumps when the source reconnects


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The frames of one detector input, already at its size, and the frame it speaks about."""

    frames: tuple[NDArray[np.uint8], ...]  # T of (C, H, W)
    target: Frame  # the frame that the score is for, at the camera's own size


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One scored clip of one source."""

    frame: Frame
    score: float  # raw, higher is more anomalous
    p_value: float | None = None  # None before calibration
    terms: dict[str, float] = field(default_factory=dict)
    map: NDArray[np.float32] | None = None  # (H, W) at the detector's size, where one was asked for


class MapScale(NamedTuple):
    """What the maps of normal frames reach at their highest place."""

    usual: float  # half of them at most this
    high: float  # nearly all


Phase = Literal["new", "update", "end"]
EndedBy = Literal[
    "",
    "reconnect",
    "gap",
    "clock",
    "max_length",
    "end_of_source",
    "engine_restart",
    "blind",
    "paused",
    "shutdown",
]


@dataclass(frozen=True, slots=True)
class Alert:
    """One phase of one alert; `id` stays, `revision` grows."""

    id: str  # a ULID
    source: str
    phase: Phase
    revision: int
    start_s: float  # of the source's clock
    end_s: float  # so far
    peak_s: float
    peak_score: float
    peak_p_value: float | None  # of the peak's reading; None before calibration
    reason: str = ""  # the part of a fusion that was most surprised at the peak
    ended_by: EndedBy = ""  # what cut it short; empty: the anomaly ended by itself
    continues: str = ""  # id of the alert that it was split from, at the greatest length


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether pictures of these heights and widths may be of one camera; scale does not matter."""
    return abs((size[1] / size[0]) / (other[1] / other[0]) - 1) <= ASPECT_TOLERANCE
