"""What `oddwatch cluster up` is told: a small file beside the ordinary configuration."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from monitor.cluster.placement import Demand
from monitor.config.lines import lines_of
from monitor.config.loading import load_settings
from monitor.config.problems import ConfigError, config_error, problems_of
from monitor.config.settings import CameraSettings, Folder, Hidden, Name, Seconds, Settings, Strict


class NodeSettings(Strict):
    """What is known of one node beforehand."""

    name: Name  # its Ray label `oddwatch-node`, or its host name
    capacity: Annotated[float, Field(ge=0)] = 0.0  # scored frames per second; 0: measured there
    tags: tuple[str, ...] = Field(
        default=(), strict=False
    )  # such as site:north; each Ray label key=value is one, key:value, too


class ClusterSettings(Strict):
    """A fleet. Paths and references to files are those of the nodes, but for `config`."""

    config: Folder  # the ordinary configuration, with all cameras
    folder: Folder = Path("/var/lib/oddwatch-node")  # on each node; its own lies below
    store: Hidden = ""  # the shared database, env:NAME or file:PATH as seen by the nodes
    capacity: Annotated[float, Field(ge=0)] = 0.0  # of nodes that are not listed; 0: measured
    lost_s: Annotated[float, Field(ge=4)] = 10.0  # without a report
    settle_s: Seconds = 60.0
    node: tuple[NodeSettings, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [node.name for node in self.node]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two nodes are named {twice[0]!r}: name each once")
        return self


@dataclass(frozen=True, slots=True)
class Book:
    """What nodes work by: all cameras, and the models' contents; no secrets but references."""

    digest: str
    settings: Settings
    cluster: ClusterSettings
    models: Mapping[str, bytes]  # by the path in the settings
    engine: tuple[str, ...] = ()  # instead of `oddwatch watch --headless`, for measurements

    def demands(self) -> list[Demand]:
        """The cameras that are to be watched."""
        return [demand_of(camera) for camera in self.settings.camera if camera.enabled]


def demand_of(camera: CameraSettings) -> Demand:
    """What a camera asks of a node; tags with a colon, such as site:north, are demands."""
    needs = frozenset(tag for tag in camera.tags if ":" in tag)
    return Demand(camera.name, round(camera.score_fps * 1000), camera.priority, needs)


def load_book(path: Path, engine: Iterable[str] = ()) -> Book:
    """Read both files and the models.

    Raises:
        ConfigError: With one line for each thing that is wrong.
    """
    cluster, settings = load_fleet(path)
    models: dict[str, bytes] = {}
    for camera in settings.camera:
        if camera.model and camera.model not in models and not engine:
            try:
                models[camera.model] = Path(camera.model).read_bytes()
            except OSError as error:
                raise ConfigError(
                    [f"camera {camera.name!r}: model {camera.model}: {error.strerror or error}"]
                ) from None
    facts = [settings.model_dump_json(), cluster.model_dump_json()]
    facts += [hashlib.sha256(content).hexdigest() for content in models.values()]
    digest = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]
    return Book(digest, settings, cluster, models, tuple(engine))


def load_fleet(path: Path) -> tuple[ClusterSettings, Settings]:
    """Both files; no models, no secrets.

    Raises:
        ConfigError: With one line for each thing that is wrong.
    """
    cluster = _load_cluster(path)
    return cluster, load_settings(cluster.config)


def _load_cluster(path: Path) -> ClusterSettings:
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: this is not TOML: {error}"]) from None
    try:
        found = ClusterSettings.model_validate(data)
    except ValidationError as error:
        problems = problems_of(error, ClusterSettings)
        raise config_error(path, problems, data, lines_of(text)) from None
    config = path.absolute().parent / found.config.expanduser()
    return found.model_copy(update={"config": config})


def node_toml(book: Book, cameras: Iterable[str], folder: Path) -> str:
    """The configuration of one node's engine: its own cameras, its own folder and store."""
    wanted = set(cameras)
    models = {path: str(folder / "models" / name) for path, name in model_names(book).items()}
    own = [
        camera.model_copy(update={"model": models.get(camera.model, camera.model)})
        for camera in book.settings.camera
        if camera.name in wanted
    ]
    engine = book.settings.engine.model_copy(update={"folder": folder / "out", "store": ""})
    api = book.settings.api.model_copy(update={"enabled": True, "port": 0})
    settings = book.settings.model_copy(update={"camera": own, "engine": engine, "api": api})
    return to_toml(settings.model_dump(exclude_defaults=True))


def model_names(book: Book) -> dict[str, str]:
    """Path in the configuration to file name on a node; another content has another name."""
    return {
        path: hashlib.sha256(content).hexdigest()[:16] + Path(path).suffix
        for path, content in book.models.items()
    }


def to_toml(sections: Mapping[str, Any]) -> str:
    """Sections of plain values, and lists of sections; nothing deeper, as settings are."""
    parts = []
    for name, found in sections.items():
        for head, values in (
            [(f"[[{name}]]", one) for one in found]
            if isinstance(found, list)
            else [(f"[{name}]", found)]
        ):
            lines = [f"{key} = {_plain(value)}" for key, value in values.items()]
            parts.append("\n".join([head, *lines]))
    return "\n\n".join(parts) + "\n"


def _plain(value: object) -> str:
    """JSON's numbers, truths and lists are TOML's, its texts without pairs of surrogates too."""
    return json.dumps(value, default=str, ensure_ascii=False).replace("\x7f", "\\u007f")
