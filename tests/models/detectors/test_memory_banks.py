"""PatchCore and PaDiM: what is peculiar to the two that look things up."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import resnet18

from models.checkpoint import Checkpoint, load, save
from models.detector import Budget, Detector
from models.detectors.padim import Padim
from models.detectors.patchcore import Patchcore
from models.errors import OptionError, WeightsError
from models.registry import build
from tests.models.still_world import calm_pictures

SMALL: dict[str, dict[str, Any]] = {
    "patchcore": {"size": (32, 32), "items": 60},
    "padim": {"size": (32, 32), "kept": 12, "cell_px": 4},
}
both = pytest.mark.parametrize("name", SMALL)


def learned(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    detector: Detector = build(name, **SMALL[name] | options)
    clips = [calm_pictures(detector.spec, 8, seed) for seed in range(3)]
    return detector.fit(clips, [], budget=Budget())


@both
def test_a_saved_model_needs_no_weights_ever_again(name: str, tmp_path: Path) -> None:
    weights = tmp_path / "resnet18.pth"
    torch.save(resnet18(weights=None).state_dict(), weights)
    detector = learned(name, weights=str(weights))
    save(Checkpoint(detector), tmp_path / "model.pt")
    weights.unlink()
    loaded = load(tmp_path / "model.pt").detector
    pictures = calm_pictures(detector.spec, 4, 9)
    assert torch.equal(loaded.score(pictures), detector.score(pictures))
    assert str(weights) in loaded.remarks[0]  # type: ignore[index]
    again = loaded.fit([pictures], [], budget=Budget())  # nor to learn again
    assert again.fitted


@both
def test_weights_that_are_not_there_end_it_before_anything_is_learned(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pth"):
        learned(name, weights=str(tmp_path / "nowhere.pth"))
    wide = {"backbone": "wide_resnet50_2"}
    torch.save(resnet18(weights=None).state_dict(), tmp_path / "small.pth")
    with pytest.raises(WeightsError, match="of resnet18, expected wide_resnet50_2's"):
        learned(name, weights=str(tmp_path / "small.pth"), **wide)


def test_a_memory_holds_what_it_saw_and_no_more_than_it_may() -> None:
    detector: Patchcore = learned("patchcore", weights="random", share=1.0)
    assert detector.memory.shape == (60, 64 + 128)
    small: Patchcore = learned("patchcore", weights="random", share=0.02)
    assert len(small.memory) == round(0.02 * 24 * 8 * 8)


def test_a_picture_that_is_in_the_memory_whole_is_not_odd_at_all() -> None:
    torch.manual_seed(0)
    detector: Any = build("patchcore", size=(32, 32), items=64, share=1.0, weights="random")
    one = calm_pictures(detector.spec, 1, 0)
    detector.fit([one], [], budget=Budget())
    assert len(detector.memory) == 64
    assert float(detector.score(one)) < 0.02 * float(detector.score(1 - one))


def test_the_published_score_is_less_where_neighbours_are_as_near() -> None:
    detector: Any = learned("patchcore", weights="random")
    findings = detector.examine(calm_pictures(detector.spec, 4, 9))
    assert (findings.terms["paper"] <= findings.scores).all()
    assert (findings.terms["paper"] >= 0).all()


def test_a_place_is_as_far_as_mahalanobis_formula_says() -> None:
    detector: Padim = learned("padim", weights="random")
    pictures = torch.cat([calm_pictures(detector.spec, 8, seed) for seed in range(3)])[:, 0]
    with torch.no_grad():
        away = (detector._places(pictures) - detector.mean)[:, 2, 3].double()
    whitening = detector.whitening[2, 3].double()
    inverse = whitening @ whitening.T
    expected = torch.einsum("bi,ij,bj->b", away, inverse, away).sqrt()
    torch.testing.assert_close((away @ whitening).norm(dim=1), expected)
    # what was learned from is about one away for each channel; a little less, for the ridge
    assert 0.6 < float(expected.square().mean() / 12) < 1.01


def test_one_picture_only_still_gives_a_score() -> None:
    for name, options in SMALL.items():
        torch.manual_seed(0)
        detector = build(name, **options, weights="random")
        one = calm_pictures(detector.spec, 1, 0)
        detector.fit([one], [], budget=Budget(steps=2))
        assert torch.isfinite(detector.score(calm_pictures(detector.spec, 3, 1))).all()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("patchcore", {"layers": (2, 1)}, "layers out of 1, 2, 3 in order"),
        ("patchcore", {"size": (40, 40)}, "multiples of 16"),
        ("padim", {"cell_px": 6}, "multiple of 4"),
        ("padim", {"size": (48, 40)}, "multiples of 16"),
    ],
)
def test_options_that_make_no_detector(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        build(name, **options)
