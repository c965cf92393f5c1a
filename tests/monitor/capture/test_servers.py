"""Cameras as they are: real RTSP and MJPEG servers that refuse, fall silent and die."""

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from benchmarks.live.servers import (
    Looped,
    MjpegServer,
    RtspServer,
    encode_loop,
    free_port,
    has_rtsp_server,
)
from monitor.capture.records import (
    ClipWritten,
    Connect,
    Connected,
    Disconnected,
    EndClip,
    StartClip,
)
from tests.monitor.capture.films import watched

needs_rtsp = pytest.mark.skipif(not has_rtsp_server(), reason="needs GStreamer's RTSP server")
SIZE = (96, 128)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Looped:
    folder = tmp_path_factory.mktemp("loop")
    return encode_loop(folder / "a.h264", size=SIZE, frames=20)


@pytest.fixture
def rtsp(loop: Looped) -> Iterator[RtspServer]:
    with RtspServer(mounts={"/door": loop, "/yard": loop}) as server:
        yield server


@pytest.fixture(scope="module")
def mjpeg() -> Iterator[MjpegServer]:
    with MjpegServer(size=SIZE) as server:
        yield server


@needs_rtsp
def test_a_camera_is_read_clipped_and_read_again_after_it_died(
    rtsp: RtspServer, tmp_path: Path
) -> None:
    with watched(rtsp.url("/door"), read_timeout_s=5.0) as seen:
        heads = seen.see(15)
        connected = seen.hear(Connected)
        assert (connected.size, connected.codec, connected.live) == (SIZE, "h264", True)
        steps = [later.time_s - head.time_s for head, later in pairwise(heads[2:])]
        assert steps == pytest.approx([0.1] * len(steps), abs=0.02)
        seen.send(StartClip("a", tmp_path / "clip.mp4", heads[5].received_s, 60.0))
        seen.send(EndClip("a", heads[-1].received_s + 0.3))
        with av.open(str(seen.hear(ClipWritten).path)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert len(list(container.decode(video=0))) >= 10
        rtsp.stop()
        assert seen.hear(Disconnected).fault in ("ended", "refused", "broken")
        seen.heard.clear()
        seen.send(Connect(2))
        assert seen.hear(Disconnected).fault == "refused"
        rtsp.start()
        count = len(seen.heads)
        seen.send(Connect(3))
        again = seen.see(count + 3)[count]  # the first that was looked at: the latest is, not each
        assert again.epoch == 3
        assert again.index < 10
        assert again.time_s < 1.0  # counted anew


@needs_rtsp
def test_a_camera_that_falls_silent_is_told_in_time_and_killed_if_need_be(
    rtsp: RtspServer,
) -> None:
    with (
        watched(rtsp.url("/door"), read_timeout_s=1.0) as soon,
        watched(rtsp.url("/yard"), "process", read_timeout_s=60.0) as never,
    ):
        soon.see(3)
        never.see(3)
        rtsp.freeze()
        assert soon.hear(Disconnected).fault == "timeout"
        assert never.feed.alive
        began_s = time.monotonic()
        never.feed.kill()
        assert time.monotonic() - began_s < 5
        assert not never.feed.alive
        rtsp.thaw()
        never.feed.start()
        never.send(Connect(2))
        never.until(lambda: never.heads[-1].epoch == 2)


@needs_rtsp
def test_a_path_that_is_not_there_and_a_wrong_password_are_told_apart(loop: Looped) -> None:
    server = RtspServer(mounts={"/door": loop}, user="viewer", password="right-one")
    with server:
        with watched(server.url("/door").replace("right", "wrong")) as seen:
            said = seen.hear(Disconnected)
            assert said.fault == "login"
            assert "wrong-one" not in said.text
        with watched(server.url("/door")) as seen:
            seen.see(2)
        with watched(server.url("/garden")) as seen:
            assert seen.hear(Disconnected).fault in ("missing", "login")


@needs_rtsp
@pytest.mark.slow
def test_clips_are_cut_from_the_main_stream_while_another_is_analysed(
    loop: Looped, tmp_path: Path
) -> None:
    main = encode_loop(tmp_path / "main.h264", size=(192, 256), frames=20)
    with RtspServer(mounts={"/main": main, "/sub": loop}) as server:
        urls = {"analysis_url": server.url("/sub")}
        with watched(server.url("/main"), **urls) as seen:
            seen.see(25)
            assert seen.hear(Connected).size == SIZE
            seen.send(StartClip("a", tmp_path / "c.mp4", seen.heads[15].received_s, 60.0))
            seen.send(EndClip("a", time.monotonic() + 0.3))
            with av.open(str(seen.hear(ClipWritten).path)) as container:
                assert next(container.decode(video=0)).width == 256


def test_mjpeg_is_timed_by_arrival_and_clipped_as_it_is(mjpeg: MjpegServer, tmp_path: Path) -> None:
    with watched(mjpeg.url()) as seen:
        heads = seen.see(20)
        assert seen.hear(Connected).codec == "mjpeg"
        rate_hz = 17 / (heads[19].time_s - heads[2].time_s)
        assert 5 < rate_hz < 15  # FFmpeg would say 25
        seen.send(StartClip("a", tmp_path / "clip.mp4", heads[4].received_s, 60.0))
        seen.send(EndClip("a", time.monotonic()))
        with av.open(str(seen.hear(ClipWritten).path)) as container:
            assert container.streams.video[0].codec_context.name == "mjpeg"
            assert len(list(container.decode(video=0))) >= 14


def test_what_a_web_server_says_instead_of_video_is_understood(mjpeg: MjpegServer) -> None:
    expected = {"/page": "format", "/nothing": "missing", "/still": "ended"}
    for path, fault in expected.items():
        with watched(mjpeg.url(path)) as seen:
            assert seen.hear(Disconnected).fault == fault, path


def test_a_server_that_accepts_and_says_nothing_is_a_timeout(mjpeg: MjpegServer) -> None:
    mjpeg.freeze()
    with watched(mjpeg.url(), open_timeout_s=1.0, read_timeout_s=1.0) as seen:
        assert seen.hear(Disconnected).fault == "timeout"
    mjpeg.thaw()


@needs_rtsp
def test_a_frozen_rtsp_server_is_a_timeout_and_no_wrong_format(rtsp: RtspServer) -> None:
    rtsp.freeze()
    with watched(rtsp.url("/door"), open_timeout_s=1.0) as seen:
        assert seen.hear(Disconnected).fault == "timeout"
    rtsp.thaw()


def test_a_slow_camera_is_connected_by_its_first_picture_and_announces_no_rate() -> None:
    with MjpegServer(size=SIZE, fps=0.1) as server, watched(server.url()) as seen:
        began_s = time.monotonic()
        assert seen.hear(Connected).rate_hz is None  # FFmpeg would say 25
        assert time.monotonic() - began_s < 5  # the second comes after 10


def test_a_wrong_login_to_a_web_camera_and_a_name_that_is_no_host() -> None:
    with MjpegServer(size=SIZE, user="a", password="right-one", port=free_port()) as server:
        with watched(server.url().replace("right", "wrong")) as seen:
            said = seen.hear(Disconnected)
            assert said.fault == "login"
            assert "wrong-one" not in said.text
        with watched(server.url()) as seen:
            seen.see(2)
    with watched("rtsp://camera.invalid/x") as seen:
        assert seen.hear(Disconnected).fault == "refused"
