import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.metrics import f1_score

import monitor.stills.comparing
from models import registry
from monitor.cli.compare import grid_of
from monitor.errors import UsageError
from monitor.evaluation.metrics import auroc, auroc_interval
from monitor.stills import comparison_files
from monitor.stills.comparing import Done, Plan
from monitor.stills.comparison import COLUMNS, Row, mean_interval, read_run, table_of
from monitor.stills.model import load_still_model
from monitor.stills.scored import score_stills
from tests.monitor.cli.calling import Answer, call
from tests.monitor.stills.spots import Spots, write_plate, write_set

Capsys = pytest.CaptureFixture[str]
COMPARE = ("compare", "set", "--detectors", "spots", "--steps", 8, "-o", "out")


@pytest.fixture(autouse=True)
def plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is drawn, which takes most of the time, but where that is looked at."""
    if request.node.get_closest_marker("parametrize") or "drawn" not in request.node.name:
        scored = partial(score_stills, pictures=False)
        monkeypatch.setattr(monitor.stills.comparing, "score_stills", scored)
        monkeypatch.setattr(comparison_files, "_pictures", lambda _runs, _data, _said: iter(()))


@pytest.fixture(autouse=True)
def spots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A set of plates, and a detector of spots in the table."""
    monkeypatch.setitem(registry.DETECTORS, "spots", Spots)
    monkeypatch.setattr(Spots, "interrupt_at", -1)
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path / "set")


def f1_of(folder: str) -> float:
    """By scikit-learn, from what the run wrote down."""
    with (Path(folder) / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    truth = [row["label"] == "1" for row in rows]
    return float(f1_score(truth, [row["verdict"] == "defective" for row in rows]))


def picture(path: Path) -> tuple[int, int]:
    image = cv2.imread(str(path))
    assert image is not None
    assert image.std() > 1
    return image.shape[0], image.shape[1]


def test_a_comparison_is_trained_scored_drawn_and_not_made_again(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        monitor.stills.comparing,
        "score_stills",
        partial(score_stills, pictures=False),
    )
    words = (*COMPARE, "--seeds", "0,1", "--grid", "blind=0,0.5", "lr=1")
    answer = call(capsys, *words)
    assert answer.status == 0
    heads, first, second, *rest = answer.out.splitlines()
    assert heads.split() == [
        *("detector", "seeds", "AUROC", "95", "%", "AP", "F1", "pixel", "AUROC", "AUPRO"),
        *("minutes", "parameters", "ms/picture"),
    ]
    assert {" ".join(line.split()[:3]) for line in (first, second)} == {
        "spots blind=0.0 learning_rate=1.0",
        "spots blind=0.5 learning_rate=1.0",
    }
    assert "1.000 (1.000-1.000)" in first
    assert rest[-1] == "written to out: open out/compare.html"
    for name in ("roc_pr_sheet", "histograms_sheet", "boxes_sheet", "contact_sheet"):
        picture(Path("out") / f"{name}.png")
    page = Path("out/compare.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "spots blind=0.5 learning_rate=1.0" in page
    with Path("out/compare.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["seeds"] for row in rows] == ["0 1", "0 1"]
    assert rows[0]["auroc"] == rows[0]["auroc_least"] == rows[0]["auroc_most"] == "1.0"
    plain = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    assert len(plain["runs"]) == 4
    best = plain["rows"][0]
    own = [run for run in plain["runs"] if run["detector"] == best["detector"]]
    assert best["figures"]["f1"] == pytest.approx(np.mean([f1_of(run["folder"]) for run in own]))
    assert plain["rows"][0]["figures"]["pixel_auroc"] > 0.99
    assert plain["terms"]["steps"] == 8

    before = {path: path.stat().st_mtime_ns for path in Path("out/runs").rglob("*.*")}
    again = call(capsys, *words, "--json")
    assert again.err.count("done before, in out/runs/spots") == 4
    assert json.loads(again.out) == plain | {"command": json.loads(again.out)["command"]}
    assert {path: path.stat().st_mtime_ns for path in Path("out/runs").rglob("*.*")} == before


def test_a_detector_that_fails_does_not_lose_the_others(capsys: Capsys) -> None:
    answer = call(capsys, *COMPARE, "--grid", "blind=1,0")
    assert answer.status == 1
    assert "spots blind=1.0 failed: spots sees nothing with blind=1" in answer.err
    lines = answer.out.splitlines()
    assert lines[1].startswith("spots blind=0.0")
    assert lines[2] == "spots blind=1.0: failed: spots sees nothing with blind=1"
    plain = json.loads(Path("out/compare.json").read_text(encoding="utf-8"))
    assert [row["error"] for row in plain["rows"]] == [None, "spots sees nothing with blind=1"]
    assert "spots sees nothing" in Path("out/compare.html").read_text(encoding="utf-8")
    assert call(capsys, *COMPARE, "--grid", "blind=1", "-o", "alone").status == 1


def test_what_ctrl_c_ended_goes_on_with_what_is_left_of_the_budget(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spots, "interrupt_at", 5)
    answer = call(capsys, *COMPARE, "--seeds", "0,1")
    assert answer.status == 130
    said = "oddwatch: what was learned is kept; to go on: oddwatch compare "
    assert said in answer.err
    assert "--seeds 0,1" in answer.err
    unfinished = Path("out/runs/spots/seed-0/model.pt.training")
    assert load_still_model(unfinished).provenance["steps"] == 5
    assert not unfinished.with_name("model.pt").exists()
    monkeypatch.setattr(Spots, "interrupt_at", -1)
    assert call(capsys, *COMPARE, "--seeds", "0,1").status == 0
    for seed in (0, 1):
        model = load_still_model(Path(f"out/runs/spots/seed-{seed}/model.pt"))
        assert model.provenance["steps"] == 8
    assert not unfinished.exists()


def test_ctrl_c_while_scoring_keeps_the_trained_model(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_args: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(monitor.stills.comparing, "score_stills", press)
        assert call(capsys, *COMPARE).status == 130
    trained = Path("out/runs/spots/seed-0/model.pt")
    before = trained.stat().st_mtime_ns
    assert call(capsys, *COMPARE).status == 0
    assert trained.stat().st_mtime_ns == before


def test_runs_of_other_pictures_are_not_mixed(capsys: Capsys) -> None:
    assert call(capsys, *COMPARE).status == 0
    good = Path("set/test/good")
    spare = next(iter(good.iterdir()))
    content = spare.read_bytes()
    for change in (spare.unlink, partial(spare.write_bytes, content + b"more")):
        change()
        answer = call(capsys, *COMPARE, "--seeds", "0,1")
        assert (answer.status, answer.err.count("\n")) == (2, 1)
        assert "out holds runs with pictures " in answer.err
        assert not Path("out/runs/spots/seed-1").exists()
    spare.write_bytes(content)
    assert "done before" in call(capsys, *COMPARE).err


def test_runs_of_before_pictures_were_noted_are_not_mixed(capsys: Capsys) -> None:
    call(capsys, *COMPARE)
    place = Path("out/runs/spots/seed-0/run.json")
    plain = json.loads(place.read_text(encoding="utf-8"))
    del plain["terms"]["pictures"]
    place.write_text(json.dumps(plain), encoding="utf-8")
    answer = call(capsys, *COMPARE)
    assert answer.status == 2
    assert "out holds runs with pictures that were not noted, now it is " in answer.err


def test_runs_under_other_terms_are_not_mixed(capsys: Capsys) -> None:
    call(capsys, *COMPARE)
    answer = call(capsys, "compare", "set", "--detectors", "spots", "--steps", 9, "-o", "out")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "out holds runs with steps 8, now it is 9: these would not compare" in answer.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("set",), 2, "--detectors: expected names, such as "),
        (("set", "--detectors", "spotz"), 2, "did you mean 'spots'?"),
        (("set", "--detectors", "fusion"), 2, "fusion watches video; expected still-image"),
        (("set", "--detectors", "spots", "--seeds", "one"), 2, "--seeds 'one': expected whole"),
        (("set", "--detectors", "spots", "--steps", "0"), 2, "--steps 0: expected a whole number"),
        (("set", "other", "--detectors", "spots"), 2, "other: expected one DATA"),
        (
            ("set", "--detectors", "spots", "--grid", "blind=much"),
            2,
            "expected a number, got 'much'",
        ),
        (("set", "--detectors", "spots", "--preset", "big"), 2, "spots has no preset 'big'"),
        (("set", "--detectors", "spots", "--mask", "m.png"), 2, "--mask goes with --epochs only"),
        (("nowhere", "--detectors", "spots"), 1, "nowhere"),
        (("--epochs", "no.png"), 1, "no.png: expected a picture, found nothing there"),
        (("--epochs", "a.png", "--steps", "0"), 2, "--steps 0: expected a whole number over 0"),
        (("--epochs", "a.png", "--steps", "-1"), 2, "--steps -1: expected a whole number over 0"),
        (("--epochs", "a.png", "--seeds", "1"), 2, "--seeds does not go with --epochs"),
        (("--epochs", "a.png", "--device", "cpu"), 2, "--device does not go with --epochs"),
        (("set", "--detectors", "spots", "--seeds=-1"), 2, "--seeds '-1': expected whole numbers"),
        (("set", "--epochs", "a.png"), 2, "--epochs looks at one picture alone; leave set out"),
    ],
)
def test_wrong_use_is_one_line(
    capsys: Capsys, words: tuple[str, ...], status: int, said: str
) -> None:
    answer = call(capsys, "compare", *words, "-o", "out")
    assert (answer.status, answer.err.count("\n")) == (status, 1)
    assert said in answer.err


def test_a_folder_that_cannot_be_written_is_said_before_the_first_run(capsys: Capsys) -> None:
    Path("out").write_text("a file")
    answer = call(capsys, *COMPARE)
    assert (answer.status, answer.err.count("\n")) == (1, 1)
    assert "out: expected a folder, found a file" in answer.err


def test_a_grid_has_all_combinations_of_what_concerns_a_detector() -> None:
    found = grid_of("spots", "lite", ["size=32,16x48", "lr=0.5,1", "latent=4"])
    assert found == [
        {"size": size, "learning_rate": rate} for size in ((32, 32), (16, 48)) for rate in (0.5, 1)
    ]
    assert grid_of("spots", "lite", []) == [{}]
    with pytest.raises(UsageError, match="expected a number, got 'fast'"):
        grid_of("spots", "lite", ["lr=fast"])


def test_figures_agree_with_the_scores_and_the_interval_with_that_of_one_run(
    capsys: Capsys,
) -> None:
    call(capsys, *COMPARE)
    run = read_run(Done(Plan("spots"), Path("out/runs/spots/seed-0")))
    assert run.labels is not None
    assert run.figures["auroc"] == auroc(run.labels, run.scores)
    rng = np.random.default_rng(3)
    noisy = run.labels + rng.normal(0, 1, len(run.labels))
    shuffled = replace(run, scores=noisy)
    one, twice = mean_interval([shuffled]), mean_interval([shuffled, shuffled])
    assert one is not None
    assert one == twice
    each = [np.array([label]) for label in run.labels], [np.array([s]) for s in noisy]
    known = auroc_interval(*each)
    assert (one.low, one.high) == pytest.approx((known.low, known.high), abs=0.05)


def test_what_has_no_network_has_no_parameters_in_the_table() -> None:
    figures = dict.fromkeys(COLUMNS, 1.0)
    rows = [Row("svdd", (0,), figures | {"parameters": 0.0}), Row("cae", (0,), figures)]
    heads, cells = table_of(rows)
    assert [line[heads.index("parameters")] for line in cells] == ["-", "1"]


def test_the_founding_experiment_is_drawn(capsys: Capsys, tmp_path: Path) -> None:
    write_plate(tmp_path / "plate.png", spot=True)
    mask = tmp_path / "set" / "ground_truth" / "spot" / "000_mask.png"
    words = ("compare", "--epochs", "plate.png", "--mask", mask, "--steps", 12, "-o", "out")
    answer: Answer = call(capsys, *words)
    assert answer.status == 0
    assert answer.out.count(" outside the defect after ") == 2
    height, width = picture(tmp_path / "out" / "plate-epochs.png")
    assert width > height / 2
