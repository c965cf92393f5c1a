"""What a capture worker is told follows from the camera's settings."""

from random import Random

import pytest

from monitor.config.settings import CameraSettings
from monitor.live.how_read import capture_of
from monitor.live.supervision import Supervisor, SupervisorSettings


@pytest.mark.parametrize("stall_s", [0.0, 5.0, 90.0, 600.0])
@pytest.mark.parametrize("fps", [0.0, 0.1, 25.0])
def test_a_silence_is_noticed_from_outside_before_the_worker_gives_up(
    stall_s: float, fps: float
) -> None:
    camera = CameraSettings(name="yard", url="rtsp://192.0.2.1/", stall_s=stall_s, fps=fps)
    watch = Supervisor(SupervisorSettings(stall_s=stall_s, fps=fps), Random(0))
    assert capture_of(camera).read_timeout_s > watch.stall_s + SupervisorSettings().settle_s


@pytest.mark.parametrize("first_frame_s", [15.0, 60.0])
@pytest.mark.parametrize("stall_s", [0.0, 60.0, 150.0])
def test_opening_waits_as_long_as_the_camera_may_be_silent_and_ends_before_it_is_hung_up_on(
    stall_s: float, first_frame_s: float
) -> None:
    url = "http://192.0.2.1/"
    camera = CameraSettings(name="yard", url=url, stall_s=stall_s, first_frame_s=first_frame_s)
    opening_s = capture_of(camera).open_timeout_s
    assert opening_s >= stall_s
    times = SupervisorSettings(stall_s=stall_s, first_frame_s=first_frame_s)
    watch = Supervisor(times, Random(0))
    watch.start(0.0)
    assert watch.tick(opening_s) == []
