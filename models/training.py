"""The one training loop: players, each with its loss and its optimiser, take turns on a batch.

It knows tensors and losses only; where clips come from and what is done with a detector
afterwards is the caller's affair. Several processes (`models.ranks`) run the same loop, each on its
rows of every batch: gradients are summed before each optimiser's step.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models import ranks, whole_batch
from models.detector import Budget, Clips, Log, Step
from models.errors import TrainingError

Losses = dict[str, Tensor]  # named terms, weighted; their sum is what is minimised
Schedule = Callable[[float, int], float]  # (share of the budget spent, step) -> factor


def constant(_spent: float, _step: int) -> float:
    """The learning rate as given, all the way."""
    return 1.0


def cosine(spent: float, step: int) -> float:
    """Fifty steps of warm-up, then half a cosine down to a hundredth at the end of the budget."""
    return min(1.0, (step + 1) / 50) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent)))


def drop_at(step_of_drop: int, factor: float = 0.1) -> Schedule:
    """The papers' schedule: constant, then `factor` of it from one step on."""
    return lambda _spent, step: factor if step >= step_of_drop else 1.0


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Gradients pass through the module and it collects none: a judge in the other player's turn.

    Its own optimiser would only throw them away.
    """
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad = True


@dataclass(frozen=True)
class Player:
    """Parameters with a loss of their own: the only one of an autoencoder, two of a GAN."""

    name: str
    module: nn.Module
    losses: Callable[[Tensor], Losses]  # of a batch of clips (B, T, C, H, W)
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    schedule: Schedule = cosine
    every: int = 1  # plays on each n-th step only, as a WGAN's generator does
    max_gradient_norm: float = 1.0  # infinity: as it comes
    momentum: float | None = None  # gradient descent with so much of it, in place of Adam

    def optimiser(self) -> torch.optim.Optimizer:
        """Adam, with decoupled decay where one is asked for; or gradient descent with momentum."""
        if self.momentum is not None:
            return torch.optim.SGD(
                self.module.parameters(),
                lr=self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
            )
        kind = torch.optim.AdamW if self.weight_decay else torch.optim.Adam
        return kind(
            self.module.parameters(),
            lr=self.learning_rate,
            betas=self.betas,
            weight_decay=self.weight_decay,
            fused=True,  # in one pass over the parameters: four times as fast on a CPU
        )


def train(
    players: Sequence[Player],
    clips: Clips,
    *,
    budget: Budget,
    log: Log,
    state: dict[str, Any],
) -> None:
    """Let the players take turns on batch after batch until the budget is spent.

    Args:
        players: In the order in which they move on every batch.
        clips: Iterated again and again; each iteration is an epoch.
        budget: Counts this call's seconds and steps only, so resuming adds to what was done.
        log: Called after every step.
        state: Optimisers and counters, read to resume and written at every step, before `log`;
            plain values and tensors. `state["interrupted"]` tells whether Ctrl-C ended it.

    Raises:
        TrainingError: If `clips` is empty, or a loss is not finite. The parameters are then
            those of the last finite step.
    """
    optimisers = {player.name: player.optimiser() for player in players}
    for name, saved in state.get("optimisers", {}).items():
        optimisers[name].load_state_dict(saved)
    first, earlier = int(state.get("step", 0)), float(state.get("seconds", 0.0))
    started, step = time.monotonic(), first
    state["interrupted"] = False
    modules = [player.module for player in players]
    for module in modules:
        module.train()
    try:
        with closing(_endless(clips)) as batches:
            for batch in batches:
                seconds = time.monotonic() - started
                spent = ranks.agreed(budget.spent(seconds, step - first))
                if spent >= 1:
                    break
                with whole_batch.taking(batch) as own, whole_batch.as_one(*modules), _tuned():
                    losses = _turns(players, optimisers, own, spent, step)
                step += 1
                seconds = time.monotonic() - started
                spent = budget.spent(seconds, step - first)
                state["optimisers"] = {name: o.state_dict() for name, o in optimisers.items()}
                state["step"], state["seconds"] = step, earlier + seconds
                log(Step(players[-1].name, step, earlier + seconds, spent, losses))
    except KeyboardInterrupt:
        state["interrupted"] = True
    finally:
        for module in modules:
            module.eval()


@dataclass(frozen=True)
class Stage:
    """One of several things that are learned one after the other, as a GAN and then its encoder."""

    name: str
    share: float  # of the budget, against the other stages' shares
    players: Callable[[], Sequence[Player]]  # made when its turn comes


def train_stages(
    stages: Sequence[Stage], clips: Clips, *, budget: Budget, log: Log, state: dict[str, Any]
) -> None:
    """Train stage after stage, each for its share of the budget; see `train`.

    Called again, it goes on in the stage that it came to, the last one where all were learned: what
    has had its share is not learned again under what was built on it.

    Raises:
        KeyboardInterrupt: If Ctrl-C ends a stage before the last: no score can be had yet, but
            `state` and the parameters are whole, and a resumed training goes on from there.
    """
    for stage in stages:
        state.setdefault(stage.name, {"step": 0, "seconds": 0.0})
    begun = [index for index, stage in enumerate(stages) if state[stage.name]["step"]]
    first = int(state.pop("stage", max(begun, default=0)))
    marks = _marks([stage.share for stage in stages[first:]])
    for stage, begin, end in zip(stages[first:], marks[:-1], marks[1:], strict=True):
        state["stage"] = stages.index(stage)  # until it has ended
        tell = _overall(state, [s.name for s in stages if s is not stage], begin, end, log)
        part, own = _part(budget, begin, end), state[stage.name]
        train(stage.players(), clips, budget=part, log=tell, state=own)
        state["interrupted"] = own["interrupted"]
        if own["interrupted"] and stage is not stages[-1]:
            raise KeyboardInterrupt
    if not state["interrupted"]:
        del state["stage"]


def _overall(state: dict[str, Any], others: list[str], begin: float, end: float, log: Log) -> Log:
    """A log for one stage that counts the steps, the seconds and the budget of them all."""
    steps = sum(state[name]["step"] for name in others)
    seconds = sum(state[name]["seconds"] for name in others)

    def tell(step: Step) -> None:
        state["step"], state["seconds"] = steps + step.index, seconds + step.seconds
        spent = begin + (end - begin) * step.spent
        log(Step(step.stage, state["step"], state["seconds"], spent, step.losses))

    return tell


def _marks(shares: Sequence[float]) -> list[float]:
    """From 0 to 1, where each stage begins and the last one ends."""
    return [sum(shares[:i]) / sum(shares) for i in range(len(shares) + 1)]


def _part(budget: Budget, begin: float, end: float) -> Budget:
    """What lies between two marks of a budget; the parts' steps add up to the whole."""
    seconds, steps = budget.seconds, budget.steps
    return Budget(
        None if seconds is None else (end - begin) * seconds,
        None if steps is None else round(end * steps) - round(begin * steps),
    )


def _tuned() -> AbstractContextManager[None]:
    """On a GPU, convolutions by whichever way is the fastest for their shapes: a quarter is won."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True)


def _endless(clips: Clips) -> Generator[Tensor]:
    while True:
        empty = True
        with _epoch(clips) as batches:
            for batch in batches:
                empty = False
                yield batch
        if empty:
            raise TrainingError("there is no clip to learn from")


@contextmanager
def _epoch(clips: Clips) -> Iterator[Iterator[Tensor]]:
    """Its batches, and their maker closed: one left to be collected may lose a Ctrl-C."""
    batches = iter(clips)
    try:
        yield batches
    finally:
        if isinstance(batches, Generator):
            batches.close()


def _turns(
    players: Sequence[Player],
    optimisers: dict[str, torch.optim.Optimizer],
    batch: Tensor,
    spent: float,
    step: int,
) -> dict[str, float]:
    """One step: every player whose turn it is takes it. Returns the losses by name."""
    seen: dict[str, float] = {}
    for player in players:
        if step % player.every:
            continue
        optimiser = optimisers[player.name]
        for group in optimiser.param_groups:
            group["lr"] = player.learning_rate * player.schedule(spent, step)
        terms = player.losses(batch)
        own = whole_batch.share() * torch.stack([term.float() for term in terms.values()])
        whole = dict(zip(terms, ranks.summed(own.detach()).tolist(), strict=True))
        if not math.isfinite(sum(whole.values())):
            raise TrainingError(_not_finite("loss", player, step, whole))
        optimiser.zero_grad(set_to_none=True)
        own.sum().backward()  # type: ignore[no-untyped-call]
        ranks.sum_gradients(player.module.parameters())
        norm = nn.utils.clip_grad_norm_(player.module.parameters(), player.max_gradient_norm)
        if not torch.isfinite(norm):
            raise TrainingError(_not_finite("gradient", player, step, whole))
        optimiser.step()
        seen |= {f"{player.name}/{name}": value for name, value in whole.items()}
    return seen


def _not_finite(what: str, player: Player, step: int, terms: dict[str, float]) -> str:
    values = ", ".join(f"{name} = {value:g}" for name, value in terms.items())
    return (
        f"the {what} of {player.name} is not finite at step {step + 1} ({values}); "
        f"try a lower learning rate than {player.learning_rate:g}"
    )
