"""What a detector of still pictures obeys besides the laws of `test_laws.py`."""

from typing import Any

import pytest
import torch
from sklearn.metrics import roc_auc_score

from models.detector import ClipSpec, Detector
from models.registry import build
from tests.models.learning import calm, fitted, near, planted, prominence, untrained
from tests.models.still_world import calm_pictures, spoilt_pictures
from tests.models.tiny_stills import STEPS, TINY_STILLS

each = pytest.mark.parametrize("label", TINY_STILLS)


def image_auroc(detector: Detector) -> float:
    good, bad = detector.score(calm(detector)), detector.score(planted(detector).clips)
    truth = [0] * len(good) + [1] * len(bad)
    return float(roc_auc_score(truth, torch.cat([good, bad]).numpy()))


def pixel_auroc(detector: Detector) -> float:
    """Of the intruder against all that is not near it."""
    scene = planted(detector)
    maps = detector.explain(scene.clips)
    asked = scene.intruder | ~near(scene)
    return float(roc_auc_score(scene.intruder[asked].numpy(), maps[asked].numpy()))


def resized(label: str, side: int, channels: int) -> Detector:
    options: dict[str, Any] = TINY_STILLS[label] | {"size": (side, side), "channels": channels}
    return build(label.split(maxsplit=1)[0], **options)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_world_is_calm_but_for_what_is_planted(channels: Any) -> None:
    spec = ClipSpec(1, 1, (32, 48), channels=channels)
    scene = spoilt_pictures(spec, 5, seed=1)
    good = calm_pictures(spec, 5, seed=1)
    assert scene.clips.shape == (5, 1, channels, 32, 48)
    assert scene.intruder.sum(dim=(1, 2)).tolist() == [100] * 5
    differs = (scene.clips != good).any(dim=(1, 2))
    assert torch.equal(differs & ~scene.intruder, torch.zeros_like(differs))


def test_every_number_of_steps_is_for_a_detector_of_the_table() -> None:
    assert set(STEPS) <= set(TINY_STILLS)


@each
def test_it_takes_single_pictures_of_the_size_and_colour_asked_for(label: str) -> None:
    for side, channels in ((32, 1), (128, 3), (512, 3)):
        spec = resized(label, side, channels).spec
        assert spec == ClipSpec(1, 1, (side, side), channels=channels)  # type: ignore[arg-type]


@each
def test_its_options_have_what_every_loader_reads(label: str) -> None:
    config = fitted(label).config
    assert config.size == fitted(label).spec.size
    assert config.channels == fitted(label).spec.channels
    assert config.batch >= 1


@each
def test_scores_are_not_constant(label: str) -> None:
    detector = fitted(label)
    for pictures in (calm(detector), planted(detector).clips):
        assert len(set(detector.score(pictures).tolist())) > len(pictures) // 2


@each
def test_what_was_fitted_is_finite_and_not_degenerate(label: str) -> None:
    detector = fitted(label)
    learned = {name for name, _ in detector.named_parameters()}
    for name, tensor in detector.state_dict().items():
        assert torch.isfinite(tensor).all(), name
        if name not in learned:
            assert tensor.any(), f"{name} is all zero"
            assert tensor.numel() == 1 or tensor.min() < tensor.max(), f"{name} is all the same"


@each
def test_planted_anomalies_rank_above_calm_pictures(label: str) -> None:
    assert image_auroc(fitted(label)) >= 0.9


@each
def test_the_map_shows_where_the_anomaly_is(label: str) -> None:
    assert prominence(fitted(label)) > 1.2
    assert pixel_auroc(fitted(label)) >= 0.7


@each
def test_a_picture_s_detector_beats_its_own_untrained_network(label: str) -> None:
    learned, naive = fitted(label), untrained(label)
    better_score = image_auroc(learned) > image_auroc(naive)
    assert better_score or prominence(learned) > prominence(naive)
