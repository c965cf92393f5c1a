"""What is left of the demo beside its scene: the configuration that its end shows live."""

from pathlib import Path

from monitor.cli.demo import live_config
from monitor.config.loading import load_settings


def test_the_scene_can_be_watched_live_from_a_folder_with_any_name(tmp_path: Path) -> None:
    out = tmp_path / 'it"s a \\ folder'
    out.mkdir()
    settings = load_settings(live_config(out / "watch.mp4", out))
    (camera,) = settings.camera
    assert camera.url == str(out / "watch.mp4")
    assert camera.loop
    assert settings.engine.folder == out / "live"
