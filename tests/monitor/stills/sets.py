"""Small sets of stills on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (24, 32)) -> Path:
    """A picture of noise; the seed tells it from others."""
    pixels = np.random.default_rng(seed).integers(30, 226, (*size, 3), np.uint8)
    return save(path, pixels)


def save(path: Path, pixels: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def pictures(folder: Path, number: int, *, seed: int = 0, suffix: str = ".png") -> list[Path]:
    """Different ones, 000 and so on."""
    return [picture(folder / f"{i:03d}{suffix}", 1000 * seed + i) for i in range(number)]


def mask(path: Path, size: tuple[int, int] = (24, 32)) -> Path:
    """Four by five pixels are anomalous."""
    pixels = np.zeros(size, np.uint8)
    pixels[4:8, 10:15] = 255
    return save(path, pixels)


def mvtec(root: Path, *, n_train: int = 6) -> Path:
    """bottle: two kinds of defect, three and two of them, and two good."""
    pictures(root / "train" / "good", n_train, seed=1)
    pictures(root / "test" / "good", 2, seed=2)
    for seed, (kind, number) in enumerate({"broken": 3, "dirty": 2}.items(), 3):
        for path in pictures(root / "test" / kind, number, seed=seed):
            mask(root / "ground_truth" / kind / f"{path.stem}_mask.png")
    return root


def collector(into: list[str]) -> Callable[[Exception], None]:
    """Keeps what it is told."""
    return lambda error: into.append(str(error))
