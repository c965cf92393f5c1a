"""Frame prediction on a video as one would write it in an afternoon: OpenCV, PyTorch, a loop.

Nothing in it is slow on purpose: the network does not learn, gradients are off, pictures are made
small before they become tensors, and no frame is read or converted twice.
"""

from collections import deque
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Plan:
    """Which frames the network sees and which it foretells; frames are counted from the oldest."""

    size: tuple[int, int]  # height, width
    gray: bool
    seen: tuple[int, ...]
    target: int
    residual: bool  # the network says what changes


class PlainUNet(nn.Module):
    """The U-Net of `models.networks.unet`, written out plainly; takes its weights."""

    def __init__(
        self, channels: int, out: int, *, width: int, depth: int, unshuffle: int, tanh: bool
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        inputs = [channels * unshuffle**2, *widths[:-1]]
        self.unshuffle, self.tanh = unshuffle, tanh
        self.down = nn.ModuleList(twice(a, b) for a, b in zip(inputs, widths, strict=True))
        coarse_to_fine = widths[-2::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in coarse_to_fine)
        self.merge = nn.ModuleList(twice(2 * w, w) for w in coarse_to_fine)
        self.out = nn.Conv2d(width, out * unshuffle**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) in [-1, 1] to (B, out, H, W)."""
        x = F.pixel_unshuffle(x, self.unshuffle)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, merge, skip in zip(self.up, self.merge, skips[-2::-1], strict=True):
            x = merge(torch.cat([skip, torch.relu(up(x))], dim=1))
        x = F.pixel_shuffle(self.out(x), self.unshuffle)
        return torch.tanh(x) if self.tanh else x


def twice(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(b, b, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def psnr_of_frames(video: Path, network: nn.Module, plan: Plan, most: int | None) -> list[float]:
    """PSNR in dB of each frame that could be foretold; low is odd."""
    height, width = plan.size
    recent: deque[Tensor] = deque(maxlen=plan.target + 1)
    found: list[float] = []
    capture = cv2.VideoCapture(str(video))
    read = 0
    while most is None or read < most:
        there, frame = capture.read()
        if not there:
            break
        read += 1
        frame = cv2.resize(frame, (width, height))
        frame = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY if plan.gray else cv2.COLOR_BGR2RGB)
        picture = torch.from_numpy(frame).float().reshape(height, width, -1).permute(2, 0, 1)
        recent.append(picture / 127.5 - 1)
        if len(recent) <= plan.target:
            continue
        with torch.no_grad():
            predicted = network(torch.cat([recent[i] for i in plan.seen])[None])[0]
        if plan.residual:
            predicted = predicted + recent[plan.seen[-1]]
        error = ((predicted - recent[plan.target]) / 2).square().mean()
        found.append(-10 * torch.log10(error.clamp_min(1e-10)).item())
    capture.release()
    return found
