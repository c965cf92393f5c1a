"""Pictures in, verdicts out: batches through the detector, then what a score means.

Everything that judges stills (scoring a set, inspecting snapshots, following a folder, comparing
detectors) takes its verdicts from here, so that a threshold is compared with what it was set on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.clips import prepare
from monitor.errors import SourceError
from monitor.overlay import Box, to_heat
from monitor.records import Image, MapScale
from monitor.runtimes import picture_of, runtime_of
from monitor.stills.model import StillModel
from monitor.stills.still import Still

Verdict = Literal["ok", "defective", "unjudged"]
VERDICTS: tuple[str, ...] = get_args(Verdict)
Heat = NDArray[np.float32]

BATCH = 16  # pictures examined together
NO_THRESHOLD = "the model has no threshold; run: oddwatch calibrate MODEL NORMAL_PICTURES"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is said of one picture.

    Unjudged: it cannot be read, is of a shape that was not learned, or there is no threshold.
    """

    still: Still
    score: float | None  # raw, higher is more anomalous; None: it was not shown to the detector
    p_value: float | None = None  # None before calibration
    displayed: float | None = None  # 0 is typical, 1 the threshold; None before calibration
    verdict: Verdict = "unjudged"
    why: str = ""  # it is unjudged, one line
    box: Box | None = None  # of the largest region that no normal map reaches, source pixels
    size: tuple[int, int] | None = None  # height and width of the source picture; None: unread
    map: Heat | None = None  # (h, w) at the detector's size, where asked for
    terms: dict[str, float] = field(default_factory=dict)
    expected: Image | None = None  # (h, w, 3), what a reconstructing detector expected, if asked


def judged(
    stills: Iterable[Still],
    model: StillModel,
    *,
    batch: int = BATCH,
    maps: bool = True,
    expected: bool = False,
    strict: bool = False,
) -> Iterator[Judged]:
    """A verdict for each picture, in order; what cannot be judged is unjudged, with the reason.

    Args:
        stills: Read batch by batch, and never held longer.
        model: Fitted; without calibration there are scores, but no p-values and no verdicts.
        batch: Pictures examined together; 1 where a verdict must not wait for the next picture.
        maps: Keep the anomaly maps, for overlays (`heat_of`); boxes are found in any case.
        expected: Also ask for what the detector expected (`Detector.reconstruct`).
        strict: Raise where a picture cannot be read, or is of a shape that was not learned.

    Raises:
        SourceError: If `strict`, and there is such a picture.
        NotFittedError: If the model has learned nothing.
    """
    stream = iter(stills)
    while group := list(islice(stream, batch)):
        read = [_read(still, model, strict=strict) for still in group]
        whole = [item for item in read if not isinstance(item, Judged)]
        found = iter(_examined(whole, model, expected=expected) if whole else ())
        for item in read:
            verdict = item if isinstance(item, Judged) else next(found)
            yield verdict if maps else replace(verdict, map=None)


def heat_of(anomaly_map: NDArray[np.floating], model: StillModel) -> NDArray[np.floating]:
    """The map as `monitor.overlay` takes it: 0 is usual, 1 what normal pictures hardly ever reach.

    Without calibration the map's own median and maximum stand in.
    """
    own = MapScale(float(np.median(anomaly_map)), float(anomaly_map.max()))
    return to_heat(anomaly_map, model.map_scale or own)


def box_of(anomaly_map: NDArray[np.floating], high: float, size: tuple[int, int]) -> Box | None:
    """Where the largest 8-connected region of the map over `high` lies, in pixels of `size`.

    `size` is the source picture's height and width; None where nothing is over `high`.
    """
    count, _, facts, _ = cv2.connectedComponentsWithStats(
        (anomaly_map > high).astype(np.uint8), connectivity=8
    )
    if count < 2:
        return None
    largest = 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height = facts[largest, :4].tolist()
    down, across = (s / m for s, m in zip(size, anomaly_map.shape, strict=True))
    return Box(
        left=int(left * across),
        top=int(top * down),
        right=max(round((left + width) * across), int(left * across) + 1),
        bottom=max(round((top + height) * down), int(top * down) + 1),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A picture that was read: its size, and itself at the detector's."""

    still: Still
    size: tuple[int, int]
    planes: NDArray[np.uint8]  # (C, h, w)


def _read(still: Still, model: StillModel, *, strict: bool) -> _Read | Judged:
    size: tuple[int, int] | None = None
    try:
        image = still.picture()
        size = image.shape[0], image.shape[1]
        model.check_picture(size, str(still.path or still.name))
    except SourceError as error:
        if strict:
            raise
        return Judged(still, None, why=str(error), size=size)
    return _Read(still, size, prepare(image, model.detector.spec))


def _examined(read: list[_Read], model: StillModel, *, expected: bool) -> Iterator[Judged]:
    runtime = runtime_of(model.detector)
    batch = runtime.batch([(item.planes,) for item in read])
    found = runtime.examine(batch)
    pictures = runtime.expected(batch) if expected else None
    scores = found.scores.tolist()
    terms = {name: values.tolist() for name, values in found.terms.items()}
    for i, item in enumerate(read):
        yield _verdict(
            Judged(
                item.still,
                scores[i],
                size=item.size,
                map=found.maps[i],
                terms={name: values[i] for name, values in terms.items()},
                expected=None if pictures is None else picture_of(pictures[i]),
            ),
            model,
        )


def _verdict(found: Judged, model: StillModel) -> Judged:
    """With what its score means; a score that is no number is worse than any."""
    assert found.score is not None
    assert found.map is not None
    assert found.size is not None
    scale, calibration = model.map_scale, model.calibration
    box = None if scale is None else box_of(found.map, scale[1], found.size)
    if not np.isfinite(found.score):
        return replace(found, box=box, why=f"its score is {found.score}, no number")
    if calibration is None:
        return replace(found, box=box, why=NO_THRESHOLD)
    return replace(
        found,
        p_value=float(calibration.p_value(found.score)),
        displayed=float(calibration.display(found.score)),
        verdict="defective" if found.score > calibration.threshold else "ok",
        box=box,
    )
