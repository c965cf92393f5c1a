"""The examples hold every key, show its default, and are accepted."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from monitor.config.loading import load_settings
from monitor.config.settings import (
    ApiSettings,
    CameraSettings,
    EngineSettings,
    NoticeSettings,
    RetentionSettings,
    Settings,
)

CONFIGS = Path(__file__).parents[3] / "configs"
EXAMPLE = CONFIGS / "example.toml"
CHOSEN = {"name", "url", "learn", "kind"}  # have no default, or one that watches nothing
SECTIONS: list[tuple[str, type[BaseModel]]] = [
    ("engine", EngineSettings),
    ("api", ApiSettings),
    ("retention", RetentionSettings),
    ("camera", CameraSettings),
    ("notice", NoticeSettings),
]


@pytest.mark.parametrize(("name", "model"), SECTIONS)
def test_every_key_is_shown_with_its_default(name: str, model: type[BaseModel]) -> None:
    data: dict[str, Any] = tomllib.loads(EXAMPLE.read_text())
    shown = data[name][0] if isinstance(data[name], list) else data[name]
    assert list(shown) == list(model.model_fields)  # in the same order, too
    for key, field in model.model_fields.items():
        if field.default is not PydanticUndefined and key not in CHOSEN:
            default = str(field.default) if isinstance(field.default, Path) else field.default
            assert shown[key] == default, key
            assert type(shown[key]) is type(default), key


def test_no_section_is_left_out() -> None:
    assert [name for name, _ in SECTIONS] == list(Settings.model_fields)


def test_every_key_is_explained() -> None:
    lines = EXAMPLE.read_text().splitlines()
    bare = [line for line in lines if re.match(r"[a-z_]+ = ", line) and "  #" not in line]
    said_by_their_name = {"enabled", "name", "days", "most_bytes", "least_free_bytes", "floor_s"}
    said_by_their_name |= {"longest_clip_s", "phases"}
    assert {line.split(" = ")[0] for line in bare} <= said_by_their_name


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_are_accepted(path: Path) -> None:
    assert load_settings(path).camera


def test_so_are_those_that_are_commented_out(tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text(re.sub(r"^#(?=\[|[a-z])", "", EXAMPLE.read_text(), flags=re.MULTILINE))
    settings = load_settings(more)
    assert [camera.name for camera in settings.camera] == ["door", "yard", "webcam"]
    kinds = [notice.kind for notice in settings.notice]
    assert kinds == ["log", "webhook", "mqtt", "apprise", "command"]


def test_no_example_holds_a_secret() -> None:
    for path in CONFIGS.rglob("*.*"):
        assert not re.search(r"://[^/\s]*:[^/\s]*@", path.read_text()), path
