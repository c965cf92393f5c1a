from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from models.detector import ClipSpec
from monitor.datasets import Video, open_data
from monitor.errors import DataSetError
from monitor.frame_cache import FrameCache
from monitor.records import Frame
from monitor.sources import Source
from monitor.training import (
    ClipLoader,
    Segment,
    gives_threshold,
    split_normal,
    thinned,
    whole_segments,
)
from tests.monitor.footage import write_clip

SPEC = ClipSpec(length=2, stride=2, size=(2, 3), channels=1)


class Numbered(Source):
    """A source whose frame n is of level n."""

    def __init__(
        self, n_frames: int | None, rate_hz: float = 10, lost: int = -1, file: Path | None = None
    ) -> None:
        super().__init__("numbered", live=n_frames is None, strict=False)
        self._files = () if file is None else (file,)
        self._n_frames, self._rate_hz, self._lost = n_frames, rate_hz, lost
        self.decoded = 0

    @property
    def rate_hz(self) -> float:
        return self._rate_hz

    @property
    def size(self) -> tuple[int, int]:
        return 2, 3

    @property
    def n_frames(self) -> int | None:
        return self._n_frames

    def files(self, start: int, stop: int) -> Sequence[Path]:
        return self._files

    def frames(self, start: int = 0, stop: int | None = None):  # type: ignore[no-untyped-def]
        for index in range(*slice(start, stop).indices(self._n_frames or 0)):
            self.decoded += 1
            late_s = 100 if 0 <= self._lost <= index else 0
            image = np.full((2, 3, 3), index % 256, np.uint8)
            yield Frame(image, index, index / self._rate_hz + late_s)


def video(n_frames: int | None, name: str = "v", **how: object) -> Video:
    made = Video(name, "nowhere")
    vars(made)["source"] = Numbered(n_frames, **how)  # type: ignore[arg-type]
    return made


def source_of(made: Video) -> Numbered:
    assert isinstance(made.source, Numbered)
    return made.source


def load(videos: list[Video], **how: object) -> ClipLoader:
    how = {"batch": 4} | how
    return ClipLoader(whole_segments(videos), SPEC, **how)  # type: ignore[arg-type]


def firsts(loader: ClipLoader) -> list[int]:
    """The level of the first frame of each clip of one epoch."""
    return [round(float(clip[0, 0, 0, 0]) * 255) for batch in loader for clip in batch]


def test_many_videos_are_parted_whole_and_evenly() -> None:
    split = split_normal([video(30, f"{i:02d}") for i in range(16)])
    names = {k: [s.video.name for s in part] for k, part in vars(split).items()}
    assert names["held_out"] == ["03", "11"]
    assert names["calibration"] == ["07", "15"]
    assert len(names["fit"]) == 12
    assert {s.n_frames for part in vars(split).values() for s in part} == {30}


def parted(lengths: list[int], span: int = 6) -> dict[str, list[int]]:
    """Which of videos of so many frames, at 10 per second, are whole in which part."""
    films = [video(n_frames, f"{i}") for i, n_frames in enumerate(lengths)]
    split = split_normal(films, span=span)
    return {
        name: [int(s.video.name) for s in part if s.n_frames == lengths[int(s.video.name)]]
        for name, part in vars(split).items()
    }


def test_videos_of_like_length_are_parted_by_their_places() -> None:
    ped2 = [120, 150, 150, 180, 180, 150, 150, 120, 180, 180, 180, 180, 180, 150, 150, 150]
    found = parted(ped2)
    assert (found["held_out"], found["calibration"]) == ([3, 11], [7, 15])


def test_a_video_without_a_clip_takes_no_part_in_parting() -> None:
    found = parted([150, 150, 150, 4, 150, 150, 150, 150, 150])
    assert (found["held_out"], found["calibration"]) == ([4], [8])
    assert 3 in found["fit"]
    found = parted([150, 150, 150, 4, 150, 150, 150, 150])
    assert (found["held_out"], found["calibration"]) == ([2], [7])


def test_what_is_over_before_the_warm_up_calibrates_only_where_nothing_else_is_there() -> None:
    assert parted([150] * 7 + [15])["calibration"] == [6]
    assert parted([60] * 7 + [25], span=6)["calibration"] == [6]  # 2.5 s, of which 1.9 are judged
    assert parted([60] * 7 + [30], span=6)["calibration"] == [7]
    found = parted([15] * 16)
    assert (found["held_out"], found["calibration"]) == ([3, 11], [7, 15])


@pytest.mark.parametrize(
    "lengths",
    [[150] * 3 + [4] * 5, [150] * 3 + [9000] + [150] * 4, [9000] + [30] * 7],
    ids=["too few hold a clip", "a long one would be held out", "short ones would be all"],
)
def test_where_whole_videos_make_no_fair_shares_all_are_parted_by_time(lengths: list[int]) -> None:
    assert parted(lengths)["fit"] == []
    split = split_normal([video(n, f"{i}") for i, n in enumerate(lengths)], span=6)
    seconds = {name: sum(s.seconds for s in part) for name, part in vars(split).items()}
    assert seconds["held_out"] == pytest.approx(sum(lengths) / 80, rel=0.1)
    assert gives_threshold(split.calibration, 6, None)


def test_few_videos_are_parted_by_time_and_share_no_frame() -> None:
    split = split_normal([video(80, "a", rate_hz=0.25), video(40, "b", rate_hz=0.25)])
    spans = {k: [(s.start, s.stop) for s in part] for k, part in vars(split).items()}
    assert spans == {
        "fit": [(0, 60), (0, 30)],
        "held_out": [(60, 70), (30, 35)],
        "calibration": [(70, 80), (35, 40)],
    }


@pytest.mark.parametrize(("n_frames", "kept"), [(0, 0), (100, 30), (1000, 200), (4000, 500)])
def test_a_short_video_gives_more_of_itself_to_calibrate(n_frames: int, kept: int) -> None:
    split = split_normal([video(n_frames, "a")])  # 10 frames per second, 20 s are wanted
    assert split.calibration[0].n_frames == kept
    assert split.held_out[0].n_frames == pytest.approx(n_frames / 8, abs=1)
    assert sum(s.n_frames for part in vars(split).values() for s in part) == n_frames


def test_nothing_and_a_camera_are_refused() -> None:
    with pytest.raises(DataSetError, match="no normal footage"):
        split_normal([])
    with pytest.raises(DataSetError, match="cam: a live source has no end"):
        split_normal([video(None, "cam")])


def test_every_clip_comes_once_an_epoch_and_frames_are_decoded_once() -> None:
    film = video(20)
    loader = load([film])
    assert firsts(loader) == list(range(18))
    assert firsts(loader) == list(range(18))
    assert source_of(film).decoded == 20
    batch = next(iter(loader))
    assert batch.shape == (4, 2, 1, 2, 3)
    torch.testing.assert_close((batch[:, 1] - batch[:, 0]) * 255, torch.full((4, 1, 2, 3), 2.0))


def test_shuffling_is_by_the_seed_alone() -> None:
    one, same, other = (firsts(load([video(40)], shuffle_seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    assert sorted(one) == sorted(other) == list(range(38))


def test_pools_lose_no_clip_and_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.training.SEGMENT_FRAMES", 10)
    film = video(100)
    loader = load([film], pool_bytes=30 * 6, shuffle_seed=0)
    for _ in range(2):
        assert sorted(firsts(loader)) == list(range(98))
    assert source_of(film).decoded > 200  # gone through anew each time


def test_learning_begins_before_all_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.training.SEGMENT_FRAMES", 10)
    monkeypatch.setattr("monitor.training.FIRST_FRAMES", 20)
    film = video(200)
    loader = load([film])
    next(iter(loader))
    assert source_of(film).decoded < 40
    assert firsts(loader) == firsts(loader) == list(range(198))


def batches(loader: ClipLoader, epochs: int = 2) -> list[torch.Tensor]:
    return [batch for _ in range(epochs) for batch in loader]


@pytest.fixture
def film_file(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    return path


@pytest.mark.parametrize("pool_bytes", [30 * 6, 10**6])
def test_a_cache_changes_no_bit_and_saves_all_decoding_but_the_first(
    tmp_path: Path, film_file: Path, pool_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.training.SEGMENT_FRAMES", 10)
    how = {"pool_bytes": pool_bytes, "shuffle_seed": 3}
    plain = batches(load([video(100, lost=35, file=film_file)], **how))
    for decoded in (110, 0):  # each piece overlaps the next by a frame, less its clip
        film = video(100, lost=35, file=film_file)
        found = batches(load([film], cache=FrameCache(tmp_path / "cache"), **how))
        assert len(found) == len(plain)
        assert all(map(torch.equal, found, plain))
        assert source_of(film).decoded == pytest.approx(decoded, abs=10 if decoded else 0)


def test_what_can_no_longer_be_kept_is_decoded_as_without_a_cache(
    tmp_path: Path, film_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.training.SEGMENT_FRAMES", 10)
    how = {"pool_bytes": 30 * 6, "shuffle_seed": 3}
    plain = batches(load([video(100, file=film_file)], **how))
    cache = FrameCache(tmp_path / "cache", most_bytes=800)  # for four pieces of ten
    assert all(
        map(torch.equal, batches(load([video(100, file=film_file)], cache=cache, **how)), plain)
    )
    assert cache.closed
    assert sum(path.stat().st_size for path in (tmp_path / "cache").iterdir()) <= 800


def test_another_rate_or_size_finds_nothing_of_the_first(tmp_path: Path, film_file: Path) -> None:
    cache = FrameCache(tmp_path / "cache")
    for rate_hz, size in ((None, (2, 3)), (5.0, (2, 3)), (None, (4, 6))):
        film = video(40, file=film_file)
        spec = ClipSpec(length=2, stride=2, size=size, channels=1)
        loader = ClipLoader(whole_segments([film]), spec, batch=4, rate_hz=rate_hz, cache=cache)
        assert next(iter(loader)).shape[-2:] == size
        assert source_of(film).decoded == 40


def test_damaged_footage_is_named_each_time(tmp_path: Path, film_file: Path) -> None:
    for _ in range(2):
        film = video(40, file=film_file)
        source_of(film).corrupt.append("frame 3 is damaged")
        batches(load([film], cache=FrameCache(tmp_path / "cache")), epochs=1)
        assert source_of(film).decoded == 40


def test_a_camera_s_frames_are_kept_nowhere(tmp_path: Path) -> None:
    batches(load([video(40)], cache=FrameCache(tmp_path / "cache")), epochs=1)
    assert not (tmp_path / "cache").exists()


def test_no_clip_spans_a_gap() -> None:
    assert firsts(load([video(20, lost=10)])) == [*range(8), *range(10, 18)]


def test_a_fast_video_is_thinned_to_the_rate() -> None:
    batch = next(iter(load([video(40, rate_hz=30)], rate_hz=10)))
    steps = ((batch[:, 1] - batch[:, 0]) * 255).round().flatten()
    assert set(steps.tolist()) == {6}


def test_held_out_footage_is_thinned_from_all_over_it() -> None:
    segments = whole_segments([video(20_000, "a"), video(20_000, "b")])
    few = thinned(segments, SPEC, most=2048)
    assert sum(s.n_frames for s in few) <= 2048
    assert {s.video.name for s in few} == {"a", "b"}
    assert few[0].start == 0
    assert few[-1].stop == 20_000
    assert thinned(segments[:1], SPEC, most=20_000) == tuple(segments[:1])


def test_a_folder_of_stills_counts_seconds_by_its_assumed_rate(tmp_path: Path) -> None:
    write_clip(tmp_path / "f", 20, seed=0)
    data = open_data(tmp_path / "f", folder_rate_hz=4)
    assert Segment(data.train[0], 0, 20).seconds == 5
