"""What a detector finds after so many minutes of learning: by this presets `lite` are chosen.

    python -m benchmarks.auroc_per_minute DATA/ped2 --detectors frame_prediction --minutes 1 3 10
    python -m benchmarks.auroc_per_minute DATA/ped2 --set depth=2 --set depth=3 --minutes 2

Each length is a training of its own, as the learning rate falls towards the end of the budget.
Figures are of the test clips: what is chosen by them is flattered by them. Whatever else runs on
the machine takes its minutes away; steps say how many were left.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from models.detector import Budget
from monitor.cli.learning import options_of
from monitor.datasets import DataSet, open_data
from monitor.frame_cache import FrameCache
from monitor.pipeline import new_detector, train_model
from monitor.scored import score_data


def main() -> None:
    options = arguments()
    data = open_data(options.data)
    print(f"{'detector':20}{'changed':22}{'minutes':>8}{'steps':>8}{'causal':>8}{'micro':>8}")
    for name in options.detectors:
        for words in options.set or [""]:
            for minutes in options.minutes:
                changed = options_of(name, words.split())
                steps, found = learned(name, changed, data, minutes)
                causal, micro = (found[f"auroc_{which}"] for which in ("causal", "micro"))
                print(
                    f"{name:20}{words:22}{minutes:8g}{steps:8}{causal:8.3f}{micro:8.3f}", flush=True
                )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--detectors", nargs="+", default=["frame_prediction"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 3, 10])
    parser.add_argument("--set", action="append", help="KEY=VALUE ... of one variant; repeatable")
    return parser.parse_args()


def learned(
    name: str, changed: dict[str, Any], data: DataSet, minutes: float
) -> tuple[int, dict[str, Any]]:
    """Steps that were made, and the report's figures."""
    detector = new_detector(name, "lite", changed, data, seed=0)
    model = train_model(detector, data, budget=Budget(seconds=60 * minutes), cache=FrameCache())
    with TemporaryDirectory() as out:
        report = score_data(model, data, Path(out), pictures=False)
    return int(model.provenance["steps"]), dict(report.figures)


if __name__ == "__main__":
    main()
