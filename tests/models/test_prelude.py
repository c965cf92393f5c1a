import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models import local_motion, prelude
from models.detector import Detector
from models.detectors.fusion import Fusion
from models.detectors.motion import Motion
from models.local_motion import LocalMotion
from models.prelude import Prelude, shrunk
from models.remembered import Digests, Memory
from tests.models.learning import calm, fitted

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(240, 360), (128, 192), (100, 131), (7, 359), (1, 1), (480, 300)])
def test_areas_are_averaged_as_torch_does(size: tuple[int, int]) -> None:
    picture = RANDOM.integers(0, 256, (1, 240, 360), np.uint8)
    wanted = F.interpolate(torch.from_numpy(picture)[None] / 255, size, mode="area")[0, 0]
    found = shrunk(picture, size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)


def test_going_up_is_bilinear() -> None:
    picture = RANDOM.integers(0, 256, (1, 24, 36), np.uint8)
    planes = torch.from_numpy(picture)[None] / 255
    wanted = F.interpolate(planes, (50, 80), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(shrunk(picture, (50, 80)), wanted.numpy(), atol=1e-5)


def test_the_mean_of_two_pixels_is_their_mean() -> None:
    picture = np.array([[[0, 255, 51], [0, 255, 51]]], np.uint8)
    assert shrunk(picture, (1, 2)).tolist() == [[0.5, pytest.approx(0.6)]]  # the middle is in both


def test_what_is_remembered_is_what_would_be_computed_and_the_oldest_goes() -> None:
    asked: list[int] = []

    def mean(picture: Any) -> Any:
        asked.append(int(picture[0, 0]))
        return np.array(picture.mean())

    memory, digests = Memory(mean, most=2), Digests()
    pictures = [np.full((2, 2), level, np.uint8) for level in (1, 2, 3)]
    for place in (0, 1, 0, 2, 0):
        picture = pictures[place]
        assert memory.of(digests.of(picture), picture) == place + 1
    assert asked == [1, 2, 3, 1]


def test_digests_tell_pictures_by_their_content() -> None:
    one, same, other = (np.full((2, 2), level, np.uint8) for level in (1, 1, 2))
    digests = Digests()
    assert digests.of(one) == digests.of(same) == Digests().of(one)
    assert digests.of(one) != digests.of(other)


class Counted:
    """How often flow is computed and frames are shrunk."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flows = self.shrunk = 0
        flow, shrink = local_motion.pooled_flow, prelude.shrunk

        def counted_flow(*given: Any, **named: Any) -> Any:
            self.flows += 1
            return flow(*given, **named)

        def counted_shrunk(*given: Any, **named: Any) -> Any:
            self.shrunk += 1
            return shrink(*given, **named)

        monkeypatch.setattr(local_motion, "pooled_flow", counted_flow)
        monkeypatch.setattr(prelude, "shrunk", counted_shrunk)


def sliding(detector: Detector, count: int) -> list[list[Any]]:
    """Clips one frame on from each other, which share their frames."""
    spec = detector.spec
    long = calm(detector, 1 + count // spec.length + 1).flatten(0, 1)
    frames = [(frame * 255).round().byte().numpy() for frame in long][: spec.length + count - 1]
    return [frames[i : i + spec.length] for i in range(count)]


def fusions_own() -> tuple[Fusion, Prelude]:
    whole = fitted("fusion")
    assert isinstance(whole, Fusion)
    motion, network = (whole.parts[name] for name in ("motion", "frame_prediction"))
    assert isinstance(motion, Motion)
    assert isinstance(network, Detector)
    return whole, Prelude(LocalMotion(motion.config, motion.judge.tables), network.spec)


def test_each_frame_and_pair_is_worked_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted("fusion")  # not counted
    counted = Counted(monkeypatch)
    whole, ahead = fusions_own()
    clips = sliding(whole, 6)
    for i in range(0, 6, 2):
        ahead.inputs(clips[i : i + 2])
    network = ahead.network
    assert network is not None
    used = {id(f) for clip in clips for f in clip[-network.span :: network.stride]}
    moved = [clip[-ahead.motion.length :] for clip in clips]
    pairs = {(id(a), id(b)) for clip in moved for a, b in pairwise(clip)}
    assert (counted.shrunk, counted.flows) == (len(used), len(pairs))
    assert len(pairs) < sum(len(clip) - 1 for clip in moved)


def test_what_is_shared_is_what_each_clip_gives_alone() -> None:
    whole, ahead = fusions_own()
    clips = sliding(whole, 6)
    frames, maps = ahead.inputs(clips)
    for i, clip in enumerate(clips):
        _, afresh = fusions_own()
        alone = afresh.inputs([[frame.copy() for frame in clip]])
        np.testing.assert_array_equal(frames[i], alone[0][0])
        np.testing.assert_allclose(maps[i], alone[1][0], atol=1e-6)  # BLAS sums by batch size


def test_the_prelude_is_what_the_detector_begins_with() -> None:
    whole, ahead = fusions_own()
    clips = sliding(whole, 3)
    tensor = torch.from_numpy(np.stack([np.stack(clip) for clip in clips])) / 255
    frames, maps = ahead.inputs(clips)
    wanted = whole.examine(tensor)
    with torch.inference_mode():
        found = whole.joined(torch.from_numpy(frames), torch.from_numpy(maps))
    torch.testing.assert_close(found.scores, wanted.scores, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.maps, wanted.maps, rtol=1e-4, atol=1e-4)


def test_motion_says_the_same_bits_with_and_without_torch() -> None:
    detector = fitted("motion")
    assert isinstance(detector, Motion)
    clips = sliding(detector, 5)
    ahead = Prelude(LocalMotion(detector.config, detector.judge.tables))
    again = Prelude.of(ahead.plain(), ahead.packed())
    wanted = detector.examine(torch.from_numpy(np.stack([np.stack(clip) for clip in clips])) / 255)
    found = again.examine(clips)
    np.testing.assert_array_equal(found.scores, wanted.scores.numpy())
    np.testing.assert_array_equal(found.maps, wanted.maps.numpy())
    for name, values in wanted.terms.items():
        np.testing.assert_array_equal(found.terms[name], values.numpy())


def test_plain_values_and_tables_make_it_again() -> None:
    _, ahead = fusions_own()
    again = Prelude.of(json.loads(json.dumps(ahead.plain())), ahead.packed())
    assert again.network == ahead.network
    assert again.motion.config == ahead.motion.config
    with pytest.raises(ValueError, match="pickle"):
        Prelude.of(ahead.plain(), b"no archive of numpy")
