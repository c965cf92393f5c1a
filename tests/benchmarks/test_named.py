"""Commands that documents name are there, and what is there is named."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "benchmarks" / "README.md"
RESULTS = ROOT / "docs" / "RESULTS.md"


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("document", [README, RESULTS], ids=lambda path: path.name)
def test_every_benchmark_that_a_document_names_is_there(document: Path) -> None:
    names = set(re.findall(r"-m (benchmarks[\w.]+)", document.read_text()))
    assert names
    assert names <= {module(path) for path in README.parent.rglob("*.py")}


def test_the_readme_names_every_benchmark() -> None:
    programs = [p for p in README.parent.rglob("*.py") if '"__main__"' in p.read_text()]
    text = README.read_text()
    assert programs
    assert not [p for p in programs if p.name not in text and f"-m {module(p)}" not in text]
