"""What a person sees of the runs of a comparison, and the loss curve of each."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.cli.learning import Curve
from monitor.cli.progress import LongWork
from monitor.stills.comparing import MODEL, Done, Plan

if TYPE_CHECKING:
    from models.detector import Log, Step


def _name(plan: Plan) -> str:
    return plan.label if not plan.seed else f"{plan.label}, seed {plan.seed}"


class Shown:
    """Runs that are made one after another."""

    def __init__(self, work: LongWork) -> None:
        self._work = work
        self._curves: dict[str, Curve] = {}

    def log_of(self, plan: Plan) -> "Log":
        """Of the steps of one run, from its beginning."""
        name = _name(plan)
        curve = self._curves[name] = Curve()

        def log(step: "Step") -> None:
            curve.add(step)
            self._step(plan, name, step)

        return log

    def pictures(self, what: str, done: int, total: int | None) -> None:
        """After the steps of a run."""
        self._work.pictures(what, done, total)

    def ended(self, done: Done) -> Done:
        """Write its loss curve, and say that it is done."""
        name = _name(done.plan)
        if done.error:
            print(f"oddwatch: {name} failed: {done.error}", file=sys.stderr)
        elif done.again:
            print(f"{name}: done before, in {done.folder}", file=sys.stderr)
        elif name in self._curves:
            self._curves[name].write(done.folder / MODEL)
        return done

    def _step(self, plan: Plan, name: str, step: "Step") -> None:
        stage = name if step.stage == plan.detector else f"{name}, {step.stage}"
        losses = {
            f"{stage}/{key.partition('/')[2]}": value
            for key, value in step.losses.items()
            if key.startswith(f"{step.stage}/")
        }
        self._work.step(replace(step, stage=stage, losses=losses or step.losses))


class ShownTogether(Shown):
    """Runs that are made at the same time: how far all of them are."""

    def __init__(self, work: LongWork, count: int) -> None:
        super().__init__(work)
        self._count, self._done = count, 0
        self._under_way: dict[str, tuple[float, str]] = {}  # share, what it does

    def pictures(self, what: str, done: int, total: int | None) -> None:
        """Of one run; `what` is its name."""
        of = f" of {total:,}" if total else ""
        self._under_way[what] = (1.0, f"{done:,}{of} pictures")
        self._show()

    def ended(self, done: Done) -> Done:
        """As `Shown` has it."""
        self._done += 1
        self._under_way.pop(_name(done.plan), None)
        self._show()
        return super().ended(done)

    def _step(self, plan: Plan, name: str, step: "Step") -> None:  # noqa: ARG002
        self._under_way[name] = (step.spent, f"step {step.index:,}")
        self._show()

    def _show(self) -> None:
        share = self._done + sum(0.95 * spent for spent, _ in self._under_way.values())
        doing = [f"; {name}: {what}" for name, (_, what) in self._under_way.items()]
        text = f"{self._done} of {self._count} runs done{''.join(doing)}"
        self._work.runs(text, share / self._count)
