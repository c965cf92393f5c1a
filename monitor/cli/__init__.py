"""The command `oddwatch`: what can be asked of it, and what a failure looks like.

Imports no torch: `oddwatch --help` is asked for often and answers at once. Commands import what
they need when they run.
"""

import re
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import typer

import monitor
from monitor.cli.among import SaidElsewhere, among_others
from monitor.cli.bench import bench as bench_command
from monitor.cli.calibrate import calibrate as calibrate_command
from monitor.cli.check import check as check_command
from monitor.cli.cluster import app as cluster_app
from monitor.cli.compare import compare as compare_command
from monitor.cli.demo import demo as demo_command
from monitor.cli.detectors import detectors as detectors_command
from monitor.cli.doctor import doctor as doctor_command
from monitor.cli.events import app as events_app
from monitor.cli.export import export as export_command
from monitor.cli.far import with_address
from monitor.cli.inspect import inspect as inspect_command
from monitor.cli.printing import print_json
from monitor.cli.quiet import quiet_drawing
from monitor.cli.score import score as score_command
from monitor.cli.status import status as status_command
from monitor.cli.streams import OUTPUT, ready_streams, stop_output
from monitor.cli.train import train as train_command
from monitor.cli.tui import tui as tui_command
from monitor.cli.watch import watch as watch_command
from monitor.errors import MonitorError, UsageError
from monitor.memory import give_back_freed
from monitor.missing import to_have
from monitor.names import shown
from monitor.waiting import let_waiting_threads_sleep

__all__ = ["app", "main"]

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
NOBODY_READS = 1  # as typer has it; `oddwatch events list | head -1` is not worth a word
WRONG_USE = ("OptionError", "UnknownDetectorError")  # of models.errors, which would import torch
NO_VALUE = re.compile(r"--[\w-]+=")
MAY_BE_EMPTY = "--note"
OURS = ("monitor", "models")  # missing, these are a fault of the program

app = typer.Typer(
    name="oddwatch",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("demo")(demo_command)
app.command("detectors")(detectors_command)
app.command("check")(check_command)
app.command("train")(train_command)
app.command("calibrate")(calibrate_command)
app.command("score")(score_command)
app.command("inspect")(inspect_command)
app.command("compare")(compare_command)
app.command("watch")(watch_command)
app.command("tui")(tui_command)
app.command("status")(status_command)
app.command("doctor")(doctor_command)
app.command("export")(export_command)
app.command("bench")(bench_command)
app.add_typer(events_app, name="events")
app.add_typer(cluster_app, name="cluster")


@app.callback(invoke_without_command=True)
def oddwatch(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[  # noqa: ARG001  taken off before, wherever it stands; here for the help
        bool, typer.Option("--debug", help="Show the whole trace of a failure.")
    ] = False,
) -> None:
    """Learn from normal footage what is usual for a camera; then say what is not.

    \b
    Try it:  oddwatch demo
    Use it:  oddwatch train fusion NORMAL.mp4 -o door.pt
             oddwatch watch rtsp://camera/stream --model door.pt
    """  # noqa: D301  a form feed would do as well, but says less
    if version:
        print(f"oddwatch {monitor.__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 wrong use."""
    ready_streams()
    quiet_drawing()
    give_back_freed()
    let_waiting_threads_sleep()
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = with_address([word for word in words if word != "--debug"])
    sys.exit(_run(words, debug=debug))


def _run(words: list[str], *, debug: bool) -> int:
    try:
        with among_others(words):
            _refuse_empty(words)
            status = app(words, prog_name="oddwatch", standalone_mode=False, obj=words)
            sys.stdout.flush()
    except BrokenPipeError:
        stop_output()
        return NOBODY_READS
    except SaidElsewhere:
        return 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    except Exception as error:  # noqa: BLE001  the one place where all that can fail ends
        if debug:
            traceback.print_exc()
        return _report(error, as_json="--json" in words, debug=debug)
    if status == INTERRUPTED:
        print("oddwatch: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _refuse_empty(words: list[str]) -> None:
    """As a path it would be the current folder, which nobody means who writes it.

    Raises:
        UsageError: A word is empty, or the value of an option that cannot be.
    """
    for before, word in pairwise(("oddwatch", *words)):
        empty = before if not word else word[:-1] if NO_VALUE.fullmatch(word) else ""
        if empty and empty != MAY_BE_EMPTY:
            raise UsageError(
                f"empty text after {empty}: expected a value, such as a path; "
                "a variable of the shell may not be set"
            )


def _report(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Say what failed in one line, or of a configuration each fault; what exit status it is."""
    text, status = _explain(error, debug=debug)
    lines = [" ".join(line.split()) for line in getattr(error, "lines", [text])]
    own = isinstance(error, OSError) and error.filename == OUTPUT
    try:
        if as_json and not own:
            print_json({"error": " ".join(lines), "exit_status": status})
            return status
        sys.stdout.flush()
    except BrokenPipeError:
        stop_output()
        return NOBODY_READS
    except OSError as lost:
        stop_output()
        lines[-1] += "" if own else f"; {_os_error(lost)}"
    for line in lines:
        print(f"oddwatch: {shown(line)}", file=sys.stderr)
    return status


def _explain(error: Exception, *, debug: bool) -> tuple[str, int]:
    if isinstance(error, ModuleNotFoundError):
        error = _of_missing(error)
    if isinstance(error, MonitorError):
        return str(error), error.exit_status
    if any(kind.__module__ == "models.errors" for kind in type(error).__mro__):
        return str(error), 2 if type(error).__name__ in WRONG_USE else 1
    message = getattr(error, "format_message", None)  # of typer's own errors, whichever its version
    if message is not None:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "oddwatch"
        return f"{message()} (see: {command} --help)", 2
    if type(error).__name__ == "Abort":  # typer's word for Ctrl-C
        return "interrupted", INTERRUPTED
    if isinstance(error, OSError):
        return _os_error(error), 1
    hint = "" if debug else "; --debug shows the trace"
    return f"unexpected {type(error).__name__}: {error}{hint}", 1


def _of_missing(error: ModuleNotFoundError) -> Exception:
    """What to say of a package that is not there: small installs leave out much, such as torch."""
    package = (error.name or OURS[0]).partition(".")[0]
    if package in OURS:
        return error
    return UsageError(
        f"{package} is not installed here, and this command needs it: {to_have(package)}"
    )


def _os_error(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"
