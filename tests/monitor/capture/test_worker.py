"""A worker reads files as it is told, says what is wrong with what is no video, and cuts clips."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import pytest

from models.spec import ClipSpec
from monitor.capture.records import (
    ClipFailed,
    ClipWritten,
    Connect,
    Connected,
    Counted,
    Disconnected,
    EndClip,
    Finished,
    StartClip,
    Tune,
)
from monitor.clips import prepared
from monitor.priorities import CAPTURE
from monitor.sources import open_source
from tests.monitor.capture.films import film, textured, watched

FORBIDDEN = ("torch", "sqlalchemy", "textual", "matplotlib", "scipy", "pydantic")
LIGHT = {"models", "models.spec"}


def test_a_file_read_fast_loses_nothing_although_the_ring_is_small(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 50), pace="fast", slots=2) as seen:
        assert seen.hear(Finished).frames == 50
        heads = seen.see(50)
        assert seen.missed == 0
    assert [head.index for head in heads] == list(range(50))
    assert [head.time_s for head in heads] == pytest.approx([index / 10 for index in range(50)])
    assert {head.epoch for head in heads} == {1}
    connected = seen.hear(Connected)
    assert (connected.size, connected.analysed, connected.codec) == ((48, 64), (48, 64), "h264")
    assert (connected.live, connected.decoder, connected.rate_hz) == (False, "software", 10.0)
    levels = [head.stats.mean for head in heads[:10]]
    assert levels == pytest.approx([20 + 10 * index for index in range(10)], abs=3)


def test_a_worker_lets_the_engine_before_it(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 50), kind="process") as seen:
        seen.hear(Connected)
        assert seen.feed.pid is not None
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, seen.feed.pid) == own + CAPTURE


def test_a_file_at_its_own_pace_takes_its_time(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 11)) as seen:
        seen.hear(Finished)
        heads = seen.see(11)
    assert heads[-1].received_s - heads[0].received_s > 0.9


def test_a_looped_file_goes_on_after_a_gap_at_its_seam(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 10), pace="fast", loop=True) as seen:
        heads = seen.see(25)
    assert heads[10].time_s - heads[9].time_s == pytest.approx(2.0)
    assert [head.index for head in heads[:25]] == list(range(25))
    assert heads[12].stats.mean == pytest.approx(heads[2].stats.mean, abs=2)


def test_pictures_are_made_small_and_thinned_before(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 60, fps=30, size=(120, 200))
    with watched(path, pace="fast", width=100, fps=10.0) as seen:
        seen.hear(Finished)
        heads = seen.see(20)
        assert seen.hear(Connected).analysed == (60, 100)
        captured = seen.feed.latest()
    assert [head.index for head in heads] == list(range(0, 60, 3))
    assert captured is not None
    assert captured.image.shape == (60, 100, 3)


def test_what_is_private_is_black_before_anybody_sees_it(tmp_path: Path) -> None:
    left = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
    path = film(tmp_path / "a.mp4", 10, levels=lambda _: 200)
    with watched(path, pace="own", loop=True, privacy=left) as seen:
        seen.see(3)
        captured = seen.feed.latest()
        assert captured is not None
        assert captured.image[:, :31].max() == 0
        assert captured.image[:, 34:].min() > 180
        seen.send(StartClip("a", tmp_path / "clip.mp4", 0.0, 1e9))
        seen.see(6)
        seen.send(EndClip("a", time.monotonic()))
        clip = seen.hear(ClipWritten).path
    with av.open(str(clip)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert shown[:, :28].max() < 30
    assert shown[:, 36:].min() > 170


def test_a_clip_begins_at_a_keyframe_before_and_ends_when_it_is_told(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 200, gop=5)
    with watched(path, kind="thread") as seen:
        heads = seen.see(13)
        asked = heads[8]
        seen.send(StartClip("a", tmp_path / "new" / "clip.mp4", asked.received_s, 60.0))
        seen.send(EndClip("a", heads[12].received_s + 0.35))
        clip = seen.hear(ClipWritten)
    assert clip.path == tmp_path / "new" / "clip.mp4"
    with av.open(str(clip.path)) as container:
        frames = list(container.decode(video=0))
    times = [float(frame.time) for frame in frames]
    assert times == pytest.approx([index / 10 for index in range(len(times))], abs=0.06)
    assert clip.seconds == pytest.approx(times[-1], abs=0.001)
    first = round((frames[0].to_ndarray(format="gray").mean() - 20) / 10)
    assert first == pytest.approx(5, abs=0.5)  # the keyframe before frame 8
    assert 10 <= len(frames) <= 13
    assert not list((tmp_path / "new").glob(".*"))


def test_a_clip_that_lasts_too_long_is_cut_and_one_at_the_end_is_kept(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 15)) as seen:
        start = seen.see(3)[0].received_s
        seen.send(StartClip("short", tmp_path / "short.mp4", start, 0.45))
        seen.send(StartClip("open", tmp_path / "open.mp4", start, 60.0))
        seen.hear(Finished)
        seen.until(lambda: sum(isinstance(n, ClipWritten) for n in seen.heard) == 2)
    counts = {}
    for name in ("short", "open"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            counts[name] = len(list(container.decode(video=0)))
    assert 4 <= counts["short"] <= 6
    assert counts["open"] == 15


def test_what_mp4_cannot_carry_becomes_matroska(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.webm", 40, codec="libvpx")) as seen:
        seen.see(3)
        seen.send(StartClip("a", tmp_path / "clip.mp4", 0.0, 1e9))
        seen.send(EndClip("a", time.monotonic() + 0.2))
        assert seen.hear(ClipWritten).path == tmp_path / "clip.mkv"
    with av.open(str(tmp_path / "clip.mkv")) as container:
        assert len(list(container.decode(video=0))) >= 3


def test_a_clip_without_a_place_or_a_connection_fails_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with watched(film(tmp_path / "a.mp4", 60)) as seen:
        seen.see(2)
        seen.send(StartClip("a", tmp_path / "file" / "clip.mp4", 0.0, 10.0))
        failed = seen.hear(ClipFailed)
        assert "cannot be written" in failed.text
        assert "\n" not in failed.text
    with watched(tmp_path / "none.mp4") as seen:
        seen.hear(Disconnected)
        seen.send(StartClip("b", tmp_path / "clip.mp4", 0.0, 10.0))
        assert seen.hear(ClipFailed).text == "the camera is not connected"


def no_video(folder: Path) -> dict[str, tuple[object, str, str]]:
    (folder / "a.txt").write_text("<html><body>not a camera</body></html>\n" * 50)
    (folder / "empty.mp4").touch()
    (folder / "broken.mp4").write_bytes(os.urandom(5000))
    with av.open(str(folder / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    return {
        "text": (folder / "a.txt", "format", "expected video"),
        "empty": (folder / "empty.mp4", "format", ""),
        "broken": (folder / "broken.mp4", "format", "expected video, got something else"),
        "sound": (folder / "sound.wav", "format", "expected video, got audio only"),
        "missing": (folder / "none.mp4", "missing", "found nothing there"),
        "scheme": ("gopher://a:secret@b/c", "format", "gopher:// is not known; known are"),
        "device": ("/dev/video87", "missing", "OpenCV cannot open it"),
        "refused": ("rtsp://a:secret@127.0.0.1:1/x", "refused", "Connection refused"),
    }


@pytest.mark.parametrize(
    "case", ["text", "empty", "broken", "sound", "missing", "scheme", "device", "refused"]
)
def test_what_is_no_video_is_said_in_one_line_without_secrets(case: str, tmp_path: Path) -> None:
    url, fault, text = no_video(tmp_path)[case]
    with watched(url) as seen:
        said = seen.hear(Disconnected)
        assert said.fault == fault
        assert text in said.text
        assert "secret" not in said.text
        assert "\n" not in said.text
        seen.heard.clear()
        seen.send(Connect(2))
        assert seen.hear(Disconnected).fault == fault


def test_a_cut_file_gives_what_there_is_and_damage_is_counted(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.ts", 60, size=(240, 320), levels=lambda index: index * 97 % 200)
    data = bytearray(whole.read_bytes())
    for place in range(len(data) // 3, len(data) // 2, 11):
        data[place] ^= 0xFF
    (tmp_path / "cut.ts").write_bytes(data[: len(data) * 3 // 4])
    with watched(tmp_path / "cut.ts", pace="fast") as seen:
        seen.until(lambda: any(isinstance(n, Finished | Disconnected) for n in seen.heard))
        assert 5 < len(seen.heads) < 60


def test_a_picture_that_changes_its_size_ends_the_connection(tmp_path: Path) -> None:
    parts = [film(tmp_path / f"{h}.h264", 10, size=(h, 64)) for h in (48, 96)]
    (tmp_path / "both.h264").write_bytes(b"".join(part.read_bytes() for part in parts))
    with watched(tmp_path / "both.h264", pace="fast") as seen:
        said = seen.hear(Disconnected)
        assert (said.fault, said.text.rpartition(": ")[2]) == (
            "broken",
            "the picture changed from 64x48 to 64x96",
        )
        assert len(seen.see(10)) == 10


def test_keyframes_only_and_fewer_frames_can_be_asked_for_at_any_time(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 800, gop=5), pace="fast") as seen:
        seen.see(3)
        seen.send(Tune(keyframes_only=True))
        seen.hear(Finished)
        assert len(seen.heads) < 700
        tail = [head.time_s for head in seen.heads[-5:]]
        assert np.diff(tail) == pytest.approx(0.5)


def test_a_model_s_rate_comes_before_what_a_camera_without_one_is_read_at(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 800, fps=25), pace="own", fps=10.0) as seen:
        seen.see(3)
        seen.send(Tune(fps=12.5))
        heads = seen.see(30)
        assert np.diff([head.time_s for head in heads[-10:]]) == pytest.approx(0.08)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backend", ["pyav", "opencv"])
def test_what_a_detector_takes_is_made_of_the_decoded_frame_as_of_a_film_s(
    tmp_path: Path, channels: Literal[1, 3], backend: Literal["pyav", "opencv"]
) -> None:
    path, spec = textured(tmp_path / "a.mp4", 6), ClipSpec(size=(20, 36), channels=channels)
    with open_source(str(path)) as source:
        expected = [prepared(frame, spec) for frame in source.frames()]
    with watched(path, pace="fast", loop=True, width=50, backend=backend) as seen:
        seen.see(1)
        seen.send(Tune(takes=spec))
        seen.until(lambda: seen.heads[-1].shape == (channels, 20, 36))
        captured = seen.feed.latest()
    assert captured is not None
    assert captured.planes is not None
    assert captured.image.shape == (38, 50, 3)
    apart = np.abs(captured.planes.astype(int) - expected[captured.index % 6])
    assert apart.mean() <= (0 if backend == "pyav" else 3)  # OpenCV spreads colours its own way


def test_what_is_private_is_black_for_a_detector_too(tmp_path: Path) -> None:
    left = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
    path = film(tmp_path / "a.mp4", 10, levels=lambda _: 200)
    with watched(path, pace="fast", loop=True, privacy=left) as seen:
        seen.send(Tune(takes=ClipSpec(size=(12, 16), channels=1)))
        seen.until(lambda: bool(seen.heads) and seen.heads[-1].shape == (1, 12, 16))
        captured = seen.feed.latest()
    assert captured is not None
    assert captured.planes is not None
    assert captured.planes[:, :, :7].max() == 0
    assert captured.planes[:, :, 9:].min() > 180


def test_opencv_reads_the_same_frames(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 20), pace="fast", backend="opencv") as seen:
        seen.hear(Finished)
        heads = seen.see(20)
    assert [head.time_s for head in heads] == pytest.approx([index / 10 for index in range(20)])
    assert heads[3].stats.mean == pytest.approx(50, abs=3)


def test_a_drop_folder_gives_what_comes_and_clips_of_it(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    cv2.imwrite(str(drop / "old.png"), np.full((48, 64, 3), 10, np.uint8))
    with watched(drop) as seen:
        for index in range(4):
            time.sleep(0.3)
            cv2.imwrite(str(drop / f"{index}.png"), np.full((48, 64, 3), 50 + index, np.uint8))
            (drop / "bad.jpg").write_bytes(b"no picture")
        heads = seen.see(4)
        assert [round(head.stats.mean) for head in heads] == [50, 51, 52, 53]
        assert seen.hear(Connected).live
        seen.send(StartClip("a", tmp_path / "clip.mp4", heads[0].received_s, 60.0))
        seen.send(EndClip("a", heads[3].received_s))
        assert seen.hear(ClipWritten).path.exists()


def test_a_folder_of_frames_is_read_once_in_order(tmp_path: Path) -> None:
    for index in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((48, 64, 3), index, np.uint8))
    with watched(tmp_path, pace="fast") as seen:
        seen.hear(Finished)
        assert [round(head.stats.mean) for head in seen.see(3)] == [1, 9, 10]
        assert [head.time_s for head in seen.heads] == pytest.approx([0, 0.1, 0.2])


def test_a_process_reads_and_is_small_and_its_death_leaves_nothing(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 40)
    with watched(path, kind="process", loop=True) as seen:
        seen.see(3)
        seen.until(lambda: any(isinstance(n, Counted) and n.frames for n in seen.heard))
        counted = [n for n in seen.heard if isinstance(n, Counted)][-1]
        assert counted.rss_bytes > 10e6
        block = Path("/dev/shm") / seen.feed.ring_name
        assert block.exists()
        assert seen.feed.pid is not None
        os.kill(seen.feed.pid, signal.SIGKILL)
        seen.until(lambda: not seen.feed.alive)
        assert not seen.feed.send(Connect(2)) or not seen.feed.alive
        count = len(seen.heads)
        seen.feed.start()
        seen.send(Connect(2))
        seen.see(count + 3)
        assert seen.heads[-1].epoch == 2
    assert not block.exists()


def test_a_process_ends_with_the_engine_that_started_it(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 40)
    code = (
        "import sys, time\n"
        "from monitor.capture.feed import ProcessFeed\n"
        "from monitor.capture.records import CaptureSettings, Connect\n"
        f"feed = ProcessFeed(CaptureSettings('door', {str(path)!r}, loop=True))\n"
        "feed.start(); feed.send(Connect(1))\n"
        "while feed.written < 2: time.sleep(0.01)\n"
        "print(feed.pid, feed.ring_name, flush=True); time.sleep(60)\n"
    )
    engine = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    worker, name = engine.stdout.readline().split()
    engine.kill()
    engine.wait()
    engine.stdout.close()
    end_s = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() or (Path("/dev/shm") / name).exists():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_worker_imports_nothing_heavy() -> None:
    code = "import sys, monitor.capture.worker; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "av" in loaded
    assert not loaded & set(FORBIDDEN)
    assert {name for name in loaded if name.split(".")[0] == "models"} <= LIGHT


def test_what_the_engine_imports_of_it_reads_no_video() -> None:
    code = "import sys, monitor.capture.feed; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*FORBIDDEN, "av", "cv2"}


def test_a_thread_that_is_killed_is_abandoned_and_another_goes_on(tmp_path: Path) -> None:
    with watched(film(tmp_path / "a.mp4", 60), loop=True) as seen:
        seen.see(3)
        seen.feed.kill()
        assert not seen.feed.alive
        seen.feed.start()
        seen.send(Connect(2))
        seen.until(lambda: bool(seen.heads) and seen.heads[-1].epoch == 2)
        numbers = [head.sequence for head in seen.heads]
        assert numbers == sorted(set(numbers))
