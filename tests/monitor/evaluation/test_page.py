import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from monitor.computed import Computed
from monitor.errors import StoreError
from monitor.evaluation.drawing import png
from monitor.evaluation.page import Picture, html_page, write_report
from monitor.evaluation.report import Report, RunFacts, video_report
from monitor.evaluation.results import VideoScores
from monitor.records import Alert

BY = frozenset({Computed("openvino", "int8", "cpu")})
VOID = {"meta", "img"}


class Reader(HTMLParser):
    """Checks that tags close in order and gathers texts and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def report(data: str = "UCSD Ped2", *, notes: tuple[str, ...] = ()) -> Report:
    facts = RunFacts(
        detector="frame_prediction", preset="lite", computed=BY, seed=0, seconds=1.0, fps=None,
        data=data, command="oddwatch score a.pt b -o c", threshold=0.5, notes=notes,
        versions={"torch": "2.9"}, false_alarms_per_day=1.0,
    )  # fmt: skip
    label = np.arange(40) >= 20
    score = label + np.random.default_rng(0).normal(0, 0.2, 40)
    videos = [VideoScores(n, np.arange(40), np.arange(40) / 10, score, label=label) for n in "ab"]
    return video_report(facts, videos)


def picture(name: str = "roc") -> Picture:
    return Picture(name, "What one <sees>.", png(Figure(figsize=(1, 1))))


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page.removeprefix("<!doctype html>"))
    assert not reader.open
    return reader


def test_the_page_is_whole_and_needs_nothing_beside_it() -> None:
    reader = read(html_page(report(), [picture()]))
    assert reader.addresses
    assert all(address.startswith("data:image/png;base64,") for address in reader.addresses)
    assert "<script" not in html_page(report())


def test_the_page_shows_figures_protocols_table_notes_and_command() -> None:
    shown = report(notes=("one camera was moved",))
    text = read(html_page(shown, [picture()])).text
    assert f"{shown.number('auroc_causal'):.3f}" in text
    assert "per-video min-max needs the whole video: not possible live" in text
    assert "flow_magnitude" in text
    assert "one camera was moved" in text
    assert "oddwatch score a.pt b -o c" in text
    assert "2.9" in text
    assert "What one <sees>." in text


def test_what_comes_from_outside_is_escaped() -> None:
    hostile = '<img src=x onerror="alert(1)">$title'
    page = html_page(report(hostile, notes=(hostile,)))
    assert "<img" not in page
    assert hostile in read(page).text


def test_the_page_says_what_computed_the_scores() -> None:
    text = read(html_page(report())).text
    assert "devicecpuruntimeopenvinonumeric_precisionint8seed0" in "".join(text.split())


def test_a_page_without_labels_says_so() -> None:
    facts = RunFacts(detector="d", preset="p", computed=BY, seed=None, seconds=1.0, fps=None)
    bare = VideoScores("a", np.arange(3), np.arange(3.0), np.zeros(3))
    text = read(html_page(video_report(facts, [bare]))).text
    assert "There are no figures of accuracy; the notes say why." in text
    assert not any(name in text for name in ("Figures", "AUROC", "Rules and baselines", "clock"))
    assert "pixel" not in text


def test_the_page_shows_the_first_alerts_and_only_columns_that_say_something() -> None:
    facts = RunFacts(detector="d", preset="p", computed=BY, seed=None, seconds=1.0, fps=None)
    videos = [VideoScores(n, np.arange(30), np.arange(30.0), np.zeros(30)) for n in "ab"]
    alert = Alert("01HAAA", "a", "end", 3, 2.0, 8.5, 4.25, 18.94, 0.004, "<motion>")
    few = read(html_page(video_report(facts, videos, alerts={"a": [alert], "b": []}))).text
    assert "1 alert in 60 s of footage. There are no figures of accuracy" in few
    assert "Alertsfrom, sto, shighest at, shighest scoreits p-valuewhat spokea2.08.54.2" in few
    assert "a2.08.54.218.90.004<motion>" in few
    assert "cut short by" not in few
    many = read(html_page(video_report(facts, videos, alerts={"b": [alert] * 130}))).text
    assert "130 alerts in 60 s of footage." in many
    assert "AlertsThe first 100 of 130; alerts.csv has the others." in many
    assert many.count("<motion>") == 100
    none = read(html_page(video_report(facts, videos, alerts={"a": [], "b": []}))).text
    assert "No alert in 60 s of footage. There are no figures of accuracy" in none
    assert "Alerts" not in none
    assert "alert" not in read(html_page(video_report(facts, videos))).text


def test_the_files_are_written(tmp_path: Path) -> None:
    shown = report()
    write_report(tmp_path, shown, [picture()])
    assert {p.name for p in tmp_path.iterdir()} == {"report.json", "report.html", "roc.png"}
    assert (tmp_path / "report.json").read_text(encoding="utf-8") == shown.json()
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_full_disk_leaves_the_earlier_result_whole_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(tmp_path, report(), [picture()], tables={"scores.csv": "old", "terms.csv": "old"})
    before, room = contents(tmp_path), 3

    def full(_descriptor: int) -> None:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left .*; what was there before is unchanged$"):
        write_report(tmp_path, report(), [picture()], tables={"scores.csv": "new", "terms.csv": ""})
    assert contents(tmp_path) == before


def test_what_only_the_earlier_result_had_is_removed_and_nothing_else(tmp_path: Path) -> None:
    shown, old = report(), Picture("score_old", "", picture().png + b"old")
    write_report(tmp_path, shown, [picture(), old], tables={"scores.csv": "", "terms.csv": ""})
    (tmp_path / "mine.png").write_bytes(b"of the user")
    (tmp_path / "score_mine.png").write_bytes(old.png[:-3] + b"own")  # as long, and none of ours
    write_report(tmp_path, shown, [picture()], tables={"scores.csv": ""})
    kept = {"report.json", "report.html", "roc.png", "mine.png", "score_mine.png", "scores.csv"}
    assert set(contents(tmp_path)) == kept
