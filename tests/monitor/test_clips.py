from collections.abc import Iterable
from typing import Literal

import numpy as np
import pytest
import torch

from models.detector import ClipSpec
from monitor.clips import at_rate, clock_hz, cut_clips, gap_s, prepare, prepared, to_tensor
from monitor.records import Frame
from monitor.sources import resample
from monitor.sources.late import Converter, GrayFrame

SPEC = ClipSpec(length=3, stride=2, size=(4, 6), channels=1)
NOTHING = np.zeros((8, 12, 3), np.uint8)


def frame(index: int, time_s: float | None = None, epoch: int = 0) -> Frame:
    image = np.full((8, 12, 3), index, np.uint8)
    return Frame(image, index, index / 10 if time_s is None else time_s, epoch)


def targets(frames: Iterable[Frame], spec: ClipSpec = SPEC) -> list[int]:
    return [clip.target.index for clip in cut_clips(frames, spec)]


def test_a_clip_holds_every_second_frame_and_speaks_of_the_newest() -> None:
    clips = list(cut_clips(map(frame, range(7)), SPEC))
    assert [[int(planes[0, 0, 0]) for planes in clip.frames] for clip in clips] == [
        [0, 2, 4], [1, 3, 5], [2, 4, 6],
    ]  # fmt: skip
    assert [clip.target.index for clip in clips] == [4, 5, 6]
    assert clips[0].target.image.shape == (8, 12, 3)
    assert clips[0].frames[0].shape == (1, 4, 6)


def test_the_target_may_be_an_older_frame() -> None:
    spec = ClipSpec(3, 2, (4, 6), 1, target=1)
    assert (spec.span, spec.delay) == (5, 2)
    assert targets(map(frame, range(7)), spec) == [2, 3, 4]


def test_no_clip_spans_a_gap_a_clock_set_back_or_a_new_epoch() -> None:
    before = [frame(i) for i in range(6)]
    gap = [frame(i, 9 + i / 10) for i in range(6, 12)]
    back = [frame(i, (i - 12) / 10) for i in range(12, 18)]
    anew = [frame(i, i / 10, epoch=1) for i in range(18, 24)]
    assert targets(before + gap + back + anew) == [4, 5, 10, 11, 16, 17, 22, 23]


def test_a_lost_frame_is_no_gap() -> None:
    assert targets(frame(i) for i in (0, 1, 3, 4, 5)) == [5]


def test_a_time_lapse_has_no_gaps() -> None:
    frames = [frame(i, 2.0 * i) for i in range(6)]
    assert list(cut_clips(frames, SPEC)) == []
    assert len(list(cut_clips(frames, SPEC, 0.5))) == 2
    assert gap_s(25) == gap_s(None) == 1


def clips_of(times_s: Iterable[float], rate_hz: float) -> list[float]:
    """When the clips of such frames, for a model of that rate, are complete."""
    return [clip.target.time_s for clip in cut_clips(timed(times_s), SPEC, rate_hz)]


def test_no_clip_spans_two_lost_frames() -> None:
    for lost, clips in ((1, 95), (2, 90), (8, 84)):
        times_s = [i / 10 for i in range(100) if not 40 <= i < 40 + lost]
        assert len(clips_of(times_s, 10)) == clips
    found = clips_of([i / 10 for i in range(100) if not 40 <= i < 48], 10)
    assert min(time_s for time_s in found if time_s > 4) == pytest.approx(5.2)


@pytest.mark.parametrize("rate", [2, 4, 7, 10, 11])
def test_a_source_slower_than_the_model_is_cut_by_its_own_steps(rate: float) -> None:
    times_s = [i / rate for i in range(200)]
    assert clips_of(times_s, 10) == times_s[4:]


def test_jitter_and_single_lost_frames_part_nothing() -> None:
    random = np.random.default_rng(0)
    times_s = np.arange(2000) / 10 + random.normal(0, 0.025, 2000)
    there = np.sort(times_s[random.random(2000) > 0.02])
    assert len(clips_of(there, 10)) > 0.99 * len(there)


def test_a_source_that_slows_down_is_cut_by_its_new_steps_soon() -> None:
    times_s = np.cumsum([0.1] * 50 + [0.5] * 50).tolist()
    assert len([time_s for time_s in clips_of(times_s, 10) if time_s > 5]) >= 35


def test_shrinking_averages_and_luma_is_weighted() -> None:
    image = np.zeros((8, 12, 3), np.uint8)
    image[::2] = 200
    assert (prepare(image, ClipSpec(size=(4, 6), channels=3)) == 100).all()
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 255
    assert (prepare(red, ClipSpec(size=(4, 6), channels=1)) == 76).all()  # 0.299 x 255, BT.601


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(10, 14), (24, 32), (40, 50)])
def test_a_picture_of_one_channel_is_prepared_as_of_three(
    size: tuple[int, int], channels: Literal[1, 3]
) -> None:
    plane = np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8)
    gray = GrayFrame(plane, 3, 0.5, Converter())
    spec = ClipSpec(size=size, channels=channels)
    colour = Frame(np.repeat(plane[..., None], 3, axis=2), 3, 0.5)
    np.testing.assert_array_equal(gray.image, colour.image)
    made, asked = prepared(gray, spec), prepared(colour, spec)
    by_rounding = 1 if size < (24, 32) else 0
    np.testing.assert_allclose(made.astype(int), asked, atol=by_rounding)
    assert (gray.index, gray.time_s, gray.epoch) == (3, 0.5, 0)


def test_a_batch_is_float_between_0_and_1() -> None:
    clips = list(cut_clips([frame(n, n / 255) for n in (0, 51, 102, 153, 255)], SPEC))
    batch = to_tensor([clip.frames for clip in clips])
    assert (batch.shape, batch.dtype) == ((1, 3, 1, 4, 6), torch.float32)
    assert batch[0, :, 0, 0, 0].tolist() == pytest.approx([0, 0.4, 1])


@pytest.mark.parametrize("stride", [1, 2])
def test_sliding_clips_are_the_same_batch_as_clips_one_by_one(stride: int) -> None:
    spec = ClipSpec(3, stride, (4, 6), 1)
    clips = list(cut_clips(map(frame, range(9)), spec))
    batch = to_tensor([clip.frames for clip in clips])
    alone = torch.cat([to_tensor([clip.frames]) for clip in clips])
    assert batch.shape == (len(clips), 3, 1, 4, 6)
    assert torch.equal(batch, alone)
    assert (batch[0, stride].data_ptr() == batch[stride, 0].data_ptr()) == (stride == 1)


@pytest.mark.parametrize(("rate", "kept"), [(10, 40), (11.9, 40), (12.1, 34), (20, 20), (30, 14)])
def test_only_a_source_a_fifth_faster_is_thinned(rate: float, kept: int) -> None:
    frames = [frame(i, i / rate) for i in range(40)]
    assert len(list(at_rate(frames, 10))) == pytest.approx(kept, abs=1)
    assert len(list(at_rate(frames, None))) == 40


def timed(times_s: Iterable[float]) -> list[Frame]:
    return [Frame(NOTHING, i, time_s) for i, time_s in enumerate(times_s)]


def kept(times_s: Iterable[float], rate_hz: float) -> list[int]:
    return [found.index for found in at_rate(timed(times_s), rate_hz)]


@pytest.mark.parametrize("digits", [2, 3, 6])
@pytest.mark.parametrize("learned", [5, 10, 12.5, 25])
@pytest.mark.parametrize("rate", [8, 10, 11.9, 12, 12.5, 14, 15, 23.976, 25, 29.97, 30, 50, 60])
def test_a_steady_source_is_taken_by_what_its_first_frames_tell(
    rate: float, learned: float, digits: int
) -> None:
    times_s = [round(i / rate, digits) for i in range(1000)]
    thin = clock_hz(times_s[:16]) > 1.2 * learned
    once = [f.index for f in resample(timed(times_s), learned)] if thin else list(range(1000))
    assert kept(times_s, learned) == once


def test_a_source_that_comes_to_another_pace_is_thinned_then_and_only_then() -> None:
    steps = [0.1] * 20 + [1 / 30] * 300 + [0.1] * 50
    times_s = np.cumsum(steps).tolist()
    found = kept(times_s, 10)
    assert found[:20] == list(range(20))
    spacing = np.diff([times_s[i] for i in found])
    assert (spacing < 0.09).sum() <= 4  # until it is told
    assert spacing.max() < 0.17
    assert set(range(340, 370)) <= set(found)


def test_lost_frames_make_no_fast_source_slow() -> None:
    times_s = [i / 25 for i in range(2000) if i % 60 > 18]  # 0.8 s of each 2.4 are lost
    spacing = np.diff([times_s[i] for i in kept(times_s, 12.5)])
    assert spacing.min() > 0.079


def test_stamps_two_by_two_make_a_source_no_slower() -> None:
    times_s = [i // 2 * 0.08 + i % 2 * 0.001 for i in range(400)]
    spacing = np.diff([times_s[i] for i in kept(times_s, 10)])
    assert spacing.min() > 0.07


def test_the_clock_is_read_without_the_gaps() -> None:
    assert clock_hz([0, 0.1, 0.2, 60, 60.1]) == pytest.approx(10)
    assert clock_hz([0, 5, 10]) == clock_hz([1]) == clock_hz([]) == 0


def test_fewer_frames_than_are_peeked_at_all_pass() -> None:
    assert len(list(at_rate(map(frame, range(3)), 10))) == 3
    assert list(at_rate([], 10)) == []
