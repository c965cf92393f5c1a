"""CutPaste and NSA: what is peculiar to those that spoil pictures to learn from."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.detectors.cutpaste import Cutpaste, CutpasteConfig
from models.detectors.nsa import Nsa, NsaConfig, degree, foreground_of
from models.errors import OptionError
from models.networks.residual import ResidualDecoder, ResidualEncoder
from models.registry import build
from models.saliency import grad_cam
from tests.models.learning import calm, fitted, planted
from tests.models.still_world import calm_pictures


def test_the_degree_of_a_change_is_logistic_in_grey_levels() -> None:
    before = np.full((16, 16, 3), 100, np.uint8)
    after = before.copy()
    after[4:8, 4:8] = 107
    after[8:12, 8:12] = 130
    found = degree(before, after, midpoint=7.0, steepness=1 / 3)
    assert found[0, 0] == 0
    assert found[5, 5] == pytest.approx(0.5)
    assert found[10, 10] == pytest.approx(1 / (1 + np.exp(-23 / 3)), rel=1e-4)


def test_a_thin_line_is_a_change_too() -> None:
    before = np.full((16, 16, 3), 100, np.uint8)
    after = before.copy()
    after[:, 7] = 20
    found = degree(before, after, midpoint=7.0, steepness=1 / 3)
    assert (found[:, 7] > 0.9).all()
    assert not found[:, :5].any()


def test_what_stands_on_a_plain_background_is_the_foreground() -> None:
    picture = np.full((32, 32, 3), 230, np.uint8)
    picture[10:20, 8:24] = 40
    found = foreground_of(picture)
    assert found[12:18, 10:22].all()
    assert not found[:8].any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("foreign", [0.0, 0.5, 1.0])
def test_spoilt_pictures_differ_where_the_target_says(channels: int, foreign: float) -> None:
    torch.manual_seed(0)
    detector = Nsa(NsaConfig(size=(32, 32), channels=channels, foreign=foreign))  # type: ignore[arg-type]
    clips = calm_pictures(detector.spec, 12, 0)
    spoilt, target = detector._corrupted(clips)
    assert spoilt.shape == (12, channels, 32, 32)
    assert 0 <= float(target.min()) <= float(target.max()) <= 1
    changed = (spoilt - clips[:, 0]).abs().amax(dim=1)
    assert float(changed[target == 0].max()) < 0.02  # rounding to grey levels, faint rims
    near = F.max_pool2d(changed[:, None], 3, stride=1, padding=1)[:, 0]
    assert (target > 0.5).any()
    assert float(near[target > 0.5].min()) > 6 / 255


def test_what_is_remembered_for_patches_stays_small_and_ends_with_learning() -> None:
    detector = fitted("nsa")
    assert isinstance(detector, Nsa)
    assert detector._seen == []


@pytest.mark.parametrize("skips", [True, False])
def test_the_decoder_gives_a_pixel_for_a_pixel(skips: bool) -> None:  # noqa: FBT001
    encode, decode = ResidualEncoder(3, (4, 8, 8)), ResidualDecoder((4, 8, 8), skips=skips)
    features = encode(torch.rand(2, 3, 32, 48))
    assert [tuple(f.shape[-2:]) for f in features] == [(16, 24), (8, 12), (4, 6)]
    assert decode(features).shape == (2, 1, 32, 48)


def test_grad_cam_and_score_are_of_the_same_distance() -> None:
    detector = fitted("cutpaste")
    assert isinstance(detector, Cutpaste)
    pictures = calm(detector)
    findings = detector.examine(pictures)
    with torch.no_grad():
        embedded = torch.nn.functional.normalize(
            detector.features(pictures[:, 0]).mean(dim=(2, 3)), dim=1
        )
        expected = (detector.density(embedded) + 1e-6).sqrt()
    torch.testing.assert_close(findings.scores, expected)
    assert float(findings.maps.min()) >= 0


def test_it_tells_what_was_pasted_from_what_was_not() -> None:
    detector = fitted("cutpaste")
    odd = detector.examine(planted(detector).clips).terms["class"]
    usual = detector.examine(calm(detector)).terms["class"]
    assert float(odd.median()) > float(usual.median())


def test_crops_are_laid_where_they_were_cut() -> None:
    detector = fitted("cutpaste crops")
    assert isinstance(detector, Cutpaste)
    pictures = calm(detector, 1).repeat(2, 1, 1, 1, 1)
    pictures[1, ..., 2:8, 24:30] = 1 - pictures[1, ..., 2:8, 24:30]
    calm_map, odd_map = detector.explain(pictures)
    row, column = divmod(int((odd_map - calm_map).argmax()), 32)
    assert row < 16 <= column


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": (40, 40)}, "multiples of 16"),
        ({"patch_px": 256}, "no larger than the picture"),
        ({"network": "resnet18", "size": (48, 48)}, "multiples of 32"),
    ],
)
def test_sizes_the_network_cannot_take(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        build("cutpaste", **options)


def test_the_published_network_is_torchvision_s_resnet18() -> None:
    detector = Cutpaste(CutpasteConfig(network="resnet18", size=(64, 64), channels=1))
    count = sum(p.numel() for p in detector.features.parameters())  # type: ignore[attr-defined]
    assert count == 11_176_512 - 2 * 64 * 49  # ResNet-18 without classifier, gray
    assert detector(torch.rand(2, 1, 64, 64)).shape == (2, 3)


def test_cutpaste_s_map_is_grad_cam_of_its_score() -> None:
    detector = fitted("cutpaste")
    assert isinstance(detector, Cutpaste)
    pictures = calm(detector, 4)[:, 0]
    with torch.inference_mode():
        features = detector.features(pictures)
    scores, maps = grad_cam(features, detector._distance, detector.config.size)
    found = detector.examine(pictures[:, None])
    torch.testing.assert_close(found.scores, scores)
    torch.testing.assert_close(found.maps, maps, rtol=1e-3, atol=1e-6)
