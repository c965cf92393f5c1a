import math

import pytest
import torch

from models.similarity import (
    PSNR_CAP_DB,
    absolute_error,
    psnr_db,
    residual_norm,
    squared_error,
)

PREDICTED = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.6], [0.7, 0.8]]]])
TARGET = torch.tensor([[[[0.1, 0.4], [0.0, 0.4]], [[0.6, 0.6], [0.3, 0.8]]]])


def test_psnr_by_hand() -> None:
    squares = [0.0, 0.04, 0.09, 0.0, 0.01, 0.0, 0.16, 0.0]
    by_hand = 10 * math.log10(1 / (sum(squares) / 8))
    assert psnr_db(PREDICTED, TARGET).item() == pytest.approx(by_hand, rel=1e-5)


def test_a_perfect_prediction_has_the_cap_and_not_infinity() -> None:
    assert psnr_db(TARGET, TARGET).tolist() == [PSNR_CAP_DB]


def test_error_maps_by_hand() -> None:
    for y in range(2):
        for x in range(2):
            r = [(PREDICTED[0, c, y, x] - TARGET[0, c, y, x]).item() for c in range(2)]
            place = (0, y, x)
            assert squared_error(PREDICTED, TARGET)[place].item() == pytest.approx(
                (r[0] ** 2 + r[1] ** 2) / 2, abs=1e-7
            )
            assert absolute_error(PREDICTED, TARGET)[place].item() == pytest.approx(
                (abs(r[0]) + abs(r[1])) / 2, abs=1e-7
            )
            assert residual_norm(PREDICTED, TARGET)[place].item() == pytest.approx(
                math.hypot(*r), abs=1e-7
            )


def test_psnr_is_that_of_the_mean_of_the_squared_error_map() -> None:
    mean = squared_error(PREDICTED, TARGET).mean().item()
    assert psnr_db(PREDICTED, TARGET).item() == pytest.approx(-10 * math.log10(mean), rel=1e-5)
