"""A comparison on workers of a real Ray on this machine: the same results as alone."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from models.detector import Log, Step, silent
from monitor.cluster import runs as runs_module
from monitor.cluster.ray_link import connected
from monitor.cluster.runs import Opening, Ran, Runner, Runs, digest_of_set
from monitor.cluster.workers import How, Post
from monitor.errors import ClusterError, DeviceError, DeviceFullError, MonitorError
from monitor.model import versions
from monitor.progress import quiet
from monitor.stills.comparing import MODEL, Done, Plan, Terms, Tools, compare, terms_on
from monitor.stills.model import load_still_model
from monitor.stills.opening import open_stills
from monitor.stills.still import StillSet
from tests.models.tiny_stills import CAE, GAN
from tests.monitor.stills.spots import write_set

PLANS = [Plan("cae", CAE), Plan("ganomaly", GAN), Plan("cae", CAE, seed=1)]
TOOLS = Tools("cpu", lambda _plan: silent, quiet)


@pytest.fixture(scope="module")
def ray() -> Iterator[ModuleType]:
    pytest.importorskip("ray")
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  its name
    with connected("local") as found:
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> StillSet:
    return open_stills(write_set(tmp_path_factory.mktemp("set") / "set"))


@pytest.fixture(scope="module")
def terms(data: StillSet) -> Terms:
    return terms_on(data, "lite", None, 30)


@pytest.fixture(scope="module")
def alone(data: StillSet, terms: Terms, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    out = tmp_path_factory.mktemp("alone")
    return scores_of(list(compare(PLANS, data, terms, out, TOOLS)))


def scores_of(done: list[Done]) -> list[bytes]:
    assert [item.error for item in done] == [""] * len(PLANS)
    ordered = sorted(done, key=lambda item: PLANS.index(item.plan))
    return [(item.folder / "scores.csv").read_bytes() for item in ordered]


def opening_of(data: StillSet) -> Opening:
    return Opening(str(data.root), None, None, None, digest_of_set(data))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_scores_as_alone_though_a_worker_is_killed(
    ray: ModuleType, data: StillSet, terms: Terms, alone: list[bytes], tmp_path: Path
) -> None:
    killed: list[int] = []

    def log_of(_plan: Plan) -> Log:
        def log(step: Step) -> None:
            if step.index > 2 and not killed:
                killed.append(ray.get(runs.workers[0].pid.remote()))
                os.kill(killed[0], signal.SIGKILL)

        return log

    tools = replace(TOOLS, log=log_of)
    runs = Runs(ray, opening_of(data), terms, tmp_path, tools, How("cpu", workers=2))
    assert scores_of(list(runs(PLANS))) == alone
    assert killed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_ctrl_c_ended_goes_on_where_it_was(
    ray: ModuleType, data: StillSet, terms: Terms, tmp_path: Path
) -> None:
    terms = replace(terms, steps=4000)
    plans = [Plan("cae", CAE)]

    def log_of(_plan: Plan) -> Log:
        def log(step: Step) -> None:
            if step.index > 4:
                raise KeyboardInterrupt

        return log

    tools = replace(TOOLS, log=log_of)
    runs = Runs(ray, opening_of(data), terms, tmp_path, tools, How("cpu", workers=1))
    with pytest.raises(KeyboardInterrupt):
        list(runs(plans))
    folder = plans[0].folder(tmp_path)
    (kept,) = [load_still_model(path) for path in folder.glob(f"{MODEL}*")]
    assert kept.provenance["interrupted"]
    assert 4 < kept.provenance["steps"] < 4000
    (done,) = replace(runs, tools=TOOLS)(plans)
    assert not done.error
    assert load_still_model(folder / MODEL).provenance["steps"] == 4000
    (again,) = runs(plans)
    assert again.again


def test_a_node_of_another_version_is_refused(data: StillSet, terms: Terms, tmp_path: Path) -> None:
    post = Post("cpu", 1, versions() | {"numpy": "1.0"})
    found = Runner(post, opening_of(data), terms).run(PLANS[0], {})
    assert isinstance(found, ClusterError)
    assert "has numpy" in str(found)
    assert "this machine 1.0: results would differ; install the same" in str(found)


def test_a_node_that_does_not_see_the_data_says_so(
    data: StillSet, terms: Terms, tmp_path: Path
) -> None:
    post = Post("cpu", 1, versions())
    for path in (tmp_path / "none", write_set(tmp_path / "other") / "train"):
        opening = replace(opening_of(data), path=str(path))
        found = Runner(post, opening, terms).run(PLANS[0], {})
        assert isinstance(found, ClusterError)
        assert f"does not see {path}: expected the data at the same place" in str(found)


class Here:
    """A Ray that makes a run when its result is asked for; says whose it is."""

    exceptions = SimpleNamespace(RayError=LookupError)

    def __init__(self) -> None:
        self.workers: list[Runner] = []
        self.killed: list[Runner] = []
        self.now: Runner | None = None

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 8}

    def remote(self, kind: type[Runner]) -> SimpleNamespace:
        def start(*given: Any) -> SimpleNamespace:
            worker = kind(*given)
            self.workers.append(worker)
            run = SimpleNamespace(remote=lambda *order: partial(self.run, worker, *order))
            told = SimpleNamespace(remote=lambda: worker.told)
            return SimpleNamespace(worker=worker, run=run, told=told)

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def run(self, worker: Runner, plan: Plan, files: Mapping[str, bytes]) -> object:
        assert worker not in self.killed
        self.now = worker
        return worker.run(plan, files)

    def wait(self, references: list[Any], **_: object) -> tuple[list[Any], object]:
        return references[:1], references[1:]

    def get(self, reference: Callable[[], object]) -> object:
        return reference()

    def kill(self, handle: SimpleNamespace) -> None:
        self.killed.append(handle.worker)


def made(
    monkeypatch: pytest.MonkeyPatch, fails: Callable[[Here, Plan], MonitorError | None]
) -> tuple[Here, list[tuple[int, str]]]:
    """Runs that only fail, where they should; by whom each was made."""
    here, by = Here(), list[tuple[int, str]]()

    def make(plan: Plan, _data: StillSet, _terms: Terms, folder: Path, _tools: Tools) -> None:
        assert here.now is not None
        by.append((here.workers.index(here.now), f"{plan.label} {plan.seed}"))
        was = (folder / "kept").read_text() if (folder / "kept").exists() else ""
        (folder / "kept").write_text(f"{was}{by[-1][0]}")
        if error := fails(here, plan):
            raise error

    monkeypatch.setattr(runs_module, "make_run", make)
    return here, by


GONE = DeviceError("device cuda failed (CUDA error: gone)")


def run_all(here: Here, data: StillSet, terms: Terms, out: Path) -> list[Done]:
    runs = Runs(here, opening_of(data), terms, out, TOOLS, How("cpu", workers=2))  # type: ignore[arg-type]
    return list(runs(PLANS))


def test_a_worker_whose_device_fails_gets_no_more_runs(
    data: StillSet, terms: Terms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, by = made(monkeypatch, lambda here, _: GONE if here.now is here.workers[1] else None)
    done = run_all(here, data, terms, tmp_path)
    assert [item.error for item in done] == ["", "", ""]
    assert [who for who, _ in by] == [1, 0, 0, 0]
    assert [label for _, label in by].count(by[0][1]) == 2
    first = next(item for item in done if f"{item.plan.label} {item.plan.seed}" == by[0][1])
    assert (first.folder / "kept").read_text() == "10"  # it went on with what was there
    assert here.killed == [here.workers[1], here.workers[0]]


def test_where_no_worker_is_left_all_runs_say_why(
    data: StillSet, terms: Terms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, by = made(monkeypatch, lambda _here, _plan: GONE)
    done = run_all(here, data, terms, tmp_path)
    assert [who for who, _ in by] == [1, 0]
    assert len(done) == len(PLANS)
    assert all(str(GONE) in item.error for item in done)


def test_a_device_without_memory_for_one_run_makes_the_others(
    data: StillSet, terms: Terms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = DeviceFullError("device cuda failed (out of memory)")
    here, by = made(monkeypatch, lambda _, plan: full if plan == PLANS[0] else None)
    done = run_all(here, data, terms, tmp_path)
    assert len(by) == len(PLANS)
    assert ["out of memory" in item.error for item in done if item.plan == PLANS[0]] == [True]
    assert sum(not item.error for item in done) == 2


def test_a_run_that_fails_is_told_and_its_files_come_back(data: StillSet, terms: Terms) -> None:
    found = Runner(Post("cpu", 1, versions()), opening_of(data), terms).run(Plan("no_such"), {})
    assert isinstance(found, Ran)
    assert found.end == "failed"
    assert "no_such" in found.error
    assert "run.json" in found.files
