"""`oddwatch compare`: several detectors on one set under one budget each, in one table."""

import shlex
import sys
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.far import FarRuns, local
from monitor.cli.learning import CACHE_GB, budget_of, cache_of
from monitor.cli.printing import print_table
from monitor.cli.progress import LongWork
from monitor.errors import MonitorError, UsageError

if TYPE_CHECKING:
    from monitor.stills.comparing import Terms
    from monitor.stills.comparison import Row

WITH_EPOCHS = ("words", "out", "epochs", "mask", "steps", "cluster")  # or said by themselves
MOST_SEED = 2**63 - 1  # that torch takes
SHORT = {"lr": "learning_rate"}
INTERRUPTED = 130
EPOCHS = 300  # of one step each; by then an autoencoder has begun to draw the defect too


def compare(
    context: typer.Context,
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="DATA [KEY=VALUES]...", help="A set of pictures; more of --grid."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder to write to.")],
    detectors: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Their names, or: all (see: oddwatch detectors)."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Each learns so long; 10 unless --steps is given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Each learns so many steps.")] = None,
    seeds: Annotated[str, typer.Option(metavar="N,N,...", help="Each of these once.")] = "0",
    preset: Annotated[str, typer.Option(help="lite or paper.")] = "lite",
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUES", help="Each of these values, and all combinations."),
    ] = None,
    epochs: Annotated[
        Path | None,
        typer.Option(metavar="PICTURE", help="Instead: fit networks to this one, epoch by epoch."),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="MASK", help="--epochs: where the picture is defective.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="Take DATA for this layout instead of recognising it.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="one-normal:CLASS or one-abnormal:CLASS, of class folders.")
    ] = None,
    normal: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Short for one-normal:CLASS.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    cache_gb: Annotated[
        float, typer.Option(metavar="GB", help="Of decoded pictures kept for later; 0: none.")
    ] = CACHE_GB,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="[ADDRESS]", help="On a Ray cluster; local: workers on this machine."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="With --cluster; 0: as many as its processors carry.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print compare.json, for programs.")
    ] = False,
) -> None:
    """Train and score several still-image detectors on one set, each under the same budget.

    Writes compare.json, compare.csv, compare.html, plots and a contact sheet to --out, and each
    run's model and report below it. A run that is finished there is not made again, one that was
    interrupted goes on: the same command twice, or with more detectors, seeds or values, does what
    is missing. A detector that fails is named and does not lose the others; the exit status is
    then 1.

    Values of --grid are separated by commas; sizes are a side, or HEIGHTxWIDTH. A detector
    without an option of the grid runs without it.

    With --cluster, runs are made on the workers of a Ray cluster at the same time, and come to the
    same table; the data must lie at the same place on every node.

    With --epochs, an autoencoder and an implicit network are fitted to one picture, and their
    residual maps over the epochs (300, or --steps) are drawn side by side; with --mask also the
    residual inside and outside the defect.

    \b
    Examples:  oddwatch compare data/bottle --detectors cae,aesc,nsa --minutes 10 -o bottle-compare
               oddwatch compare data/bottle --detectors cae --seeds 0,1,2 --steps 2000 -o seeds
               oddwatch compare data/bottle --detectors cae,vae --grid size=64,128 lr=1e-3,5e-4 -o g
               oddwatch compare --epochs scratch.png --mask scratch-mask.png -o epochs
    """  # noqa: D301
    budget_of(minutes, steps)  # refuses what is not over 0
    _check_epochs(context, epochs, mask, cluster)
    if epochs is not None:
        _compare_epochs(epochs, mask, out, words, steps)
        return
    data_path, grid_words = _data_and_grid(words or [], grid or [])
    names = _names(detectors)
    numbers = _seeds(seeds)

    from monitor.cli.compare_shown import Shown, ShownTogether
    from monitor.model import choose_device
    from monitor.stills.comparing import Plan, Tools, check_plans, terms_on
    from monitor.stills.comparison_files import write_comparison
    from monitor.stills.opening import open_stills

    chosen = "cpu" if cluster is not None and device == "cuda" else choose_device(device)
    plans = [
        Plan(name, options, seed)
        for name in names
        for options in grid_of(name, preset, grid_words)
        for seed in numbers
    ]
    data = open_stills(data_path, layout=layout, protocol=protocol, normal=normal, fault=_tell)
    minutes = 10.0 if minutes is None and steps is None else minutes
    terms = terms_on(data, preset, minutes, steps)
    check_plans(plans, terms, out)
    command = shlex.join(["oddwatch", *context.obj])
    with LongWork() as work:
        shown = Shown(work) if cluster is None else ShownTogether(work, len(plans))
        tools = Tools(chosen, shown.log_of, shown.pictures, cache_of(cache_gb))
        how = (data_path, layout, protocol, normal)
        far = None if cluster is None else FarRuns(cluster, workers, device, how)
        try:
            with local() if far is None else far.making(data) as compare_runs:
                done = list(map(shown.ended, compare_runs(plans, data, terms, out, tools)))
        except KeyboardInterrupt:
            print(f"oddwatch: what was learned is kept; to go on: {command}", file=sys.stderr)
            raise typer.Exit(INTERRUPTED) from None
        work.pictures("drawing", 0, None)
        done.sort(key=lambda item: plans.index(item.plan))
        rows = write_comparison(out, terms, done, data, command=command)
    if as_json:
        print((out / "compare.json").read_text(encoding="utf-8"), end="")
    else:
        _print_rows(rows, terms, out)
    if any(item.error for item in done):
        raise typer.Exit(1)


def _check_epochs(
    context: typer.Context, epochs: Path | None, mask: Path | None, cluster: str | None
) -> None:
    if epochs is None and mask is not None:
        raise UsageError("--mask goes with --epochs only; leave it out")
    if epochs is not None and cluster is not None:
        raise UsageError("--cluster spreads runs, --epochs makes one; leave one of them out")
    for option in context.command.params if epochs is not None else ():
        source = context.get_parameter_source(option.name or "")
        if option.name not in WITH_EPOCHS and source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"{option.opts[0]} does not go with --epochs; leave one of them out")


def _data_and_grid(words: list[str], grid: list[str]) -> tuple[str, list[str]]:
    """Which of the words is DATA; the others, and the words in each --grid, are `key=values`."""
    given = [word for text in grid for word in text.split()]
    if not words:
        raise UsageError("expected DATA, a set of pictures, got nothing")
    data, *more = words
    for word in more:
        if "=" not in word:
            raise UsageError(f"{word}: expected one DATA, then KEY=VALUES of a grid; got another")
    return data, given + more


def _names(text: str | None) -> list[str]:
    """Still-image detectors by name, each once.

    Raises:
        UsageError: None is named, there is no such detector, or it is one for video.
    """
    from models.registry import DETECTORS
    from monitor.cli.kinds import takes_stills

    images = [name for name, kind in DETECTORS.items() if kind.kind == "image"]
    if text == "all":
        return images
    named = [word.strip() for word in (text or "").split(",") if word.strip()]
    if not named:
        raise UsageError(f"--detectors: expected names, such as {','.join(images[:3])}, or all")
    for name in named:
        if not takes_stills(name):
            raise UsageError(
                f"--detectors: {name} watches video; expected still-image detectors: "
                f"{', '.join(images)}"
            )
    return list(dict.fromkeys(named))


def _seeds(text: str) -> list[int]:
    try:
        found = list(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        found = [-1]
    if not all(0 <= seed <= MOST_SEED for seed in found):
        raise UsageError(f"--seeds {text!r}: expected whole numbers from 0, such as 0,1,2")
    return found


def grid_of(detector: str, preset: str, words: list[str]) -> list[dict[str, Any]]:
    """All combinations of the grid's values that concern this detector; at least one, of none.

    Raises:
        UsageError: There is no such preset, a value is of another type, or the detector refuses it.
    """
    from models.errors import OptionError
    from models.registry import build, kind_of

    config = kind_of(detector).Config
    known = {field.name for field in fields(config)}
    axes: dict[str, list[Any]] = {}
    for word in words:
        key, _, values = word.partition("=")
        key = SHORT.get(key, key)
        if key in known:
            axes[key] = [_value(config, key, value) for value in values.split(",") if value]
    found = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    for options in found:
        try:
            build(detector, preset, **options)
        except OptionError as error:
            raise UsageError(str(error)) from error
    return found


def _value(config: type[Any], key: str, text: str) -> Any:
    """One value; a single side stands for a square."""
    from monitor.cli.settings import parse_setting

    try:
        return parse_setting(config, f"{key}={text}")[1]
    except UsageError:
        if key != "size" or "x" in text:
            raise
        return parse_setting(config, f"{key}={text}x{text}")[1]


def _tell(problem: MonitorError) -> None:
    print(f"oddwatch: {problem}; left out", file=sys.stderr)


def _print_rows(rows: "list[Row]", terms: "Terms", out: Path) -> None:
    from monitor.stills.comparison import MEANINGS, table_of
    from monitor.stills.comparison_page import say_terms

    heads, cells = table_of(rows)
    if cells:
        print_table(heads, cells)
    for row in rows:
        if row.error:
            print(f"{row.label}: failed: {row.error}")
    print(f"{say_terms(terms)}; protocol: {terms.protocol}")
    print(MEANINGS)
    print(f"written to {out}: open {out / 'compare.html'}")


def _compare_epochs(
    picture: Path, mask: Path | None, out: Path, words: list[str] | None, steps: int | None
) -> None:
    """The founding experiment on one picture."""
    if words:
        raise UsageError(f"--epochs looks at one picture alone; leave {' '.join(words)} out")
    import torch

    from monitor.files import check_folder, write_atomically
    from monitor.stills.founding import draw_founding, residuals_over_epochs
    from monitor.stills.reading import read_mask, read_picture

    image = torch.from_numpy(read_picture(picture)).permute(2, 0, 1).float() / 255
    truth = None if mask is None else torch.from_numpy(read_mask(mask))
    check_folder(out)
    found = residuals_over_epochs(image, truth, epochs=EPOCHS if steps is None else steps)
    place = out / f"{picture.stem}-epochs.png"
    write_atomically(place, draw_founding(found))
    for fitting in found.fittings:
        last = f"{fitting.detector}: mean residual {fitting.outside[-1]:.3f}"
        contrast = fitting.contrast
        if contrast is not None:
            best = int(contrast.argmax())
            last += (
                f" outside the defect after {fitting.epochs[-1]} epochs; the defect stands out "
                f"most at epoch {fitting.epochs[best]}, {contrast[best]:.1f} times"
            )
        print(last)
    print(f"written to {place}")
