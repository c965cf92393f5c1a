"""Support vector data description of features: the smallest ball in the space of an RBF kernel.

David M. J. Tax and Robert P. W. Duin, "Support Vector Data Description", Machine Learning 54, 2004.
With an RBF kernel it is the one-class SVM (Schölkopf et al., Neural Computation 13, 2001), which
scikit-learn solves; what comes out is kept as tensors and asked in torch.
"""

import torch
from torch import Tensor, nn

from models.errors import TrainingError

KEPT = 0.999  # of the variance of the features; what is beyond is rounding
FLOOR = 1e-3  # of the largest variance, added when whitening: small directions are mostly noise


class Whitening(nn.Module):
    """Features (..., F) -> (..., D) without correlation, each of variance about 1.

    Directions beyond those that hold `KEPT` of the variance come out as zero.
    """

    mean: Tensor  # (F,)
    directions: Tensor  # (F, D)

    def __init__(self, features: int, directions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("directions", torch.eye(features, directions))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Learn from (N, F); each feature counts alike, whatever its unit.

        Raises:
            TrainingError: If no feature differs anywhere.
        """
        rows = features.double().cpu()
        scale = rows.std(dim=0, correction=0)
        if not bool((scale > 1e-6).any()):
            raise TrainingError(
                f"{len(rows)} training features are all the same: there is nothing to tell what "
                "is normal by; look whether the training pictures differ at all"
            )
        scale = torch.where(scale > 1e-6, scale, torch.inf)
        _, lengths, right = torch.linalg.svd((rows - rows.mean(dim=0)) / scale, full_matrices=False)
        variance = lengths.square() / len(rows)
        beyond = variance.cumsum(0) - variance > KEPT * variance.sum()
        weights = (variance + FLOOR * variance[0]).rsqrt().masked_fill(beyond, 0.0)
        found = (right.T / scale[:, None] * weights)[:, : self.directions.shape[1]]
        self.mean.copy_(rows.mean(dim=0))
        self.directions.zero_()
        self.directions[:, : found.shape[1]] = found

    def forward(self, features: Tensor) -> Tensor:
        """The whitened features."""
        return (features - self.mean) @ self.directions


class KernelSvdd(nn.Module):
    """How far points (..., D) lie outside a ball that was drawn around normal ones.

    The decision function of the SVM, sum_i a_i k(x_i, x) - rho, is the same for all that lies far
    away. The score is therefore log rho - log sum_i a_i k(x_i, x): zero at the same boundary,
    the same order, but no saturation.
    """

    support: Tensor  # (S, D)
    duals: Tensor  # (S,), positive
    offset: Tensor  # (), rho
    steepness: Tensor  # (), gamma of the kernel exp(-gamma |x - y|^2)

    def __init__(self, width: int, *, nu: float, steepness: float) -> None:
        """`nu`: share of what is learned from that lies outside; `steepness`: times 1 / D."""
        super().__init__()
        self.nu = nu
        self.register_buffer("support", torch.zeros(1, width))
        self.register_buffer("duals", torch.ones(1))
        self.register_buffer("offset", torch.tensor(1.0))
        self.register_buffer("steepness", torch.tensor(steepness / width))

    @torch.no_grad()
    def fit(self, points: Tensor) -> None:
        """Draw the ball around points (N, D) of unit variance.

        Raises:
            TrainingError: If there is none.
        """
        from sklearn.svm import OneClassSVM  # takes a second; only learning needs it

        if not len(points):
            raise TrainingError("there is no clip to learn from")
        machine = OneClassSVM(kernel="rbf", nu=self.nu, gamma=float(self.steepness))
        machine.fit(points.double().cpu().numpy())
        device = self.support.device
        self.support = torch.from_numpy(machine.support_vectors_).float().to(device)
        self.duals = torch.from_numpy(machine.dual_coef_[0]).float().to(device)
        self.offset.fill_(float(-machine.intercept_[0]))

    def forward(self, points: Tensor) -> Tensor:
        """Scores (...), above 0 outside."""
        near = -self.steepness * _squared_distances(points.flatten(0, -2), self.support)
        inside = torch.logsumexp(near + self.duals.log(), dim=-1)
        return (self.offset.clamp_min(1e-12).log() - inside).reshape(points.shape[:-1])


def _squared_distances(points: Tensor, others: Tensor) -> Tensor:
    """Of (N, D) to (S, D), (N, S); by products, as graphs of exported detectors know no other."""
    lengths = points.square().sum(dim=1, keepdim=True) + others.square().sum(dim=1)
    return (lengths - 2 * points @ others.T).clamp_min(0)
