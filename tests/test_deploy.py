"""The examples in configs/deploy say what the program takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.cluster.settings import ClusterSettings, load_fleet

DEPLOY = Path(__file__).parents[1] / "configs" / "deploy"


def documents(name: str) -> list[Any]:
    yaml = pytest.importorskip("yaml")  # comes with Ray
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def test_the_fleets_example_is_every_key_with_its_default(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text("")
    (tmp_path / "fleet.toml").write_text((DEPLOY / "fleet.toml").read_text())
    cluster, _ = load_fleet(tmp_path / "fleet.toml")
    assert set(ClusterSettings.model_fields) == cluster.model_fields_set
    plain = ClusterSettings(config=cluster.config)
    assert cluster.model_copy(update={"node": (), "store": ""}) == plain


@pytest.mark.parametrize("name", ["compose-cluster.yaml", "compose.yaml"])
def test_secrets_and_volumes_of_services_are_declared(name: str) -> None:
    (told,) = documents(name)
    for service in told["services"].values():
        assert set(service.get("secrets", ())) <= told["secrets"].keys()
        named = {v.split(":")[0] for v in service.get("volumes", ()) if not v.startswith(".")}
        assert named <= told["volumes"].keys()
    assert all(set(secret) == {"file"} for secret in told["secrets"].values())


def commands() -> list[list[str]]:
    """Each `oddwatch` command that an example starts or tells of."""
    found = [
        shlex.split(line.split("#")[0])
        for file in DEPLOY.iterdir()
        for line in re.findall(r"oddwatch ((?:cluster|watch|tui|status) ?[a-z]*)", file.read_text())
    ]
    (compose,) = documents("compose-cluster.yaml")
    found.append(compose["services"]["api"]["command"])
    found.append(documents("kuberay.yaml")[1]["spec"]["template"]["spec"]["containers"][0]["args"])
    return found


def test_their_commands_exist() -> None:
    assert len(commands()) > 5
    for words in commands():
        named = [word for word in words[:2] if word.isalpha()]
        assert CliRunner().invoke(app, [*named, "--help"]).exit_code == 0, words
    help_of_api = CliRunner().invoke(app, ["cluster", "api", "--help"]).output
    assert "--folder" in help_of_api


def test_ray_takes_its_own_file() -> None:
    pytest.importorskip("ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    (told,) = documents("ray-cluster.yaml")
    validate_config(prepare_config(told))
