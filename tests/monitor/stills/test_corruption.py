import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import UsageError
from monitor.records import Image
from monitor.stills.corruption import CORRUPTIONS, SEVERITIES, changed, corrupt
from monitor.stills.opening import open_stills
from tests.monitor.stills.sets import mvtec, pictures

LOCAL = [kind for kind, own in CORRUPTIONS.items() if own.local]


@pytest.fixture(scope="module")
def scene() -> Image:
    """Slopes, edges and a rough texture, like a product: 64 x 96."""
    ys, xs = np.mgrid[:64, :96]
    image = np.stack([80 + xs, 60 + ys, 90 + 0 * xs], axis=2)
    image[16:48, 30:66] += 50
    return (image + np.random.default_rng(0).integers(0, 20, (64, 96, 1))).astype(np.uint8)


def harm(image: Image, spoiled: Image) -> float:
    return float(np.abs(image.astype(float) - spoiled).mean())


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_a_grade_more_does_more_harm(scene: Image, kind: str) -> None:
    before = scene.copy()
    copies = {s: [corrupt(scene, kind, s, seed) for seed in range(8)] for s in SEVERITIES}
    assert (scene == before).all()
    assert all(copy.shape == scene.shape for own in copies.values() for copy in own)
    assert all(copy.dtype == np.uint8 for own in copies.values() for copy in own)
    harms = [float(np.mean([harm(scene, copy) for copy in own])) for own in copies.values()]
    assert harms[0] > 0
    # coarser pixels may by chance lie better: 0.5 meets the grid where 0.6 does not
    assert all(after > 0.8 * before for before, after in pairwise(harms))
    assert harms[4] > 1.15 * harms[0]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_the_same_seed_is_the_same_copy(scene: Image, kind: str) -> None:
    first, again, other = (corrupt(scene, kind, 3, seed) for seed in (5, 5, 6))
    assert (first == again).all()
    if kind not in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg"):
        assert (first != other).any()


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("size", [(8, 8), (9, 400), (300, 10)])
def test_odd_sizes_and_flat_pictures(kind: str, size: tuple[int, int]) -> None:
    for level in (0, 255):
        spoiled = corrupt(np.full((*size, 3), level, np.uint8), kind, 5, 0)
        assert spoiled.shape == (*size, 3)


@pytest.mark.parametrize("kind", LOCAL)
def test_local_defects_are_small_and_leave_the_rest(scene: Image, kind: str) -> None:
    for severity, most in ((1, 0.02), (3, 0.05), (5, 0.12)):
        shares = [changed(scene, corrupt(scene, kind, severity, s)).mean() for s in range(20)]
        assert 0 < np.mean(shares) < most


def test_known_strengths(scene: Image) -> None:
    gray = np.full((64, 64, 3), 128, np.uint8)
    noise = corrupt(gray, "gaussian_noise", 1, 0).astype(float)
    assert noise.std() == pytest.approx(0.08 * 255, rel=0.03)
    assert noise.mean() == pytest.approx(128, abs=0.5)
    impulses = corrupt(gray, "impulse_noise", 4, 0)
    assert np.isin(impulses, (0, 255)).mean() == pytest.approx(0.17, abs=0.01)
    photons = corrupt(gray, "shot_noise", 1, 0).astype(float)
    assert photons.std() == pytest.approx(255 * np.sqrt(128 / 255 / 60), rel=0.03)
    assert (corrupt(gray, "brightness", 2, 0) == 128 + 51).all()
    assert corrupt(scene, "contrast", 1, 0).std(axis=(0, 1)) == pytest.approx(
        0.4 * scene.std(axis=(0, 1)), rel=0.02
    )


def test_made_defects_of_a_plain_folder(tmp_path: Path) -> None:
    pictures(tmp_path, 10)
    found = open_stills(tmp_path, layout="synthetic")
    held = [still for still in found.test if still.label is False]
    copies = [still for still in found.test if still.label]
    assert (len(found.train), len(held), len(copies)) == (8, 2, 2 * len(CORRUPTIONS))
    assert not {s.name for s in found.train} & {s.name for s in held}
    assert len({still.name for still in found.test}) == len(found.test)
    assert "severity:3" in found.protocol
    assert "made, not real" in found.notes[0]
    by_kind = {still.kind: still for still in copies}
    assert set(by_kind) == set(CORRUPTIONS)
    assert by_kind["fog"].truth() is None
    stain = by_kind["stain"]
    truth = stain.truth()
    assert truth is not None
    original = next(still for still in held if stain.name == f"stain/{still.name}")
    differs = (stain.picture() != original.picture()).any(axis=2)
    assert truth.any()
    assert (truth == differs).all()
    again = {s.name: s for s in open_stills(tmp_path, layout="synthetic").test}
    assert (again[stain.name].picture() == stain.picture()).all()


def test_made_defects_of_names_that_are_no_utf8(tmp_path: Path) -> None:
    pictures(tmp_path, 5)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_stem(f"{path.stem}\udcff"))
    found = open_stills(tmp_path, layout="synthetic")
    assert all("\udcff" in still.name for still in found.test)


def test_made_defects_take_the_normal_pictures_of_a_set_alone(tmp_path: Path) -> None:
    found = open_stills(mvtec(tmp_path), layout="synthetic", protocol="severity:5")
    assert (len(found.train), sum(s.label is False for s in found.test)) == (5, 1)
    assert all("/good/" in still.name for still in (*found.train, *found.test))


@pytest.mark.parametrize("protocol", ["severity:6", "severity:0", "one-normal:a", "severity"])
def test_an_unknown_grade(tmp_path: Path, protocol: str) -> None:
    pictures(tmp_path, 3)
    with pytest.raises(UsageError, match=re.escape(f"{protocol}: expected severity:1 to")):
        open_stills(tmp_path, layout="synthetic", protocol=protocol)
