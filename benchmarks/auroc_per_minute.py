"""What a detector finds after so many minutes of learning: by this presets `lite` are chosen.

    python -m benchmarks.auroc_per_minute DATA/ped2 --detectors frame_prediction --minutes 1 3 10
    python -m benchmarks.auroc_per_minute DATA/ped2 --set depth=2 --set depth=3 --steps 1500

Each length is a training of its own, as the learning rate falls towards the end of the budget.
Events are those that thresholds find: AUROC may rise where fewer are found. Figures are of the test
clips: what is chosen by them is flattered by them. Whatever else runs on the machine takes its
minutes away; steps say how many were left. --steps, in place of --minutes, are the same on every
machine. The minutes printed are those of all training, calibrating included.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.detector import Budget
from monitor.cli.learning import options_of
from monitor.datasets import DataSet, open_data
from monitor.frame_cache import FrameCache
from monitor.model import Model
from monitor.pipeline import new_detector, train_model
from monitor.scored import score_data


def main() -> None:
    options = arguments()
    data = open_data(options.data)
    budgets = [Budget(steps=steps) for steps in options.steps]
    budgets = budgets or [Budget(seconds=60 * minutes) for minutes in options.minutes]
    print(
        f"{'detector':20}{'minutes':>8}{'steps':>8}{'causal':>8}{'micro':>8}{'events':>9}  changed"
    )
    for name in options.detectors:
        for words in options.set or [""]:
            for budget in budgets:
                began = time.monotonic()
                model = learned(name, options_of(name, words.split()), data, budget, options.seed)
                minutes = (time.monotonic() - began) / 60
                figures = found_by(model, data)
                rules, events = figures["rules"], told_of(figures)
                score, steps = aurocs(rules.pop("score")), model.provenance["steps"]
                print(f"{name:20}{minutes:8.1f}{steps:8}{score}{events:>9}  {words}")
                for rule, found in rules.items() if options.rules else ():
                    print(f"  {rule:34}{aurocs(found)}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--detectors", nargs="+", default=["frame_prediction"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 3, 10])
    parser.add_argument("--steps", nargs="+", type=int, default=[], help="in place of minutes")
    parser.add_argument("--seed", type=int, default=0, help="of weights and of the clips' order")
    parser.add_argument("--rules", action="store_true", help="its other rules and parts as well")
    parser.add_argument("--set", action="append", help="KEY=VALUE ... of one variant; repeatable")
    return parser.parse_args()


def learned(name: str, changed: dict[str, Any], data: DataSet, budget: Budget, seed: int) -> Model:
    detector = new_detector(name, "lite", changed, data, seed=seed)
    return train_model(detector, data, budget=budget, seed=seed, cache=FrameCache())


def found_by(model: Model, data: DataSet) -> dict[str, Any]:
    """The report's figures; under "rules" those of each way of making a score of what is seen."""
    with TemporaryDirectory() as out:
        return dict(score_data(model, data, Path(out), pictures=False).figures)


def told_of(figures: dict[str, Any]) -> str:
    """How many events the thresholds find, which come from normal footage alone."""
    return f"{figures['events_found']}/{figures['events_total']}"


def aurocs(figures: dict[str, Any]) -> str:
    return f"{figures['auroc_causal']:8.3f}{figures['auroc_micro']:8.3f}"


if __name__ == "__main__":
    main()
