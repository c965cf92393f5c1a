import json
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.spec import ClipSpec
from monitor import cpu
from monitor.computed import Computed
from monitor.cpu import has_vnni
from monitor.errors import UsageError
from monitor.runtimes import Exported, Facts, choosing, computed_by, graphs
from monitor.runtimes.choosing import make_runtime
from monitor.runtimes.graphs import GraphError, Run, onnxruntime_run, openvino_run
from tests.monitor.hidden import hide

FACTS = Facts("any", "video", "lite", ClipSpec(2, 1, (4, 4), 1), "onnx", "fp32", (), 0)
MODEL = Exported(FACTS, (b"graph",))
ANSWERS = {"scores": [1.0, 1.0], "maps": [0.0, 0.0]}


class Fakes:
    """Runtimes of a stated time, without one they fail at a clip; says which were asked for."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.made, self.now = seconds, list[str](), 0.0
        self.broken: dict[str, Exception] = {}
        self.says: dict[str, float] = {}  # scores, where they are not 0

    def run_of(self, name: str) -> Callable[[Exported, int | None, int], Run]:
        def make(_exported: Exported, _threads: int | None, _lanes: int) -> Run:
            self.made.append(name)
            if name in self.broken:
                raise self.broken[name]

            def run(clips: Any) -> list[Any]:
                if name not in self.seconds:
                    raise RuntimeError("no memory")
                self.now += self.seconds[name]
                (batch,) = clips
                found = np.full(len(batch), self.says.get(name, 0.0))
                return [found, np.zeros((len(batch), 4, 4))]

            return run

        return make


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fakes:
    found = Fakes(openvino=0.2, onnxruntime=0.1)
    runs = {name: found.run_of(name) for name in ("openvino", "onnxruntime")}
    monkeypatch.setattr(choosing, "RUNS", runs)
    monkeypatch.setattr(choosing, "installed", lambda _facts: ["openvino", "onnxruntime"])
    monkeypatch.setattr(choosing, "version", lambda _name: "1.0")
    monkeypatch.setattr(choosing, "cache_file", lambda: tmp_path / "cache" / "runtimes.json")
    monkeypatch.setattr(choosing, "_TOLD", set())
    monkeypatch.setattr("time.perf_counter", lambda: found.now)
    return found


def test_auto_takes_the_faster_and_remembers(fakes: Fakes) -> None:
    assert make_runtime(MODEL).name == "onnxruntime"
    assert fakes.made == ["openvino", "onnxruntime", "onnxruntime"]
    fakes.made.clear()
    fakes.seconds["openvino"] = 0.01  # too late: it is remembered
    assert make_runtime(MODEL).name == "onnxruntime"
    assert fakes.made == ["onnxruntime"]


def test_a_choice_is_measured_again_after_a_day(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may have been busy when it was made."""
    now = [1e9]
    monkeypatch.setattr("time.time", lambda: now[0])
    make_runtime(MODEL)
    fakes.seconds["openvino"] = 0.01
    now[0] += choosing.HOLDS_S - 1
    assert make_runtime(MODEL).name == "onnxruntime"
    now[0] += 1
    assert make_runtime(MODEL).name == "openvino"
    fakes.seconds["onnxruntime"] = 0.001
    assert make_runtime(MODEL).name == "openvino"
    now[0] = 1e8  # a clock that was set back
    assert make_runtime(MODEL).name == "onnxruntime"


def test_a_choice_is_for_the_cores_that_a_process_may_use(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "cores", lambda: 2)
    assert make_runtime(MODEL).name == "onnxruntime"
    fakes.seconds["openvino"] = 0.01
    monkeypatch.setattr(choosing, "cores", lambda: 16)
    assert make_runtime(MODEL).name == "openvino"
    monkeypatch.setattr(choosing, "cores", lambda: 2)
    assert make_runtime(MODEL).name == "onnxruntime"


def test_the_choices_that_were_made_last_are_kept(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1e9]
    monkeypatch.setattr("time.time", lambda: now[0])
    monkeypatch.setattr(choosing, "REMEMBERED", 2)
    first, second = (Exported(FACTS, (graph,)) for graph in (b"1", b"2"))
    make_runtime(first)
    make_runtime(second)
    now[0] += choosing.HOLDS_S
    make_runtime(first)  # measured again: now it is the latest
    make_runtime(MODEL)
    fakes.made.clear()
    make_runtime(first)
    assert fakes.made == ["onnxruntime"]


def test_what_computed_is_what_was_made(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Exported(replace(FACTS, precision="bf16"), (b"graph",))
    assert computed_by(model) == frozenset()
    monkeypatch.setattr(graphs, "has_bf16", lambda: True)
    model.runtime()
    assert computed_by(model) == {Computed("onnxruntime", "bf16", "cpu")}
    fakes.broken["onnxruntime"] = GraphError("no")
    monkeypatch.setattr(graphs, "has_bf16", lambda: False)
    model.runtime(lanes=2)
    assert computed_by(model) == {
        Computed("onnxruntime", "bf16", "cpu"),
        Computed("openvino", "fp32", "cpu"),
    }


def test_another_graph_or_version_is_measured_anew(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runtime(MODEL)
    fakes.seconds["openvino"] = 0.01
    assert make_runtime(Exported(FACTS, (b"another",))).name == "openvino"
    monkeypatch.setattr(choosing, "version", lambda _name: "2.0")
    assert make_runtime(MODEL).name == "openvino"


@pytest.mark.parametrize("owners", [{"onnxruntime": ["onnxruntime-gpu", "onnxruntime-gpu"]}, {}])
def test_a_runtime_may_come_from_a_package_of_another_name(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, owners: dict[str, list[str]]
) -> None:
    there = {"openvino": "1.0", "onnxruntime-gpu": "1.0"}

    def version(name: str) -> str:
        if name not in there:
            raise PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(choosing, "version", version)
    monkeypatch.setattr(choosing, "packages_distributions", lambda: owners)
    assert make_runtime(MODEL).name == "onnxruntime"
    fakes.seconds["openvino"] = 0.01
    assert make_runtime(MODEL).name == "onnxruntime"
    there["onnxruntime-gpu"] = "2.0"
    assert make_runtime(MODEL).name == ("openvino" if owners else "onnxruntime")


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"a": "b", "c": ["d"], "e": [1, "f"]}', "[" * 100_000, '{"a":' * 100_000],
    ids=["cut", "list", "other", "deep list", "deep"],
)
def test_a_cache_that_is_broken_or_cannot_be_written_changes_nothing(
    fakes: Fakes, content: str
) -> None:
    place = choosing.cache_file()
    place.parent.write_text("a file where its folder should be")
    assert make_runtime(MODEL).name == "onnxruntime"
    place.parent.unlink()
    place.parent.mkdir()
    place.write_text(content)
    assert make_runtime(MODEL).name == "onnxruntime"
    fakes.made.clear()
    assert make_runtime(MODEL).name == "onnxruntime"
    assert fakes.made == ["onnxruntime"]  # remembered in place of it


def test_a_choice_of_no_time_that_is_one_is_made_again(fakes: Fakes) -> None:
    make_runtime(MODEL)
    place = choosing.cache_file()
    ((key, _),) = json.loads(place.read_text()).items()
    place.write_text(json.dumps({key: ["openvino", 10**400]}))
    assert make_runtime(MODEL).name == "onnxruntime"
    assert json.loads(place.read_text())[key][0] == "onnxruntime"


def test_one_that_is_broken_is_passed_over_with_one_line(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.broken["onnxruntime"] = UsageError("onnxruntime is installed but cannot be imported: so")
    assert make_runtime(MODEL).name == "openvino"
    assert make_runtime(MODEL, lanes=2).name == "openvino"
    assert len(caplog.records) == 1
    assert "cannot be imported: so (any is computed by another runtime)" in caplog.text
    fakes.broken.clear()
    assert make_runtime(MODEL).name == "onnxruntime"  # the choice without it was not remembered


def test_one_that_fails_at_a_clip_is_passed_over(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    del fakes.seconds["onnxruntime"]
    assert make_runtime(MODEL).name == "openvino"
    assert "onnxruntime failed at a clip: no memory" in caplog.text


def test_one_that_broke_since_it_was_remembered_is_passed_over(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    assert make_runtime(MODEL).name == "onnxruntime"
    fakes.broken["onnxruntime"] = GraphError("onnxruntime does not take this export: why")
    assert make_runtime(MODEL).name == "openvino"
    assert "onnxruntime does not take this export: why" in caplog.text
    caplog.clear()
    fakes.broken["openvino"] = GraphError("openvino: neither")
    with pytest.raises(GraphError, match=r"export: why; openvino: neither$"):
        make_runtime(MODEL)
    assert caplog.text == ""  # nothing is computed by another


def test_one_that_answers_otherwise_than_where_it_was_exported_is_passed_over(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    exported = Exported(replace(FACTS, answers=ANSWERS), (b"graph",))
    fakes.says = {"openvino": 0.999, "onnxruntime": 1.1}
    assert make_runtime(exported).name == "openvino"
    assert "onnxruntime computes any wrongly on this machine" in caplog.text
    assert "differ by 0.1 of what they were where it was exported" in caplog.text
    with pytest.raises(GraphError, match="onnxruntime computes any wrongly"):
        make_runtime(exported, "onnxruntime")
    fakes.says = {"onnxruntime": float("nan")}
    with pytest.raises(GraphError, match=r"^openvino computes .*; onnxruntime computes"):
        make_runtime(exported)


def test_where_all_are_broken_each_is_named(fakes: Fakes) -> None:
    fakes.broken = {"openvino": GraphError("openvino: one"), "onnxruntime": UsageError("o: other")}
    with pytest.raises(GraphError, match=r"^openvino: one; o: other$"):
        make_runtime(MODEL)
    with pytest.raises(UsageError, match=r"^o: other$"):
        make_runtime(MODEL, "onnxruntime")


@pytest.mark.parametrize(
    ("name", "run"), [("openvino", openvino_run), ("onnxruntime", onnxruntime_run)]
)
def test_one_that_cannot_be_imported_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, run: Callable[[Exported], Run]
) -> None:
    reason = "libfoo.so.1: cannot open shared object file"
    (tmp_path / f"{name}.py").write_text(f"raise ImportError({reason!r})")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError, match=f"^{name} is installed but cannot be imported: {reason}"):
        run(MODEL)


def test_one_that_is_asked_for_is_taken(fakes: Fakes) -> None:
    assert make_runtime(MODEL, "openvino").name == "openvino"
    assert fakes.made == ["openvino"]


@pytest.mark.parametrize("torch", [True, False])
def test_none_installed_says_how_to_install_it_and_not_torch(
    monkeypatch: pytest.MonkeyPatch, *, torch: bool
) -> None:
    if not torch:
        hide(monkeypatch, "torch")
    one, other = (
        r"'oddwatch\[edge\]'$" if torch else f"{name}$" for name in ("onnxruntime", "openvino")
    )
    monkeypatch.setattr(choosing, "installed", lambda _facts: [])
    said = "exported to onnx needs openvino or onnxruntime, not installed here: pip install "
    with pytest.raises(UsageError, match=said + one):
        make_runtime(MODEL)
    own = Exported(replace(FACTS, graph="openvino"), (b"graph", b"weights"))
    with pytest.raises(UsageError, match=f"needs openvino, .*: pip install {other}"):
        make_runtime(own)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UsageError, match=f"needs openvino, not .*: pip install {other}"):
        openvino_run(MODEL)


@pytest.mark.parametrize(("quota", "most"), [("150000 100000", 2), ("50000 100000", 1)])
def test_cores_are_those_of_the_containers_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, most: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(64)))
    monkeypatch.setattr(cpu, "QUOTA", tmp_path / "cpu.max")
    assert cpu.cores() == 64
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu.cores() == 64
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert cpu.cores() == most


def test_int8_without_vnni_is_warned_of(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small = Exported(replace(FACTS, precision="int8", answers=ANSWERS), (b"graph",))
    fakes.says = {"openvino": 1.0}
    monkeypatch.setattr("monitor.cpu._cpuinfo", lambda key: {"flags": "sse avx2"}.get(key, "Old"))
    make_runtime(replace(small, facts=replace(small.facts, answers=None)), "openvino")
    assert caplog.text == ""  # it is being made
    make_runtime(small, "openvino")
    make_runtime(small, "openvino", lanes=2)
    assert len(caplog.records) == 1
    assert (
        "this CPU (Old) has no VNNI: int8 gains less here, if anything; to compare" in caplog.text
    )
    assert "run oddwatch bench --model with the model that it was exported from" in caplog.text
    caplog.clear()
    measured = {"int8": {"measured": {"ms": 3.8, "fp32_ms": 10.1, "vnni": True}}}
    make_runtime(replace(small, facts=replace(small.facts, report=measured)), "openvino")
    where = "(on the machine where it was exported a clip took 3.8 ms, in fp32 10.1); to compare"
    assert where in caplog.text
    for report in ({"int8": 3}, {"int8": {"measured": {"ms": "3"}}}):
        make_runtime(replace(small, facts=replace(small.facts, report=report)), "openvino")
    caplog.clear()
    measured["int8"]["measured"]["vnni"] = False  # and faster for all that: so it is here
    make_runtime(replace(small, facts=replace(small.facts, report=measured)), "openvino")
    make_runtime(MODEL, "openvino")
    monkeypatch.setattr("monitor.cpu._cpuinfo", lambda key: {"flags": "avx512_vnni"}.get(key, ""))
    make_runtime(small, "openvino")
    assert caplog.text == ""


def test_where_nothing_is_known_of_the_cpu_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_cpuinfo", lambda _key: "")
    assert has_vnni() is None
