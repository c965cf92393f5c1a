"""Errors against the usual: known answers, and references by loops."""

import math

import pytest
import torch

from models.errors import TrainingError
from models.still_maps import top_mean
from models.usual import (
    CONTRAST_FLOOR,
    ORDER,
    Usual,
    judge,
    mean_picture,
    smooth,
    worst,
)


def test_smoothing_keeps_a_constant_and_the_range() -> None:
    torch.testing.assert_close(smooth(torch.full((16, 24), 0.7)), torch.full((16, 24), 0.7))
    spot = torch.zeros(16, 24)
    spot[8, 12] = 1
    assert 0 < smooth(spot)[8, 13] < smooth(spot)[8, 12] < 1


def test_mean_and_deviation_of_a_uniform_map_are_its_own() -> None:
    values = torch.tensor([0.1, 0.2, 0.6])
    usual = Usual((8, 8), floor=0.0)
    usual.fit([value.expand(1, 8, 8) for value in values])
    torch.testing.assert_close(usual.mean, torch.full((8, 8), 0.3))
    torch.testing.assert_close(usual.deviation, values.std(correction=0).expand(8, 8))
    z = usual(torch.full((1, 8, 8), 0.9))
    assert z[0, 0, 0].item() == pytest.approx(0.6 / values.std(correction=0).item(), rel=1e-3)


def test_how_maps_are_batched_does_not_matter() -> None:
    maps = torch.rand(6, 16, 16)
    one, two = Usual((16, 16), 3), Usual((16, 16), 3)
    one.fit([maps])
    two.fit([maps[:1], maps[1:5], maps[5:]])
    torch.testing.assert_close(one.deviation, two.deviation)


def test_the_same_error_is_worse_where_errors_are_rare() -> None:
    calm_and_wild = torch.rand(50, 32, 32) * torch.where(torch.arange(32) < 16, 0.01, 1.0)
    usual = Usual((32, 32), floor=0.3)
    usual.fit([calm_and_wild])
    z = usual(torch.full((1, 32, 32), 0.8))
    assert z[0, 16, 2] > 3 * z[0, 16, 29]


def test_a_place_that_never_erred_stays_finite() -> None:
    usual = Usual((8, 8))
    usual.fit([torch.zeros(3, 8, 8)])
    assert torch.isfinite(usual(torch.ones(1, 8, 8))).all()


def test_nothing_held_out_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no held-out clip"):
        Usual((8, 8)).fit([])


def test_pooling_by_hand() -> None:
    maps = torch.arange(100.0).reshape(1, 10, 10)
    assert worst(maps).tolist() == [99]
    assert top_mean(maps, 0.03).tolist() == [98]


def test_the_mean_picture_is_over_batches_and_frames() -> None:
    clips = [torch.zeros(2, 3, 1, 4, 4), torch.ones(2, 3, 1, 4, 4)]
    torch.testing.assert_close(mean_picture(clips), torch.full((1, 4, 4), 0.5))
    with pytest.raises(TrainingError, match="no clip"):
        mean_picture([])


def test_the_rules_by_hand() -> None:
    errors = torch.zeros(1, 8, 8)
    errors[0, 2:4, 5:7] = 0.8
    target = torch.full((1, 1, 8, 8), 0.5)
    usual = Usual((8, 8), window=2)
    usual.fit([torch.full((2, 8, 8), 0.1)])
    frame, window = 0.8 * 4 / 64, 0.8
    assert judge(errors, target, "frame", usual).scores.item() == pytest.approx(frame)
    assert judge(errors, target, "window", usual).scores.item() == pytest.approx(window)
    assert judge(errors, target, "both", usual).scores.item() == pytest.approx(
        (frame * window) ** 0.5
    )
    local = judge(errors, target, "local", usual)
    assert local.scores.item() == local.maps.max().item()
    assert set(local.terms) == {"mean_error", "worst_window"}


def test_an_error_counts_less_where_there_is_contrast() -> None:
    errors = torch.full((1, 16, 16), 0.1)
    plain = torch.full((1, 1, 16, 16), 0.5)
    striped = plain + 0.3 * (torch.arange(16) % 2 * 2 - 1)
    usual = Usual((16, 16), window=4)
    in_plain, in_stripes = (
        judge(errors, target, "contrast", usual).scores.item() for target in (plain, striped)
    )
    assert in_plain == pytest.approx(0.1 / CONTRAST_FLOOR, rel=1e-3)
    assert in_stripes == pytest.approx(0.1 / math.hypot(0.3, CONTRAST_FLOOR), rel=0.05)


def test_the_contrast_rule_leans_to_the_worst_window() -> None:
    errors = torch.zeros(1, 32, 32)
    errors[0, :8, :8] = 1.0
    maps = judge(errors, torch.zeros(1, 1, 32, 32), "contrast", Usual((32, 32), window=1))
    mean, worst_place = maps.maps.mean().item(), maps.maps.max().item()
    assert mean < maps.scores.item() < worst_place
    assert maps.scores.item() == pytest.approx(worst_place * (64 / 1024) ** (1 / ORDER), rel=1e-3)


def test_a_crowd_of_the_same_counts_little_more_than_one() -> None:
    errors = torch.zeros(2, 64, 64)
    errors[0, :4, :4] = errors[1, :16, :16] = 1.0  # once, and sixteen times as much of it
    target = torch.zeros(2, 1, 64, 64)
    one, crowd = judge(errors, target, "contrast", Usual((64, 64), window=1)).scores.tolist()
    assert one < crowd < 1.5 * one
