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
