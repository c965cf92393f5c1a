"""A tiny world on disk: a square walks right over a pavement; in the wrong videos one runs left."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 32, 48
TINY: dict[str, Any] = {
    "width": 4,
    "depth": 2,
    "unshuffle": 1,
    "context": 2,
    "stride": 1,
    "gap": 1,
    "rule": "window",
    "window_px": 8,
    "size": (HEIGHT, WIDTH),
}
TINY_WORDS = [
    f"--set={key}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
    for key, value in TINY.items()
]


def picture(index: int, *, seed: int, wrong: bool) -> NDArray[np.uint8]:
    """Frame `index` of a video; the wrong thing is chequered and goes the other way, fast."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    image = 100 + 25 * np.sin(x / 3) * np.cos(y / 4)
    image += np.random.default_rng([seed, index]).normal(0, 2, image.shape)
    row = 3 + 7 * (seed % 3)
    image[row : row + 6, (np.arange(6) + index + 5 * seed) % WIDTH] = 200
    if wrong:
        left = (40 - 4 * index) % (WIDTH - 12)
        image[18:28, left : left + 10] = 255 * ((y[18:28, :10] // 2 + x[18:28, :10] // 2) % 2)
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def write_clip(
    folder: Path, n_frames: int, *, seed: int, wrong: range = range(0)
) -> NDArray[np.bool_]:
    """A folder of frames; returns which are wrong."""
    folder.mkdir(parents=True)
    for index in range(n_frames):
        image = picture(index, seed=seed, wrong=index in wrong)
        cv2.imwrite(str(folder / f"{index:03d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return np.isin(np.arange(n_frames), wrong)


def write_set(
    root: Path, *, n_train: int = 3, n_frames: int = 120, n_test: int = 2, masks: bool = False
) -> Path:
    """Frames and labels in the layout `frames`; each test clip has one wrong stretch."""
    for number in range(n_train):
        write_clip(root / "training" / "frames" / f"{number:02d}", n_frames, seed=number)
    labels = []
    for number in range(n_test):
        folder = root / "testing" / "frames" / f"{number:02d}"
        labels.append(write_clip(folder, 80, seed=10 + number, wrong=range(40, 60)))
        if masks:
            place = root / "testing" / "pixel_masks" / f"{number:02d}.npy"
            place.parent.mkdir(exist_ok=True)
            truth = np.zeros((80, HEIGHT, WIDTH), np.uint8)
            for index in range(40, 60):
                left = (40 - 4 * index) % (WIDTH - 12)
                truth[index, 18:28, left : left + 10] = 1
            np.save(place, truth)
    np.save(root / "labels.npy", np.concatenate(labels))
    return root
