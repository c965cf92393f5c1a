"""A Gaussian of normal features, and how far from it others lie.

Rippel, Mertens and Merhof, "Modeling the Distribution of Normal Data in Pre-Trained Deep Features
for Anomaly Detection", ICPR 2021, arXiv:2005.14140; the covariance is shrunk towards a ball as far
as Ledoit and Wolf (JMVA 2004) say, since there are rarely more pictures than features.
"""

import torch
from torch import Tensor, nn

from models.errors import TrainingError

LEAST_SPREAD = 1e-6  # of a feature's mean square: variances under it are rounding


class GaussianDensity(nn.Module):
    """Squared Mahalanobis distance of features (..., D) from normal ones."""

    mean: Tensor  # (D,)
    whitening: Tensor  # (D, D), upper triangular; distance = |(x - mean) @ whitening|
    precision: Tensor  # (D, D), inverse of the covariance: whitening @ whitening.T

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("whitening", torch.eye(width))
        self.register_buffer("precision", torch.eye(width))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Learn from features (N, D) of normal pictures; one picture gives a ball.

        Raises:
            TrainingError: If there is none, or one is not finite.
        """
        from sklearn.covariance import ledoit_wolf  # takes a second; only learning needs it

        if not len(features):
            raise TrainingError("there is no picture to learn the density of features from")
        if not torch.isfinite(features).all():
            raise TrainingError("the features of normal pictures are not finite; train it again")
        rows = features.double().cpu()
        rows = rows if len(rows) > 1 else rows.repeat(2, 1)
        covariance = torch.from_numpy(ledoit_wolf(rows.numpy())[0])
        least = LEAST_SPREAD * float(rows.square().mean()) + 1e-12
        covariance += least * torch.eye(rows.shape[1], dtype=torch.float64)
        inverse = torch.linalg.inv(torch.linalg.cholesky(covariance))
        self.mean.copy_(rows.mean(dim=0))
        self.whitening.copy_(inverse.T)
        self.precision.copy_(inverse.T @ inverse)

    def forward(self, features: Tensor) -> Tensor:
        """Squared distances, (...); their mean over what was learned from is about D."""
        return self.whitened(features).square().sum(dim=-1)

    def whitened(self, features: Tensor) -> Tensor:
        """Without correlation, each of variance about 1; (..., D)."""
        return (features - self.mean) @ self.whitening

    def slope(self, features: Tensor) -> Tensor:
        """Half of the gradient of the squared distances, (..., D).

        Not `whitened(...) @ whitening.T`: OpenVINO 2026.4 computes wrongly with a large
        matrix that is in a graph both as it is and transposed.
        """
        return (features - self.mean) @ self.precision
