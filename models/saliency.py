"""Where in a picture a network's number comes from.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, arXiv:1610.02391.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def grad_cam(
    features: Tensor, score: Callable[[Tensor], Tensor], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Scores of feature maps, and which places of the picture raised them.

    Args:
        features: (B, K, h, w) of a network's last convolution; need no gradient of their own.
        score: From such features to (B,), each from its own picture alone.
        size: Of the picture, height and width.

    Returns:
        Scores (B,) and maps (B, H, W), not negative: channels weighted with the mean gradient
        of the score, added, what lowers the score cut off. Works inside `torch.inference_mode`.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        maps = features.detach().clone().requires_grad_()
        scores = score(maps)
        (gradient,) = torch.autograd.grad(scores.sum(), maps)
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        raised = (weights * maps).sum(dim=1, keepdim=True).relu().detach()
    spread = F.interpolate(raised, size, mode="bilinear", align_corners=False)
    return scores.detach(), spread[:, 0]
