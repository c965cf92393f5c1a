"""The documented install without torch: built by its own lines, weighed, and used."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.monitor.runtimes.conftest import World

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "configs" / "deploy" / "edge-requirements.txt"
MOST_BYTES = 600e6


def documented() -> list[list[str]]:
    """The commands in the head of the file of requirements, of this checkout."""
    lines = [line[4:] for line in REQUIREMENTS.read_text().splitlines() if line[:4] == "#   "]
    here = str(REQUIREMENTS.relative_to(ROOT))
    place = {".": str(ROOT), here: str(REQUIREMENTS), "python": sys.executable}
    return [[place.get(word, word) for word in shlex.split(line)] for line in lines]


def weight(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.slow
def test_it_is_small_and_scores_and_watches(world: World, tmp_path: Path) -> None:
    if subprocess.run([sys.executable, "-m", "pip", "--version"], check=False).returncode:
        pytest.skip("there is no pip here to build it with")
    for words in documented():
        subprocess.run(words, check=True, cwd=tmp_path, capture_output=True)
    edge = tmp_path / "edge"
    assert weight(edge) < MOST_BYTES

    def oddwatch(*words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [edge / "bin" / "oddwatch", *map(str, words)],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        )

    missing = subprocess.run([edge / "bin" / "python", "-c", "import torch"], check=False)
    assert missing.returncode == 1
    told = oddwatch("score", world.onnx_file, world.data, "-o", "out", "--json").stdout
    assert json.loads(told)["auroc_causal"] is not None
    film = next((world.data / "testing" / "frames").iterdir())
    oddwatch("watch", film, "--model", world.onnx_file, "--headless", "-o", "watched")
    assert (tmp_path / "watched" / "events.db").exists()
