import os
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import av
import av.logging
import numpy as np
import pytest
from numpy.typing import NDArray

from models.spec import ClipSpec
from monitor.clips import at_rate, prepare, prepared
from monitor.errors import CorruptFrameError, SourceError, SourceNotFoundError
from monitor.sources import open_source
from monitor.sources.late import Converter, LateFrame
from monitor.sources.video import VideoFile

Film = Callable[..., Path]
Read = Callable[[NDArray[np.uint8]], int]
FORMATS = [
    ("film.mp4", "libx264"),
    ("film.mkv", "libx264"),
    ("film.ts", "libx264"),
    ("film.avi", "libx264"),
    ("film.avi", "mpeg4"),
    ("film.avi", "mjpeg"),
    ("film.webm", "libvpx"),
    ("film.webm", "libvpx-vp9"),
    ("film.mov", "libx264"),
    ("film.h264", "libx264"),
]


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_index_and_picture_agree_in_every_container(
    film: Film, read_number: Read, name: str, codec: str
) -> None:
    source = open_source(film(name, codec=codec))
    assert source.n_frames == 40
    assert [(f.index, read_number(f.image)) for f in source.frames()] == [(i, i) for i in range(40)]
    assert source.corrupt == []


@pytest.mark.parametrize(("name", "codec"), FORMATS)
def test_indices_are_exact_after_a_seek(
    film: Film, read_number: Read, name: str, codec: str
) -> None:
    source = open_source(film(name, codec=codec))
    for start in (0, 1, 9, 11, 12, 13, 23, 24, 37, 39):
        frames = list(source.frames(start, start + 2))
        assert [f.index for f in frames] == [i for i in (start, start + 1) if i < 40]
        assert [read_number(f.image) for f in frames] == [f.index for f in frames]
    assert source.corrupt == []


def test_a_seek_gives_the_same_bits_and_times_as_reading_through(film: Film) -> None:
    source = open_source(film())
    through = list(source.frames())
    for frame in source.frames(26, 31):
        assert np.array_equal(frame.image, through[frame.index].image)
        assert frame.time_s == through[frame.index].time_s


def test_a_seek_decodes_from_the_key_frame_before(film: Film) -> None:
    index = VideoFile(film()).index
    assert list(index.keys / index.ticks[1]) == [0, 12, 24, 36]
    assert index.rank(int(index.ticks[30])) == 30
    assert index.seek_for(30) == index.key_seeks[2]


def test_only_frames_that_are_looked_at_become_pictures(
    film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[float] = []

    class Noting(Converter):
        def rgb(
            self, frame: av.VideoFrame, size: tuple[int, int] | None = None
        ) -> NDArray[np.uint8]:
            converted.append(frame.time)
            return super().rgb(frame, size)

    monkeypatch.setattr("monitor.sources.video.Converter", Noting)
    path = film()
    through = [f.to_ndarray(format="rgb24") for f in av.open(str(path)).decode(video=0)]
    video = VideoFile(path)
    assert video.rate_hz is not None
    taken = list(at_rate(video.frames(), video.rate_hz / 4))
    assert [frame.index for frame in taken] == list(range(0, 40, 4))
    assert converted == []
    for frame in taken:
        assert np.array_equal(frame.image, through[frame.index])
        assert frame.image is frame.image
    assert len(converted) == len(taken)


@pytest.mark.parametrize("pixels", ["yuv420p", "yuvj420p", "yuv422p10le", "nv12", "rgb24"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_shrunk_by_the_decoder_has_the_colours_of_the_shrunk_picture(
    channels: Literal[1, 3], pixels: str
) -> None:
    rows, columns = np.mgrid[0:96, 0:128]
    image = np.stack([2 * columns, 2 * rows, 255 - columns - rows], -1).astype(np.uint8)
    image[:, 40:48] = (200, 30, 30)
    decoded = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
    frame = LateFrame(decoded, 0, 0.0, Converter())
    spec = ClipSpec(size=(32, 40), channels=channels)
    difference = np.abs(prepared(frame, spec).astype(int) - prepare(frame.image, spec))
    assert difference.mean() < 1.5
    assert difference.max() <= 12  # at the edges of the bar


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_frame_shrunk_by_the_decoder_stands_upright(
    film: Film, channels: Literal[1, 3], rotation: int
) -> None:
    spec = ClipSpec(size=(24, 20), channels=channels)
    (frame,) = VideoFile(film(n_frames=1, rotation=rotation)).frames()
    small, picture = prepared(frame, spec), prepare(frame.image, spec)
    assert small.shape == (channels, 24, 20)
    assert np.median(np.abs(small.astype(int) - picture)) <= 1  # two thirds of it are even


def test_gray_of_other_colours_than_bt_601_is_told_by_them() -> None:
    red = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 30, 30), np.uint8), format="rgb24")
    bt_709 = red.reformat(format="yuv420p", dst_colorspace="ITU709")
    gray = Converter().gray(bt_709, (24, 32))
    assert np.abs(gray.astype(int) - 81).max() <= 2  # 0.299 x 200 + 0.701 x 30; by its luma 66


def test_a_frame_smaller_than_the_detector_takes_is_enlarged_as_pictures_are(film: Film) -> None:
    spec = ClipSpec(size=(96, 128), channels=3)
    (frame,) = VideoFile(film(n_frames=1)).frames()
    assert np.array_equal(prepared(frame, spec), prepare(frame.image, spec))


def test_a_message_of_the_decoder_cannot_stop_its_closing(film: Film) -> None:
    """Older torchvisions have FFmpeg's messages handed to Python, for which threads wait for it."""
    av.logging.set_level(av.logging.ERROR)
    open_source(film())
    assert av.logging.get_level() is None


def test_frames_beyond_the_end_are_none(film: Film) -> None:
    source = open_source(film(n_frames=5))
    assert [f.index for f in source.frames(3, 99)] == [3, 4]
    assert list(source.frames(5)) == []


def test_times_come_from_uneven_stamps_not_from_counting(film: Film) -> None:
    times_ms = [100, 133, 200, 210, 900, 933]
    source = open_source(film("film.mkv", 6, times_ms=times_ms))
    got = [frame.time_s for frame in source.frames()]
    assert got == pytest.approx([0, 0.033, 0.1, 0.11, 0.8, 0.833])
    assert [f.time_s for f in source.frames(4)] == pytest.approx([0.8, 0.833])
    assert [source.time_s(index) for index in range(6)] == got  # known without decoding, too


def test_ntsc_rate_does_not_drift(film: Film) -> None:
    source = open_source(film(n_frames=100, rate=Fraction(30000, 1001)))
    assert source.rate_hz == pytest.approx(29.97, abs=1e-3)
    last = next(source.frames(99))
    assert last.time_s == pytest.approx(99 * 1001 / 30000, abs=1e-6)


def test_pictures_are_rgb_of_the_first_frames_size(film: Film) -> None:
    source = open_source(film(n_frames=3))
    assert source.size == (48, 64)
    image = next(source.frames()).image
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    assert not source.live


def test_a_film_that_asks_to_be_turned_is_turned(film: Film) -> None:
    source = open_source(film(n_frames=3, rotation=90))  # counter-clockwise
    assert source.size == (64, 48)
    image = next(source.frames()).image
    assert image[:, :24].std() < 3 < image[:, 36:].std()  # the flat upper half is now at the left


def test_nothing_there() -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"nowhere.mp4: expected a video file or a folder"
    ):
        open_source("nowhere.mp4")


def test_text_named_mp4(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("this is no film " * 50)
    with pytest.raises(SourceError, match=r"notes.mp4: expected a video .*got 800 bytes it cannot"):
        open_source(path)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.avi"
    path.touch()
    with pytest.raises(SourceError, match="got an empty file"):
        open_source(path)


def test_mp4_without_its_index(film: Film) -> None:
    path = film()
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"without its index \(moov\).*record to .mkv"):
        open_source(path)


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def index_first(film: Film) -> Path:
    """An MP4 whose index comes first, so that a cut one still opens."""
    path = film()
    moved = path.with_name("first.mp4")
    with (
        av.open(str(path)) as old,
        av.open(str(moved), "w", options={"movflags": "faststart"}) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    return moved


def test_a_cut_mp4_gives_what_it_holds_and_says_what_is_lost(film: Film, read_number: Read) -> None:
    source = open_source(cut(index_first(film), 0.7))
    frames = list(source.frames())
    assert 5 < len(frames) < 40
    assert all(read_number(f.image) == f.index for f in frames[:-1])
    assert any("40 that its header promises: the file is cut off" in t for t in source.corrupt)


def test_a_cut_mp4_is_refused_where_strict(film: Film) -> None:
    source = open_source(cut(index_first(film), 0.7), strict=True)
    with pytest.raises(CorruptFrameError, match=r"first.mp4"):
        list(source.frames())


def test_a_cut_mkv_ends_early(film: Film) -> None:
    source = open_source(cut(film("film.mkv"), 0.6))
    frames = list(source.frames())
    assert 3 < len(frames) < 40
    assert [f.index for f in frames] == list(range(len(frames)))


def test_what_a_cut_mkv_lacks_is_told_from_its_header(film: Film) -> None:
    path = film("film.mkv", 100)  # 4 s
    assert open_source(path).index.cut_off == 0  # type: ignore[attr-defined]
    source = open_source(cut(path, 0.5))
    held = len(list(source.frames()))
    assert held < 75
    (said,) = source.corrupt
    assert f"ends after {held} frames of the 100 that its header promises" in said


def test_two_readers_do_not_disturb_each_other(film: Film) -> None:
    source = open_source(film())
    one, two = source.frames(), source.frames(20)
    assert [next(one).index, next(two).index, next(one).index, next(two).index] == [0, 20, 1, 21]


@pytest.mark.data
def test_highway_has_its_own_length_and_count() -> None:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    source = open_source(Path(folder) / "cctv" / "highway.avi")
    assert source.n_frames == 1699
    frames = [(f.index, f.time_s) for f in source.frames()]
    assert [index for index, _ in frames] == list(range(1699))
    assert frames[-1][1] == pytest.approx(28.3, abs=0.05)
    assert all(a[1] < b[1] for a, b in pairwise(frames))
    assert source.corrupt == []


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n_frames", "rate_hz"),
    [("car-detection.mp4", 377, 12.5), ("one-by-one-person-detection.mp4", 1394, 10.0)],
)
def test_real_clips_are_counted_without_decoding(name: str, n_frames: int, rate_hz: float) -> None:
    folder = os.environ.get("ODDWATCH_DATA")
    if not folder:
        pytest.skip("ODDWATCH_DATA is not set")
    source = open_source(Path(folder) / "cctv" / name)
    assert (source.n_frames, source.rate_hz) == (n_frames, rate_hz)
    through = list(source.frames(0, 130))
    sought = list(source.frames(120, 130))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(through[120:], sought, strict=True))
