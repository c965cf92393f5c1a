"""From a camera's configuration to what its capture worker is told."""

from monitor.capture.records import CaptureSettings
from monitor.config.settings import CameraSettings
from monitor.live.supervision import START_S

OPEN_S = 10.0  # Frigate's and Viseron's range is 5 to 20 s
SILENT_S = 120.0  # the supervisor looks from outside and is to be the first to notice
SILENT_MORE_S = 30.0  # where a slow camera is given longer
DEFAULT_FPS = 10.0  # analysed frames per second while a camera has no model


def capture_of(camera: CameraSettings) -> CaptureSettings:
    """How a camera is read."""
    return CaptureSettings(
        name=camera.name,
        url=camera.url,
        analysis_url=camera.analysis_url,
        transport=camera.transport,
        backend=camera.backend,
        hardware=camera.hardware,
        loop=camera.loop,
        pace=camera.pace,
        width=camera.width,
        fps=camera.fps or DEFAULT_FPS,
        ring_s=camera.pre_s + 15.0,
        privacy=tuple(tuple(polygon) for polygon in camera.privacy),
        slots=8,
        open_timeout_s=max(OPEN_S, camera.first_frame_s - START_S, camera.stall_s),
        read_timeout_s=max(SILENT_S, camera.stall_s + SILENT_MORE_S),
    )
