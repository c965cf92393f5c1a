"""Frames in, readings out, live and offline alike. Imports no torch; a model may bring it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from monitor.ahead import AHEAD
from monitor.calibration import Calibration
from monitor.clips import at_rate, cut_clips
from monitor.model import Model
from monitor.records import Clip, Frame, Reading
from monitor.scoring import BATCH, score_clips


def readings_of(
    frames: Iterable[Frame],
    model: Model,
    *,
    maps: bool = False,
    batch: int = BATCH,
    most: int = AHEAD,
) -> Iterator[Reading]:
    """The readings of one source's frames, with p-values where the model is calibrated.

    Args:
        frames: In order of time; where they come much faster than the model learned, they are
            thinned to its rate (see `at_rate`).
        model: Fitted.
        maps: Keep the anomaly maps with the readings.
        batch: Clips scored together; 1 for a live source, whose readings must not wait.
        most: Clips made ready ahead in a thread of their own; 0: none, in the caller's.

    Raises:
        NotFittedError: If the model has learned nothing.
    """
    taken = at_rate(frames, model.rate_hz)
    clips: Iterator[Clip] = cut_clips(taken, model.detector.spec, model.rate_hz)
    readings = score_clips(clips, model.detector, batch=batch, maps=maps, most=most)
    if model.calibration is None:
        return readings
    return _with_p_values(readings, model.calibration, batch)


def _with_p_values(
    readings: Iterator[Reading], calibration: Calibration, batch: int
) -> Iterator[Reading]:
    while group := list(islice(readings, batch)):
        p_values = calibration.p_value([reading.score for reading in group]).tolist()
        for reading, p_value in zip(group, p_values, strict=True):
            yield replace(reading, p_value=p_value)
