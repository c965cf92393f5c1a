"""Polygons of the configuration as the places of an anomaly map that count."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from monitor.errors import UsageError

Points = Sequence[tuple[float, float]]  # x, y in shares of the picture, from its upper left corner

LEAST_AREA = 1e-5  # share of the picture: 3 x 3 px of 1280 x 720
SHIFT = 8  # fractional bits of OpenCV's coordinates
CHECKED_AT = (144, 256)  # height, width: where emptiness is judged


def weight_of(
    size: tuple[int, int],
    *,
    include: Sequence[Points] = (),
    exclude: Sequence[Points] = (),
    privacy: Sequence[Points] = (),
) -> NDArray[np.bool_]:
    """Where an anomaly map counts: inside any of `include` (none: everywhere), outside the rest.

    Args:
        size: Height and width of the map.
        include: Polygons; a border that touches a place takes it in.
        exclude: Polygons that win over `include`.
        privacy: As `exclude`: what is blacked cannot be judged.

    Returns:
        (H, W), true where it counts.
    """
    inside = _fill(size, include) if include else np.ones(size, bool)
    return inside & ~_fill(size, exclude) & ~_fill(size, privacy)


def check_polygons(
    camera: str,
    *,
    include: Sequence[Points] = (),
    exclude: Sequence[Points] = (),
    privacy: Sequence[Points] = (),
) -> None:
    """Refuse polygons that nobody can have meant.

    Raises:
        UsageError: One has no area, or together they leave nothing of the picture.
    """
    for kind, polygons in (("include", include), ("exclude", exclude), ("privacy", privacy)):
        for i, points in enumerate(polygons, start=1):
            if cv2.contourArea(np.asarray(points, np.float32)) < LEAST_AREA:
                raise UsageError(
                    f"camera {camera!r}: {kind} polygon {i} has no area (its corners lie on a line,"
                    " or its sides cross); list the corners in order, as x, y from 0 to 1"
                )
    if not weight_of(CHECKED_AT, include=include, exclude=exclude, privacy=privacy).any():
        raise UsageError(
            f"camera {camera!r}: its polygons leave nothing of the picture to watch;"
            " make exclude or privacy smaller, or include larger"
        )


def _fill(size: tuple[int, int], polygons: Sequence[Points]) -> NDArray[np.bool_]:
    height, width = size
    canvas = np.zeros(size, np.uint8)
    for points in polygons:
        places = np.asarray(points, float) * (width, height) - 0.5  # of pixels' centres
        corners = np.rint(places * 2**SHIFT).astype(np.int32)
        cv2.fillPoly(canvas, [corners], 1, shift=SHIFT)
    return canvas.astype(bool)
