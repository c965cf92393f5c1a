"""The house's own promises: both packages are ours, and the README names what there is."""

import re
from pathlib import Path

import models
import monitor
from models.registry import DETECTORS
from monitor.datasets import LAYOUTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_both_packages_are_this_project_s() -> None:
    assert Path(models.__file__ or "").parents[1] == Path(monitor.__file__ or "").parents[1]


def test_the_readme_names_every_detector_and_layout() -> None:
    named = set(re.findall(r"`(\w+)`", README))
    assert set(DETECTORS) <= named
    assert set(LAYOUTS) <= named


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_no_source_file_is_longer_than_can_be_read_at_once() -> None:
    for package in ("models", "monitor"):
        for file in (ROOT / package).rglob("*.py"):
            assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file
