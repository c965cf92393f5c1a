"""The documented install without torch: built by its own lines, weighed, and used."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.stream import VideoStream

from tests.monitor.footage import HEIGHT, WIDTH, picture
from tests.monitor.runtimes.conftest import World

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "configs" / "deploy" / "edge-requirements.txt"
MOST_BYTES = 600e6
NOT_THERE = {  # but in a whole install
    "kornia",
    "matplotlib",  # plots alone
    "opencv-python",  # another of its wheels is
    "scikit-learn",
    "scipy",  # reads .mat files
    "torch",
    "torchvision",
}
START_S = 90.0  # for the engine to judge a first frame; 12 on two busy cores


def documented() -> list[list[str]]:
    """The commands in the head of the file of requirements, of this checkout."""
    lines = [line[4:] for line in REQUIREMENTS.read_text().splitlines() if line[:4] == "#   "]
    here = str(REQUIREMENTS.relative_to(ROOT))
    place = {".": str(ROOT), here: str(REQUIREMENTS), "python": sys.executable}
    return [[place.get(word, word) for word in shlex.split(line)] for line in lines]


def weight(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def test_its_list_is_the_project_s_own_but_for_what_torch_is_needed_for() -> None:
    listed = [line for line in REQUIREMENTS.read_text().splitlines() if line[:1] not in ("#", "")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split("[>=<]", line)[0]: line for line in project["dependencies"]}
    assert declared.keys() >= NOT_THERE
    expected = [line for name, line in declared.items() if name not in NOT_THERE]
    headless = declared["opencv-python"].replace("python", "python-headless")
    assert sorted(listed) == sorted([*expected, headless, "onnxruntime>=1.20"])
    assert "onnxruntime>=1.20" in project["optional-dependencies"]["edge"]


class Edge:
    """The install, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for words in documented():
            subprocess.run(words, check=True, cwd=folder, capture_output=True)
        self.place = folder / "edge"
        self.program = str(self.place / "bin" / "oddwatch")
        self.env = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
        self.env.pop("PYTHONPATH", None)  # packages of whoever tests

    def ask(self, *words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [self.program, *map(str, words)],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.env,
        )

    def oddwatch(self, *words: object) -> str:
        """What a command prints that does its work."""
        done = self.ask(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def engine(self, config: Path) -> Iterator[None]:
        """One that runs meanwhile, and ends well."""
        words = [self.program, "watch", str(config), "--headless"]
        engine = subprocess.Popen(words, cwd=self.folder, env=self.env)
        try:
            yield
            engine.terminate()
            assert engine.wait(30) == 0
        finally:
            engine.kill()
            engine.wait()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Edge:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], check=False).returncode:
        pytest.skip("there is no pip here to build it with")
    return Edge(tmp_path_factory.mktemp("install"))


def write_film(path: Path, n_frames: int) -> Path:
    """What the model learned from, as a video."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10, options={"qmin": "1", "qmax": "2"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(n_frames):
            image = picture(index, seed=0, wrong=False)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def configured(folder: Path, model: Path) -> Path:
    config = folder / "watch.toml"
    film = write_film(folder / "door.mp4", 600)
    config.write_text(
        f'[engine]\nfolder = "{folder / "run"}"\n[api]\nport = 0\n'
        f'[[camera]]\nname = "door"\nurl = "{film}"\nloop = true\nmodel = "{model}"\n'
    )
    return config


def judged(edge: Edge, folder: Path) -> dict[str, Any]:
    """The engine's one camera, once it has a score."""
    until_s, said = time.monotonic() + START_S, ""
    while time.monotonic() < until_s:
        told = edge.ask("status", folder, "--json")
        said = told.stdout + told.stderr
        if told.returncode in (0, 3):
            (camera,) = json.loads(told.stdout)["cameras"]
            if camera["state"] == "running" and camera["score"] is not None:
                return dict(camera)
        time.sleep(1)
    raise AssertionError(said)


@pytest.mark.slow
@pytest.mark.timeout(900)  # of which most is the network's
def test_it_is_small_and_scores_and_watches(edge: Edge, world: World) -> None:
    assert weight(edge.place) < MOST_BYTES
    for package in ("torch", "scipy"):
        missing = subprocess.run(
            [edge.place / "bin" / "python", "-c", f"import {package}"], check=False, env=edge.env
        )
        assert missing.returncode == 1
    told = edge.oddwatch("score", world.onnx_file, world.data, "-o", "out", "--json")
    assert json.loads(told)["auroc_causal"] is not None
    film = next((world.data / "testing" / "frames").iterdir())
    edge.oddwatch("watch", film, "--model", world.onnx_file, "--headless", "-o", "watched")
    assert (edge.folder / "watched" / "events.db").exists()
    told = edge.oddwatch("bench", "--model", world.onnx_file, "--rate", 2, "--json")
    assert "onnxruntime" in told
    edge.oddwatch("calibrate", world.onnx_file, world.data, "-o", edge.folder / "again.oddwatch")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_engine_runs_in_it(edge: Edge, world: World, tmp_path: Path) -> None:
    config = configured(tmp_path, world.onnx_file)
    assert "verdict   it can be watched\n" in edge.oddwatch("check", config, "--probe")
    folder = tmp_path / "run"
    with edge.engine(config):
        camera = judged(edge, folder)
        assert camera["detector"] == "frame_prediction"
    assert edge.ask("status", folder).returncode == 1  # it is stopped
    edge.oddwatch("events", "list", "--store", folder)
    edge.oddwatch("doctor", "--store", folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_it_lacks_is_said_in_a_line(edge: Edge, tmp_path: Path, world: World) -> None:
    said = edge.ask("train", "fusion", world.data, "-o", "x.pt")
    assert said.stderr.startswith("oddwatch: torch is not installed here, and this command needs")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    said = edge.ask("tui", "--web", "127.0.0.1:8738", tmp_path)
    assert said.stderr.endswith("not installed here: pip install textual-serve\n")
