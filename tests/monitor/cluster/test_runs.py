"""A comparison on workers of a real Ray on this machine: the same results as alone."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from models.detector import Log, Step, silent
from monitor.cluster.ray_link import connected
from monitor.cluster.runs import Opening, Ran, Runner, Runs, digest_of_set
from monitor.cluster.workers import How, Post
from monitor.errors import ClusterError
from monitor.model import versions
from monitor.progress import quiet
from monitor.stills.comparing import MODEL, Done, Plan, Terms, Tools, compare
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
    return Terms(str(data.root), data.protocol, "lite", None, 30)


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


def test_a_run_that_fails_is_told_and_its_files_come_back(data: StillSet, terms: Terms) -> None:
    found = Runner(Post("cpu", 1, versions()), opening_of(data), terms).run(Plan("no_such"), {})
    assert isinstance(found, Ran)
    assert found.end == "failed"
    assert "no_such" in found.error
    assert "run.json" in found.files
