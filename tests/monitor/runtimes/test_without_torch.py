"""score, watch, inspect and calibrate on exported models where torch cannot be imported."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.datasets import open_data
from monitor.model import load_model
from monitor.pipeline import calibrate_model
from monitor.runtimes import Exported, read_export, with_calibration, write_export
from monitor.stills.model import load_still_model
from monitor.stills.threshold import calibrate_scores
from tests.monitor.footage import write_set
from tests.monitor.runtimes.conftest import World
from tests.monitor.stills.sets import pictures

FORBIDDING = """
import sys

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "kornia"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name.split(".")[0])

sys.meta_path.insert(0, Forbidden())
from monitor.cli import main
main(sys.argv[1:])
"""


def oddwatch(*words: object, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FORBIDDING, *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.slow
def test_score_gives_what_it_gives_with_torch(world: World, tmp_path: Path) -> None:
    answer = oddwatch(
        "score", world.onnx_file, world.data, "-o", tmp_path / "out", "--json", cache=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert report["detector"] == "frame_prediction"
    assert "torch" not in report["versions"]
    assert report["auroc_micro"] is not None
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    rows = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert len(rows) > 100


def test_watch_watches(world: World, tmp_path: Path) -> None:
    film = next((world.data / "testing" / "frames").iterdir())
    words = ("--model", world.onnx_file, "--headless", "-o", tmp_path / "out", "--json")
    answer = oddwatch("watch", film, *words, "--runtime", "onnxruntime", cache=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert '"readings":' in answer.stdout.replace('" :', '":')


def test_calibrate_calibrates(world: World, tmp_path: Path) -> None:
    place = tmp_path / "door.oddwatch"
    bare = with_calibration(world.onnx, None, world.onnx.provenance)
    write_export(bare, place)
    data = write_set(tmp_path / "set", n_train=2, n_frames=200)
    answer = oddwatch("calibrate", place, data, "--json", cache=tmp_path)
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)["calibration"]
    expected = calibrate_model(load_model(world.onnx_file), open_data(data)).calibrated()
    found = load_model(place).calibrated()
    assert found.rule.enter == pytest.approx(expected.rule.enter, rel=1e-4)
    assert told["rule"]["enter"] == found.rule.enter


@pytest.fixture(scope="session")
def still_file(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge of pictures: the video graph of one frame would do, but for its length."""
    import torch

    from models.export import to_onnx
    from models.registry import build

    torch.manual_seed(0)
    detector = build("cae", widths=(4, 8), size=(32, 32))
    detector.fitted = True
    graph = to_onnx(detector)
    facts = replace(
        world.onnx.facts,
        detector="cae",
        kind="image",
        spec=detector.spec,
        terms=graph.terms,
        answers=None,  # of another graph
        calibration=calibrate_scores(np.linspace(0.1, 0.2, 40)).to_dict(),
        provenance={"map_usual": 0.1, "map_high": 0.2},
    )
    place = tmp_path_factory.mktemp("stills") / "plate.oddwatch"
    write_export(Exported(facts, (graph.content,)), place)
    return place


@pytest.mark.slow
def test_inspect_inspects(still_file: Path, tmp_path: Path) -> None:
    named = pictures(tmp_path / "snaps", 3)
    answer = oddwatch("inspect", still_file, *named, "-o", tmp_path / "o", "--json", cache=tmp_path)
    assert answer.returncode in (0, 3), answer.stderr
    lines = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [Path(line["path"]).name for line in lines[:3]] == ["000.png", "001.png", "002.png"]
    assert all(line["verdict"] in ("ok", "defective") for line in lines[:3])


def test_calibrate_calibrates_on_pictures(still_file: Path, tmp_path: Path) -> None:
    place, good = tmp_path / "plate.oddwatch", tmp_path / "good"
    pictures(good, 40)
    answer = oddwatch("calibrate", still_file, good, "-o", place, cache=tmp_path)
    assert answer.returncode == 0, answer.stderr
    before, after = load_still_model(still_file), load_still_model(place)
    assert after.calibrated().threshold != before.calibrated().threshold


@pytest.mark.slow
def test_a_trained_model_says_what_is_missing(world: World, tmp_path: Path) -> None:
    answer = oddwatch("score", world.trained, world.data, "-o", tmp_path / "out", cache=tmp_path)
    assert answer.returncode == 2
    assert "torch is not installed here: expected a file of export" in answer.stderr
    assert answer.stderr.endswith("oddwatch export MODEL --to onnx\n")  # which any runtime takes
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["export", "bench", "train", "compare", "demo", "detectors"])
def test_what_needs_torch_says_so(command: str, world: World, tmp_path: Path) -> None:
    words: dict[str, tuple[object, ...]] = {
        "export": (world.trained, "--to", "onnx"),
        "train": ("frame_prediction", world.data, "-o", tmp_path / "x.pt"),
        "compare": (world.data, "-o", tmp_path / "out"),
    }
    answer = oddwatch(command, *words.get(command, ()), cache=tmp_path)
    assert answer.returncode == 2
    assert "torch is not installed here, and this command needs it: run it where" in answer.stderr
    assert "pip install" not in answer.stderr  # all of oddwatch is not for such a machine
    assert answer.stderr.count("\n") == 1


def test_a_configuration_of_exported_models_can_be_checked(world: World, tmp_path: Path) -> None:
    config = tmp_path / "watch.toml"
    door = f'[[camera]]\nname = "door"\nurl = "rtsp://192.0.2.1/"\nmodel = "{world.onnx_file}"\n'
    config.write_text(door)
    answer = oddwatch("check", config, cache=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    gate = '[[camera]]\nname = "gate"\nurl = "rtsp://192.0.2.1/"\nlearn = "15 min"\n'
    config.write_text(door + gate)
    answer = oddwatch("check", config, cache=tmp_path)
    assert answer.returncode == 1
    assert 'camera "gate": learn: torch is not installed here' in answer.stdout


def test_the_file_is_found_again_by_its_content_not_its_name(world: World, tmp_path: Path) -> None:
    renamed = tmp_path / "door.pt"
    renamed.write_bytes(world.onnx_file.read_bytes())
    assert read_export(renamed) is not None
    assert isinstance(load_model(renamed).detector, Exported)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_runtime_tells_nobody_that_it_is_used(world: World, tmp_path: Path, runtime: str) -> None:
    """Both would leave an identity in the home folder, and start what sends."""
    program = (
        "import sys; from pathlib import Path; from monitor.model import load_model;"
        "from monitor.runtimes.choosing import make_runtime;"
        f"make_runtime(load_model(Path({str(world.onnx_file)!r})).detector, {runtime!r});"
        f"print({runtime!r} in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    hiding = ("XDG_CACHE_HOME", "ORT_DISABLE_TELEMETRY")
    kept = {name: value for name, value in os.environ.items() if name not in hiding}
    home = tmp_path / "home"
    home.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env=kept | {"HOME": str(home)},
        cwd=Path(__file__).parents[3],
    )
    assert ran.stdout.split() == ["True", "False"]
    assert list(home.iterdir()) == []
