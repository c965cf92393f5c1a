"""`oddwatch detectors`: what there is to choose from."""

from typing import Annotated, Any

import typer

from monitor.cli.printing import print_json, print_table


def detectors(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the detectors there are.

    What each takes, what it can show beside its score, its presets, and where it is from.

    \b
    Example:  oddwatch detectors
    """  # noqa: D301
    rows = _rows()
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "kind", "map", "presets", "paper"),
        [
            (row["name"], row["kind"], _say_map(row), ", ".join(row["presets"]), row["paper"])
            for row in rows
        ],
    )


def _rows() -> list[dict[str, Any]]:
    from models.detector import Detector
    from models.registry import DETECTORS

    return [
        {
            "name": name,
            "kind": kind.kind,
            "map": True,  # by contract, every one of them
            "picture": kind.reconstruct is not Detector.reconstruct,
            "presets": list(kind.presets),
            "paper": kind.paper,
        }
        for name, kind in DETECTORS.items()
    ]


def _say_map(row: dict[str, Any]) -> str:
    return "yes, and the expected picture" if row["picture"] else "yes"
