"""Features of torchvision's ResNets, with weights that were learned elsewhere.

The networks are made without weights; `Backbone.take` puts them in, once, before anything is
learned from them. After that they are part of the detector's own state.
"""

import logging
import pickle
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.error import URLError

import torch
from torch import Tensor, nn

from models.errors import WeightsError

log = logging.getLogger(__name__)

Name = Literal["resnet18", "wide_resnet50_2"]
LAYERS = ("layer1", "layer2", "layer3")  # at 1/4, 1/8 and 1/16 of the resolution
KNOWN = (*get_args(Name), "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet101_2")
PUBLISHED = "IMAGENET1K_V1"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean, deviation of its pictures
CALIBRATION_BATCHES = 8  # for the batch norm of random weights
UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)

Weights = dict[str, Tensor]


class Backbone(nn.Module):
    """Pictures (B, 1 or 3, H, W) in [0, 1] to the features of `LAYERS`; never trained."""

    shift: Tensor
    scale: Tensor

    def __init__(self, name: Name) -> None:
        super().__init__()
        self.name = name
        whole = _outline(name)  # the last layer and the classifier are never made
        self.stem = nn.Sequential(whole.conv1, whole.bn1, whole.relu, whole.maxpool)
        self.layers = nn.ModuleList(getattr(whole, layer) for layer in LAYERS)
        self.to_empty(device="cpu")
        self._draw()
        for buffer, values in zip(("shift", "scale"), IMAGENET, strict=True):
            self.register_buffer(buffer, torch.tensor(values).reshape(3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False)
        self.to(memory_format=torch.channels_last)
        self.eval()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """One (B, K, h, w) per layer; gray pictures count as colour ones."""
        pictures = (pictures.expand(-1, 3, -1, -1) - self.shift) / self.scale
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        found: list[Tensor] = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found

    @torch.no_grad()
    def take(self, weights: str, pictures: Iterable[Tensor]) -> None:
        """Put weights in: "download", "random", or those of a file.

        Batch norm of random weights gets its statistics from `pictures`, batches (B, C, H, W).

        Raises:
            WeightsError: If there are none to be had, or they are another network's.
        """
        if weights == "random":
            self._draw()
            self._calibrate(pictures)
            return
        found = downloaded(self.name) if weights == "download" else read_weights(Path(weights))
        source = "torchvision" if weights == "download" else weights
        self._fill(fitting(found, self.name, source))

    def _draw(self) -> None:
        """Random weights, as torchvision draws them."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def _fill(self, weights: Weights) -> None:
        """From the names that torchvision gives to the names here."""
        names = {"conv1": "stem.0", "bn1": "stem.1"} | {
            layer: f"layers.{i}" for i, layer in enumerate(LAYERS)
        }
        parts = ((names.get(key.partition(".")[0]), key.partition(".")[2]) for key in weights)
        here = {f"{a}.{b}": v for (a, b), v in zip(parts, weights.values(), strict=True) if a}
        self.load_state_dict(here)

    def _calibrate(self, pictures: Iterable[Tensor]) -> None:
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean of all batches
            norm.train()
        for _, batch in zip(range(CALIBRATION_BATCHES), pictures, strict=False):
            self(batch)
        self.eval()


def remarks(name: str, weights: str) -> tuple[str, ...]:
    """What a report has to say about where the features come from."""
    if weights == "random":
        return (
            f"{name} has RANDOM weights, as asked for by weights=random: nothing was learned from "
            "other pictures, and published figures of this method do not apply",
        )
    source = f"torchvision, {PUBLISHED}" if weights == "download" else weights
    return (f"{name} has weights learned from other pictures ({source})",)


def downloaded(name: str) -> Weights:
    """Torchvision's own, from its cache or from the network.

    Raises:
        WeightsError: If they are neither here nor to be had.
    """
    from torchvision.models import get_model_weights

    published = get_model_weights(name)[PUBLISHED]
    log.info("%s: weights from %s, unless they are in torch's cache", name, published.url)
    try:
        with redirect_stdout(sys.stderr):  # torch says there that it begins; programs read stdout
            found: Weights = published.get_state_dict(progress=False, weights_only=True)
    except (URLError, OSError, *UNREADABLE) as error:
        raise WeightsError(
            f"the weights of {name} could not be had from {published.url} "
            f"({getattr(error, 'reason', None) or error}); expected a network, or that file given "
            "as weights=PATH; weights=random works without, and far worse"
        ) from error
    return found


def read_weights(path: Path) -> Weights:
    """A `state_dict` on disk, as torchvision writes it, or under a key "state_dict".

    Raises:
        WeightsError: If there is no such file, or it holds anything but names and tensors.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(
            f"weights={path}: {error.strerror or 'cannot be read'}; expected a file of "
            "torchvision's weights, or download, or random"
        ) from error
    except UNREADABLE as error:
        raise WeightsError(
            f"weights={path} is no file of plain tensors; expected a state_dict of torchvision's"
        ) from error
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise WeightsError(f"weights={path} holds no state_dict; expected one of torchvision's")
    return content


def fitting(weights: Weights, name: str, source: str) -> Weights:
    """The same weights without the classifier, if they are that network's.

    Raises:
        WeightsError: If not; the message names the network that they do fit.
    """
    there = {key: value.shape for key, value in _trunk(weights).items()}
    if there == _shapes(name):
        return _trunk(weights)
    other = next((known for known in KNOWN if there == _shapes(known)), None)
    raise WeightsError(
        f"the weights in {source} are of {other or 'no network that is known here'}, "
        f"expected {name}'s" + (f"; set backbone={other}" if other in get_args(Name) else "")
    )


def _trunk(weights: Weights) -> Weights:
    return {key: value for key, value in weights.items() if not key.startswith("fc.")}


def _shapes(name: str) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in _trunk(_outline(name).state_dict()).items()}


def _outline(name: str) -> Any:  # a ResNet
    """Torchvision's network without numbers in it; importing it takes as long as torch does."""
    from torchvision.models import get_model

    with torch.device("meta"):
        return get_model(name, weights=None)
