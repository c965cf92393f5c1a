"""Slight changes of normal pictures that leave them normal: flips, turns, shifts, light.

Drawn anew for every picture of a batch, so that a detector learns from more than there is.
"""

from dataclasses import dataclass, fields
from typing import Literal, Self, get_args

import torch
from torch import Tensor

from models.errors import OptionError

Flip = Literal["none", "h", "v", "hv"]

# Resampling takes away the finest detail. A network that saw blurred pictures only would find
# sharp ones odd, so half of the pictures are neither turned nor shifted.
MOVED = 0.5
MOST_TURN, MOST_SHARE = 180.0, 0.5


@dataclass(frozen=True)
class Augmentation:
    """How much pictures are changed, at most; all zero and "none": not at all.

    As text `flip=h,turn=5,shift=0.02,light=0.05`, what is not named being left as it is; or `none`.
    """

    flip: Flip = "none"  # mirrored left to right (h), top to bottom (v), or both, each by chance
    turn: float = 0.0  # degrees either way
    shift: float = 0.0  # share of the height and width either way
    light: float = 0.0  # share by which brightness and contrast are more or less

    def __post_init__(self) -> None:
        limits = {"turn": MOST_TURN, "shift": MOST_SHARE, "light": MOST_SHARE}
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                raise OptionError(
                    f"augmentation: {name}={getattr(self, name):g}, expected 0 to {most:g}"
                )
        if self.flip not in get_args(Flip):
            raise OptionError(
                f"augmentation: flip={self.flip}, expected {', '.join(get_args(Flip))}"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`.

        Raises:
            OptionError: A word is not known, or a value is no number or too large.
        """
        if text.strip() in ("", "none"):
            return cls()
        known = [field.name for field in fields(cls)]
        values: dict[str, str | float] = {}
        for word in text.split(","):
            key, equals, value = (part.strip() for part in word.partition("="))
            if key not in known or not equals:
                raise OptionError(
                    f"augmentation: {word.strip()!r} is not known; expected none, or some of "
                    "flip=h,turn=5,shift=0.02,light=0.05"
                )
            values[key] = value if key == "flip" else _number(key, value)
        return cls(**values)  # type: ignore[arg-type]

    def __str__(self) -> str:
        shown = {"turn": self.turn, "shift": self.shift, "light": self.light}
        words = [f"flip={self.flip}"] if self.flip != "none" else []
        return ",".join(words + [f"{k}={v:g}" for k, v in shown.items() if v]) or "none"


NONE = Augmentation()
# No flips: on many products and on all X-rays left and right are told apart.
MILD = Augmentation(turn=2.0, shift=0.02, light=0.05)


def augmented(pictures: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Pictures (B, C, H, W) in [0, 1], each changed by draws of its own; same shape and range."""
    flipped = _flip(pictures, how.flip, generator)
    return _light(_move(flipped, how, generator), how.light, generator)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"augmentation: {key}={text}, expected a number") from None


def _draw(like: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(B, count) even draws from -1 to 1; made on the CPU, so that a GPU draws the same."""
    return (2 * torch.rand(len(like), count, generator=generator) - 1).to(like.device)


def _flip(pictures: Tensor, flip: Flip, generator: torch.Generator) -> Tensor:
    for letter, side in (("h", -1), ("v", -2)):
        if letter in flip:
            turned = _draw(pictures, 1, generator)[:, 0] > 0
            pictures = torch.where(turned[:, None, None, None], pictures.flip(side), pictures)
    return pictures


def _move(pictures: Tensor, how: Augmentation, generator: torch.Generator) -> Tensor:
    """Turned about the middle and shifted; beyond the edge the picture is mirrored."""
    if not (how.turn or how.shift):
        return pictures
    draws = _draw(pictures, 4, generator)
    taken = (draws[:, 3] + 1) / 2 < MOVED
    if not taken.any():
        return pictures
    B, (H, W) = int(taken.sum()), pictures.shape[-2:]
    from kornia.geometry.transform import get_affine_matrix2d, warp_affine

    sides = pictures.new_tensor([W, H])
    matrix = get_affine_matrix2d(
        translations=how.shift * draws[taken, :2] * sides,
        center=((sides - 1) / 2).expand(B, 2),
        scale=pictures.new_ones(B, 2),
        angle=how.turn * draws[taken, 2],
    )
    moved = pictures.clone()
    moved[taken] = warp_affine(
        pictures[taken],
        matrix[:, :2],
        (H, W),
        mode="bicubic",
        padding_mode="reflection",
        align_corners=True,
    ).clamp(0, 1)
    return moved


def _light(pictures: Tensor, share: float, generator: torch.Generator) -> Tensor:
    if not share:
        return pictures
    gain, offset = (share * _draw(pictures, 2, generator))[:, :, None, None, None].unbind(1)
    middle = pictures.mean(dim=(1, 2, 3), keepdim=True)
    return ((1 + gain) * (pictures - middle) + (1 + offset) * middle).clamp(0, 1)
