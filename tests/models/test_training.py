"""The one training loop, on toys whose every step can be followed."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.detector import Budget, Step, silent
from models.errors import TrainingError
from models.training import (
    Losses,
    Player,
    Stage,
    constant,
    cosine,
    drop_at,
    frozen,
    train,
    train_stages,
)

BATCHES = [torch.full((2, 1, 1, 1, 1), value) for value in (1.0, 2.0, 3.0)]


class Toy(nn.Module):
    """One weight, pulled to the batch's mean."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start))

    def losses(self, batch: Tensor) -> Losses:
        return {"pull": (self.weight - batch.mean()).square()}


def player(toy: Toy, losses: Callable[[Tensor], Losses] | None = None, **options: Any) -> Player:
    defaults: dict[str, Any] = {"learning_rate": 0.1, "schedule": constant}
    return Player("toy", toy, losses or toy.losses, **(defaults | options))


def run(toy: Toy, steps: int, state: dict[str, Any] | None = None, **options: Any) -> list[Step]:
    seen: list[Step] = []
    train(
        [player(toy, **options)],
        BATCHES,
        budget=Budget(steps=steps),
        log=seen.append,
        state={} if state is None else state,
    )
    return seen


def test_an_epoch_that_the_budget_ends_is_closed_and_not_left_to_be_collected() -> None:
    class Endless:
        begun: Iterator[Tensor]

        def __iter__(self) -> Iterator[Tensor]:
            self.begun = (batch for batch in BATCHES)
            return self.begun

    clips = Endless()
    train([player(Toy())], clips, budget=Budget(steps=1), log=silent, state={})
    assert list(clips.begun) == []  # whoever collects it would lose a Ctrl-C


def test_the_first_step_of_adam_is_the_learning_rate() -> None:
    toy = Toy()
    run(toy, 1)
    assert toy.weight.item() == pytest.approx(0.1, rel=1e-5)


def test_the_budget_ends_it_and_every_step_is_logged() -> None:
    seen = run(Toy(), 7)
    assert [step.index for step in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert seen[-1].spent == 1
    assert seen[0].losses == {"toy/pull": 1.0}
    assert not run(Toy(), 0)


def test_a_budget_is_spent_by_whichever_ends_first() -> None:
    budget = Budget(seconds=10, steps=100)
    assert budget.spent(5, 10) == 0.5
    assert budget.spent(1, 90) == 0.9
    assert budget.spent(99, 0) == 1
    assert Budget().spent(1e9, 10**9) == 0
    assert Budget(steps=0).spent(0, 0) == Budget(seconds=0).spent(0, 0) == 1


def test_no_clip_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no clip to learn from"):
        train([player(Toy())], [], budget=Budget(steps=1), log=silent, state={})


def test_a_loss_that_is_not_finite_is_named_and_the_last_parameters_stay() -> None:
    toy, state = Toy(), {"step": 0}
    after: list[float] = []

    def losses(batch: Tensor) -> Losses:
        after.append(toy.weight.item())
        bad = math.nan if len(after) == 3 else 0.0
        return toy.losses(batch) | {"bad": toy.weight * 0 + bad}

    with pytest.raises(TrainingError, match=r"loss of toy is not finite at step 3 .*bad = nan"):
        train([player(toy, losses)], BATCHES, budget=Budget(steps=9), log=silent, state=state)
    assert toy.weight.item() == after[2] > after[1]
    assert state["step"] == 2
    assert not toy.training


def test_a_gradient_that_is_not_finite_leaves_the_parameters_alone() -> None:
    toy = Toy()

    def losses(_batch: Tensor) -> Losses:
        return {"root": toy.weight.sqrt()}  # of 0: the value is finite, the slope is not

    with pytest.raises(TrainingError, match="gradient of toy is not finite at step 1"):
        train([player(toy, losses)], BATCHES, budget=Budget(steps=9), log=silent, state={})
    assert toy.weight.item() == 0


class Interrupted:
    """Clips, and a Ctrl-C while the third batch is read."""

    def __iter__(self) -> Iterator[Tensor]:
        yield from BATCHES[:2]
        raise KeyboardInterrupt


def test_an_interrupt_keeps_what_was_learned() -> None:
    toy, state = Toy(), dict[str, Any]()
    train([player(toy)], Interrupted(), budget=Budget(steps=9), log=silent, state=state)
    assert state["interrupted"]
    assert state["step"] == 2
    whole = Toy()
    run(whole, 2)
    assert torch.equal(toy.weight, whole.weight)


def test_resuming_is_the_same_as_never_having_stopped() -> None:
    parted, whole, state = Toy(), Toy(), dict[str, Any]()
    run(parted, 3, state)
    first_seconds = state["seconds"]
    seen = run(parted, 6, state)
    run(whole, 9)
    assert torch.equal(parted.weight, whole.weight)
    assert [step.index for step in seen] == [4, 5, 6, 7, 8, 9]
    assert state["step"] == 9
    assert state["seconds"] > first_seconds
    assert not state["interrupted"]


def test_the_state_of_training_is_plain_values_and_tensors(tmp_path: Any) -> None:
    state: dict[str, Any] = {}
    run(Toy(), 2, state)
    torch.save(state, tmp_path / "state.pt")
    again = torch.load(tmp_path / "state.pt", weights_only=True)
    toy, other = Toy(0.2), Toy(0.2)
    run(toy, 1, state)
    run(other, 1, again)
    assert torch.equal(toy.weight, other.weight)


def test_two_players_take_turns_on_the_same_batch() -> None:
    order: list[str] = []
    one, two = Toy(), Toy()

    def noting(name: str, toy: Toy) -> Callable[[Tensor], Losses]:
        def losses(batch: Tensor) -> Losses:
            order.append(f"{name} {batch.mean():g}")
            return toy.losses(batch)

        return losses

    players = [Player("one", one, noting("one", one)), Player("two", two, noting("two", two))]
    players[1] = Player("two", two, noting("two", two), every=2)
    train(players, BATCHES, budget=Budget(steps=3), log=silent, state={})
    assert order == ["one 1", "two 1", "one 2", "one 3", "two 3"]


def test_the_gradient_is_clipped() -> None:
    toy = Toy()
    sizes: list[float] = []

    def losses(batch: Tensor) -> Losses:
        if toy.weight.grad is not None:
            sizes.append(float(toy.weight.grad))
        return {"steep": 1000 * toy.losses(batch)["pull"]}

    train([player(toy, losses)], BATCHES, budget=Budget(steps=3), log=silent, state={})
    assert all(abs(size) <= 1.001 for size in sizes)


def test_schedules() -> None:
    assert cosine(0, 0) == pytest.approx(1 / 50)
    assert cosine(0, 1000) == 1
    assert cosine(1, 1000) == pytest.approx(0.01)
    assert cosine(0.5, 1000) == pytest.approx(0.505)
    assert [drop_at(5)(0, step) for step in (4, 5)] == [1, 0.1]
    assert constant(0.7, 3) == 1


def test_a_schedule_moves_the_learning_rate() -> None:
    toy = Toy()
    run(toy, 2, schedule=drop_at(1, factor=0.0))
    assert toy.weight.item() == pytest.approx(0.1, rel=1e-5)


def stages(first: Toy, second: Toy, state: dict[str, Any], steps: int) -> list[Step]:
    seen: list[Step] = []
    train_stages(
        [Stage("first", 3, lambda: [player(first)]), Stage("second", 1, lambda: [player(second)])],
        BATCHES,
        budget=Budget(steps=steps),
        log=seen.append,
        state=state,
    )
    return seen


def test_stages_share_the_budget_and_count_together() -> None:
    first, second = Toy(), Toy()
    state: dict[str, Any] = {}
    seen = stages(first, second, state, 8)
    assert [step.index for step in seen] == list(range(1, 9))
    assert [state["first"]["step"], state["second"]["step"], state["step"]] == [6, 2, 8]
    assert [round(step.spent, 3) for step in seen[4:]] == [0.625, 0.75, 0.875, 1]
    assert second.weight.item() == pytest.approx(0.2, rel=0.01)
    assert stages(first, second, state, 3)[-1].index == 11


def test_a_stage_that_is_interrupted_before_the_last_is_gone_on_with() -> None:
    first, second = Toy(), Toy()
    state: dict[str, Any] = {}

    def losses(batch: Tensor) -> Losses:
        if state["first"].get("step") == 2:
            raise KeyboardInterrupt
        return first.losses(batch)

    listed = [
        Stage("none", 1, lambda: [player(Toy())]),
        Stage("first", 1, lambda: [player(first, losses)]),
        Stage("second", 1, lambda: [player(second)]),
    ]
    with pytest.raises(KeyboardInterrupt):
        train_stages(listed, BATCHES, budget=Budget(steps=9), log=silent, state=state)
    assert (state["stage"], state["step"], state["interrupted"]) == (1, 5, True)
    assert second.weight.item() == 0
    listed[1] = Stage("first", 1, lambda: [player(first)])
    train_stages(listed, BATCHES, budget=Budget(steps=4), log=silent, state=state)
    assert [state[name]["step"] for name in ("none", "first", "second")] == [3, 4, 2]
    assert "stage" not in state
    assert not state["interrupted"]


def test_stages_that_were_learned_are_not_learned_again() -> None:
    first, second = Toy(), Toy()
    state: dict[str, Any] = {}
    stages(first, second, state, 8)
    weight, seen = first.weight.item(), stages(first, second, state, 4)
    assert first.weight.item() == weight
    assert [state["first"]["step"], state["second"]["step"]] == [6, 6]
    assert [step.spent for step in seen] == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("made", [0, 1])
def test_a_last_stage_that_is_interrupted_is_gone_on_with(made: int) -> None:
    state: dict[str, Any] = {}

    def losses(batch: Tensor) -> Losses:
        if state["second"]["step"] == made:
            raise KeyboardInterrupt
        return Toy().losses(batch)

    def listed(last: Player) -> list[Stage]:
        return [Stage("first", 1, lambda: [player(Toy())]), Stage("second", 1, lambda: [last])]

    last = listed(player(Toy(), losses))
    train_stages(last, BATCHES, budget=Budget(steps=8), log=silent, state=state)
    assert state["interrupted"]
    going_on = listed(player(Toy()))
    train_stages(going_on, BATCHES, budget=Budget(steps=3), log=silent, state=state)
    assert [state["first"]["step"], state["second"]["step"]] == [4, made + 3]
    assert not state["interrupted"]


def test_momentum_is_plain_descent_at_its_first_step() -> None:
    toy = Toy()
    run(toy, 1, momentum=0.9, max_gradient_norm=math.inf)
    assert toy.weight.item() == pytest.approx(0.1 * 2)  # slope at 0 of (w - 1)^2


def test_gradients_pass_through_what_is_frozen_and_do_not_stay_there() -> None:
    first, last = nn.Linear(4, 8), nn.Linear(8, 1)
    judge = nn.Sequential(first, last)
    first.bias.requires_grad = False

    def gradient() -> Tensor:
        made = torch.ones(3, 4, requires_grad=True)
        judge(made).sum().backward()
        assert made.grad is not None
        return made.grad

    expected = gradient()
    judge.zero_grad()
    with frozen(judge):
        assert torch.equal(gradient(), expected)
    assert last.weight.grad is None
    assert [p.requires_grad for p in judge.parameters()] == [True, False, True, True]
