"""Configuration files for tests."""

from pathlib import Path

ONE = '[[camera]]\nname = "door"\nurl = "rtsp://192.0.2.1/a"\n'


def write(folder: Path, text: str, name: str = "watch.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
