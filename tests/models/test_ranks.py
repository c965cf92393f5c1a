"""Two processes that learn together come to what one comes to: the sums are real, over gloo."""

import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import ranks
from models.detector import Budget, Step
from models.errors import TrainingError
from models.registry import DETECTORS
from models.training import Player, train
from tests.models.learning import ALL, _normal, fresh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROCESSES, STEPS = 2, 4
LABELS = [label for label in ALL if DETECTORS[label.split()[0]].shared]
Found = dict[str, Any]


def among(place: int, folder: str, task: str) -> None:
    os.environ |= {"RANK": str(place), "LOCAL_RANK": str(place), "WORLD_SIZE": str(PROCESSES)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": Path(folder, "port").read_text()}
    torch.set_num_threads(1)
    with ranks.joined():
        torch.save(TASKS[task](), Path(folder, f"{place}.pt"))


def together(task: str, folder: Path) -> list[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (folder / "port").write_text(str(free.getsockname()[1]))
    context = multiprocessing.get_context("spawn")
    started = [context.Process(target=among, args=(i, str(folder), task)) for i in range(PROCESSES)]
    for one in started:
        one.start()
    for one in started:
        one.join()
        assert one.exitcode == 0
    return [torch.load(folder / f"{place}.pt") for place in range(PROCESSES)]


def learned(label: str, steps: int = STEPS) -> Found:
    """What it has learned from batches of seven and, last, of one; its scores."""
    detector = fresh(label)
    clips = [_normal(detector, 7 if seed < 3 else 1, seed) for seed in range(4)]
    torch.manual_seed(1)
    losses: list[float] = []
    held_out = [_normal(detector, 8, 100)]

    def log(step: Step) -> None:
        losses.append(sum(step.losses.values()))

    detector.fit(clips, held_out, budget=Budget(steps=steps), log=log)
    state = {name: value.clone() for name, value in detector.state_dict().items()}
    return {"losses": losses, "state": state, "scores": detector.score(_normal(detector, 6, 200))}


def all_learned() -> dict[str, Found]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = {label: learned(label) for label in LABELS}
    torch.set_num_threads(threads)
    return found


def a_line(clips: list[Tensor], budget: Budget, log: Callable[[Step], None]) -> Found:
    """The smallest that can learn; what came of it."""
    torch.manual_seed(0)
    line, state = nn.Linear(1, 1), dict[str, Any]()
    player = Player("line", line, lambda own: {"error": (line(own) - own).square().mean()})
    said = ""
    try:
        with ranks.stopping_together():
            train([player], clips, budget=budget, log=log, state=state)
    except TrainingError as error:
        said = str(error)
    weight = float(line.weight.detach())
    return {"step": state["step"], "stopped": state["interrupted"], "said": said, "weight": weight}


def a_loss_at_the_second_that_is_not_finite() -> Found:
    bad = torch.tensor([[1.0], [math.nan]])
    return a_line([torch.ones(2, 1), torch.ones(2, 1), bad], Budget(steps=9), lambda _: None)


def a_stop_of_the_second() -> Found:
    def log(step: Step) -> None:
        if step.index == 3 and not ranks.is_first():
            os.kill(os.getpid(), signal.SIGINT)

    return a_line([torch.ones(2, 1)], Budget(seconds=60), log)


def a_second_with_another_clock() -> Found:
    def log(_step: Step) -> None:
        time.sleep(0.01 if ranks.is_first() else 0.03)

    return a_line([torch.ones(2, 1)], Budget(seconds=0.5), log)


def another_program_at_the_second() -> str:
    try:
        ranks.check_alike({"torch": "2.9" if ranks.is_first() else "2.8"})
    except TrainingError as error:
        return str(error)
    return ""


TASKS: dict[str, Callable[[], Any]] = {
    task.__name__: task
    for task in (
        all_learned,
        a_loss_at_the_second_that_is_not_finite,
        a_stop_of_the_second,
        a_second_with_another_clock,
        another_program_at_the_second,
    )
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Found]]:
    return together("all_learned", tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="module")
def alone() -> dict[str, Found]:
    return all_learned()


@pytest.mark.parametrize("label", LABELS)
def test_two_learn_what_one_learns(
    label: str, both: list[dict[str, Found]], alone: dict[str, Found]
) -> None:
    one, two, other = alone[label], *(found[label] for found in both)
    assert two["losses"] == other["losses"]
    for name, value in two["state"].items():
        assert torch.equal(value, other["state"][name]), name
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-4)
    torch.testing.assert_close(two["scores"], one["scores"], rtol=1e-3, atol=1e-4)


def test_a_loss_that_is_not_finite_anywhere_stops_all_at_their_last_good_step(
    tmp_path: Path,
) -> None:
    one, two = together("a_loss_at_the_second_that_is_not_finite", tmp_path)
    assert one == two
    assert one["step"] == 2
    assert "not finite at step 3" in one["said"]
    assert math.isfinite(one["weight"])


def test_ctrl_c_at_one_stops_all_at_the_same_step(tmp_path: Path) -> None:
    one, two = together("a_stop_of_the_second", tmp_path)
    assert one == two
    assert one["stopped"]
    assert one["step"] == 3


def test_the_first_one_s_clock_counts(tmp_path: Path) -> None:
    one, two = together("a_second_with_another_clock", tmp_path)
    assert one == two
    assert 1 < one["step"] < 50


def test_another_program_is_refused_by_all(tmp_path: Path) -> None:
    one, two = together("another_program_at_the_second", tmp_path)
    assert one == two
    assert "process 1" in one
    assert "torch 2.8" in one
