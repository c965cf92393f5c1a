from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from models.detector import Findings
from monitor.errors import SourceError
from monitor.overlay import Box
from monitor.records import Image
from monitor.stills.judging import box_of, heat_of, judged
from monitor.stills.reading import read_picture
from monitor.stills.still import Still
from tests.monitor.stills.spots import Spots, plate, spots_model


def still(seed: int = 0, *, spot: bool = False) -> Still:
    return Still(f"{seed}", "", None, partial(plate, seed, spot=spot))


def test_a_spot_is_defective_and_boxed_in_the_pixels_of_the_source() -> None:
    good, bad = judged([still(1), still(2, spot=True)], spots_model(), maps=False)
    assert (good.verdict, bad.verdict) == ("ok", "defective")
    assert good.box is None
    assert bad.box == Box(left=24, top=8, right=40, bottom=24)  # of 64 x 64; the map is 32 x 32
    assert bad.size == (64, 64)
    assert bad.map is None
    assert good.displayed is not None
    assert bad.displayed is not None
    assert good.displayed < 1 < bad.displayed
    assert bad.p_value is not None
    assert bad.p_value < 0.01


def test_a_verdict_does_not_hang_on_its_batch() -> None:
    stills = [still(seed, spot=seed % 3 == 0) for seed in range(7)]
    alone = list(judged(stills, spots_model(), batch=1))
    for batch in (3, 16):
        for one, other in zip(judged(stills, spots_model(), batch=batch), alone, strict=True):
            assert (one.still.name, one.score, one.verdict) == (
                other.still.name,
                other.score,
                other.verdict,
            )
            assert one.map is not None
            assert other.map is not None
            assert np.array_equal(one.map, other.map)


def test_a_broken_picture_is_unjudged_and_the_rest_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG no picture")
    broken = Still("x.png", "", None, partial(read_picture, tmp_path / "x.png"))
    found = list(judged([still(1), broken, still(2, spot=True)], spots_model()))
    assert [one.verdict for one in found] == ["ok", "unjudged", "defective"]
    assert found[1].score is None
    assert "x.png" in found[1].why
    with pytest.raises(SourceError, match=r"x\.png"):
        list(judged([still(1), broken], spots_model(), strict=True))


def test_another_shape_than_was_learned_is_unjudged_and_another_scale_is_not() -> None:
    def of(height: int, width: int) -> Still:
        image = np.full((height, width, 3), 128, np.uint8)
        return Still(f"{width}x{height}.png", "", None, lambda: image)

    model = spots_model()
    squeezed = replace(model, provenance=model.provenance | {"source_size": [64, 64]})
    wide, large, near = judged([of(64, 114), of(640, 640), of(64, 70)], squeezed)
    assert (wide.verdict, wide.score, wide.map, wide.size) == ("unjudged", None, None, (64, 114))
    assert "114x64.png: 114x64; the model learned on 64x64: cut it" in wide.why
    assert [one.verdict for one in (large, near)] == ["ok", "ok"]
    with pytest.raises(SourceError, match="114x64; the model learned on 64x64"):
        list(judged([of(64, 114)], squeezed, strict=True))
    several = squeezed.provenance | {"source_shapes": [[64, 64], [9, 16]]}
    found = judged([of(64, 114), of(114, 64)], replace(squeezed, provenance=several))
    assert [one.verdict for one in found] == ["ok", "unjudged"]
    assert next(judged([of(64, 114)], model)).verdict == "ok"  # what was learned is not known


def test_pictures_are_read_batch_by_batch() -> None:
    reads: list[int] = []

    def read(seed: int) -> Image:
        reads.append(seed)
        return plate(seed)

    stills = (Still(str(i), "", None, partial(read, i)) for i in range(100))
    found = judged(stills, spots_model(), batch=4)
    next(found)
    assert reads == [0, 1, 2, 3]


def test_without_a_threshold_there_are_scores_and_no_verdicts() -> None:
    (found,) = judged([still(2, spot=True)], replace(spots_model(), calibration=None))
    assert found.score == pytest.approx(0.5, abs=0.01)
    assert (found.verdict, found.p_value, found.displayed) == ("unjudged", None, None)
    assert "oddwatch calibrate" in found.why


def test_a_score_that_is_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = Findings(torch.tensor([float("nan")]), torch.zeros(1, 32, 32))
    monkeypatch.setattr(Spots, "examine", lambda _self, _clips: nan)
    (found,) = judged([still()], spots_model())
    assert found.verdict == "unjudged"
    assert "its score is nan, no number" in found.why


def test_what_was_expected_comes_as_a_picture_when_asked() -> None:
    (found,) = judged([still()], spots_model(), expected=True)
    assert found.expected is not None
    assert found.expected.shape == (32, 32, 3)
    assert set(np.unique(found.expected)) == {128}
    (gray,) = judged([still()], spots_model(1), expected=True)
    assert gray.expected is not None
    assert gray.expected.shape == (32, 32, 3)
    (plain,) = judged([still()], spots_model())
    assert plain.expected is None


def test_the_box_is_of_the_largest_region_over_the_normal_high() -> None:
    heat = np.zeros((10, 20), np.float32)
    heat[1, 1] = 9.0  # the hottest, but small
    heat[4:7, 8:12] = 2.0
    heat[7, 12] = 2.0  # joined by a corner
    assert box_of(heat, 1.0, (10, 20)) == Box(8, 4, 13, 8)
    assert box_of(heat, 1.0, (100, 40)) == Box(16, 40, 26, 80)
    assert box_of(heat, 3.0, (10, 20)) == Box(1, 1, 2, 2)
    assert box_of(heat, 10.0, (10, 20)) is None
    tiny = box_of(heat, 3.0, (4, 4))  # a source smaller than the map
    assert tiny == Box(0, 0, 1, 1)


def test_heat_is_1_at_what_normal_maps_hardly_reach() -> None:
    model = spots_model()  # usual 0.02, high 0.2
    assert heat_of(np.array([[0.02, 0.2, 0.38]]), model) == pytest.approx(np.array([[0, 1, 2]]))
    bare = replace(model, provenance={})
    assert heat_of(np.array([[1.0, 2.0, 5.0]]), bare) == pytest.approx(np.array([[-1 / 3, 0, 1]]))
