"""Every detector by name. Adding one is a file in models/detectors and a line here."""

import difflib
from dataclasses import fields
from typing import Any

from models.detector import Detector
from models.detectors.adae import Adae
from models.detectors.aesc import Aesc
from models.detectors.anogan import Anogan
from models.detectors.cae import Cae
from models.detectors.conv3d_autoencoder import Conv3dAutoencoder
from models.detectors.conv_autoencoder import ConvAutoencoder
from models.detectors.cutpaste import Cutpaste
from models.detectors.deep_svdd import DeepSvdd
from models.detectors.egbad import Egbad
from models.detectors.fanogan import Fanogan
from models.detectors.frame_prediction import FramePrediction
from models.detectors.fusion import Fusion
from models.detectors.ganomaly import Ganomaly
from models.detectors.inr import Inr
from models.detectors.memae import Memae
from models.detectors.memae_video import MemaeVideo
from models.detectors.motion import Motion
from models.detectors.nsa import Nsa
from models.detectors.padim import Padim
from models.detectors.patchcore import Patchcore
from models.detectors.skip_ganomaly import SkipGanomaly
from models.detectors.svdd import Svdd
from models.detectors.vae import Vae
from models.errors import OptionError, UnknownDetectorError

DETECTORS: dict[str, type[Detector]] = {
    detector.name: detector
    for detector in (
        FramePrediction,
        ConvAutoencoder,
        Conv3dAutoencoder,
        MemaeVideo,
        Motion,
        Fusion,
        Cae,
        Vae,
        Aesc,
        Adae,
        DeepSvdd,
        Inr,
        Memae,
        Svdd,
        Cutpaste,
        Nsa,
        Padim,
        Patchcore,
        Anogan,
        Fanogan,
        Egbad,
        Ganomaly,
        SkipGanomaly,
    )
}

MOST_SIDE_PX = 2048  # of what a detector looks at; larger ones exhaust a machine, not a picture
MAY_BE_ZERO = ("halvings",)  # of all options that count something


def kind_of(name: str) -> type[Detector]:
    """The class of that name.

    Raises:
        UnknownDetectorError: If there is none; the message names the nearest.
    """
    if name in DETECTORS:
        return DETECTORS[name]
    near = difflib.get_close_matches(name, DETECTORS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UnknownDetectorError(f"no detector {name!r}; {hint}there are {', '.join(DETECTORS)}")


def build(name: str, preset: str | None = "lite", **options: Any) -> Detector:
    """An unfitted detector: the preset's config, overridden by `options`.

    Args:
        name: A key of `DETECTORS`.
        preset: A key of the detector's `presets`; None for the bare defaults of its config.
        options: Fields of its `Config`.

    Raises:
        UnknownDetectorError: If there is no such detector.
        OptionError: If there is no such preset or option, or a value is refused.
    """
    kind = kind_of(name)
    if preset is not None and preset not in kind.presets:
        raise OptionError(f"{name} has no preset {preset!r}; it has {', '.join(kind.presets)}")
    known = [field.name for field in fields(kind.Config)]
    for key in options:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise OptionError(f"{name} has no option {key!r}; {hint}it has {', '.join(known)}")
    for key, value in options.items():
        _check_numbers(f"{name}: {key}", value, least=0 if key in MAY_BE_ZERO else 1)
    size = options.get("size")
    if isinstance(size, tuple | list) and max(size) > MOST_SIDE_PX:
        raise OptionError(f"{name}: size is at most {MOST_SIDE_PX} px a side, got {max(size)}")
    settings = ({} if preset is None else kind.presets[preset]) | options
    return kind(kind.Config(**settings))


def _check_numbers(what: str, value: Any, *, least: int) -> None:
    """Refuse counts under `least`, and weights and rates that are negative or not a number."""
    for number in value if isinstance(value, tuple | list) else (value,):
        if isinstance(number, int) and not isinstance(number, bool) and number < least:
            raise OptionError(f"{what} is at least {least}, got {number}")
        if isinstance(number, float) and not number >= 0:
            raise OptionError(f"{what} is not negative, got {number:g}")
