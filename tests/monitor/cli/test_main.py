"""What every command shares: help, versions, and one line for each failure."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import monitor
from models.errors import CheckpointError, OptionError, UnknownDetectorError
from monitor.__main__ import main as program
from monitor.cli import detectors
from monitor.errors import SourceNotFoundError, UsageError
from tests.monitor.cli.calling import call

Capsys = pytest.CaptureFixture[str]
HEAVY = ("torch", "av", "cv2", "sqlalchemy", "numpy", "matplotlib", "rich")


def test_help_imports_nothing_heavy_and_is_quick() -> None:
    code = (
        "import sys, time; began = time.process_time()\n"
        "from monitor.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\n"
        "print(time.process_time() - began, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, seconds = done.stderr.splitlines()
    assert heavy == "[]"
    assert float(seconds) < 0.5
    for command in ("demo", "detectors", "check", "train", "calibrate", "score", "watch", "events"):
        assert f"\n  {command} " in done.stdout


def test_judging_a_picture_waits_for_no_database() -> None:
    code = (
        "import sys; import monitor.cli.inspect_lines, monitor.stills.inspecting;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['av', 'cv2', 'numpy']\n"


@pytest.mark.parametrize(
    "command",
    [
        *(("demo",), ("detectors",), ("check",), ("train",), ("calibrate",), ("score",)),
        *(("inspect",), ("compare",), ("watch",), ("tui",), ("status",), ("doctor",)),
        *(("export",), ("bench",)),
        *(("events", name) for name in ("list", "show", "ack", "pin", "label", "unlabel")),
        ("events", "export"),
        *(("cluster", name) for name in ("up", "status", "drain", "down", "api")),
    ],
)
def test_every_command_has_help_with_an_example(capsys: Capsys, command: tuple[str, ...]) -> None:
    answer = call(capsys, *command, "--help")
    assert answer.status == 0
    assert f"oddwatch {' '.join(command)}" in answer.out.partition("xample")[2]


def test_a_home_that_cannot_be_written_is_not_worth_a_word() -> None:
    code = (
        "from monitor.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "import matplotlib; matplotlib.get_cachedir()"
    )
    homeless = os.environ | {"MPLCONFIGDIR": "/dev/null/matplotlib"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=homeless, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_no_command_shows_the_help(capsys: Capsys) -> None:
    answer = call(capsys)
    assert (answer.status, answer.err) == (0, "")
    assert "Usage: oddwatch" in answer.out


def test_the_version(capsys: Capsys) -> None:
    assert call(capsys, "--version").out == f"oddwatch {monitor.__version__}\n"


def test_python_m_monitor_is_the_same() -> None:
    root = Path(monitor.__file__).parents[1]
    words = [sys.executable, "-m", "monitor", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout == f"oddwatch {monitor.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (SourceNotFoundError("a.mp4: nothing there"), 1, "a.mp4: nothing there"),
        (UsageError("not both"), 2, "not both"),
        (CheckpointError("no model\nof ours"), 1, "no model of ours"),
        (OptionError("no option 'x'"), 2, "no option 'x'"),
        (UnknownDetectorError("no detector 'x'"), 2, "no detector 'x'"),
        (PermissionError(13, "Permission denied", "a.pt"), 1, "a.pt: Permission denied"),
        (
            ModuleNotFoundError("No module named 'kornia'", name="kornia.filters"),
            2,
            "kornia is not installed here, and this command needs it: pip install kornia",
        ),
        (
            ModuleNotFoundError("No module named 'onnx'", name="onnx"),
            2,
            "onnx is not installed here, and this command needs it: pip install 'oddwatch[export]'",
        ),
        (
            ModuleNotFoundError("No module named 'monitor.x'", name="monitor.x"),
            1,
            "unexpected ModuleNotFoundError: No module named 'monitor.x'; --debug shows the trace",
        ),
        (
            ZeroDivisionError("by 0"),
            1,
            "unexpected ZeroDivisionError: by 0; --debug shows the trace",
        ),
    ],
)
def test_a_failure_is_one_line_and_a_status(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, line: str
) -> None:
    monkeypatch.setattr(detectors, "_rows", _raiser(error))
    answer = call(capsys, "detectors")
    assert (answer.status, answer.out, answer.err) == (status, "", f"oddwatch: {line}\n")
    answer = call(capsys, "detectors", "--json")
    assert answer.lines == [{"error": line, "exit_status": status}]


def test_each_fault_of_a_configuration_is_a_line_of_its_own(capsys: Capsys, tmp_path: Path) -> None:
    config = tmp_path / "watch.toml"
    config.write_text('[engine]\nlgo = "info"\n[api]\nport = 70000\n')
    first, second = call(capsys, "watch", config, "--headless").err.splitlines()
    assert first.startswith(f"oddwatch: {config}:2: [engine]: lgo: there is no such key")
    assert second == f"oddwatch: {config}:4: [api]: port: expected at most 65535, got 70000"


def _raiser(error: BaseException) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_debug_shows_the_trace_wherever_it_stands(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detectors, "_rows", _raiser(ZeroDivisionError("by 0")))
    for words in (("--debug", "detectors"), ("detectors", "--debug")):
        answer = call(capsys, *words)
        assert answer.err.startswith("Traceback")
        assert answer.err.splitlines()[-1] == "oddwatch: unexpected ZeroDivisionError: by 0"


def test_an_interrupt_is_said_in_a_line(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "_rows", _raiser(KeyboardInterrupt()))
    answer = call(capsys, "detectors")
    assert (answer.status, answer.err.strip()) == (130, "oddwatch: interrupted")


def test_wrong_use_is_said_in_a_line(capsys: Capsys) -> None:
    answer = call(capsys, "watc")
    assert answer.status == 2
    assert answer.err.startswith("oddwatch: No such command 'watc'")
    assert answer.err.count("\n") == 1
    answer = call(capsys, "watch", "a.mp4")
    assert answer.status == 2
    assert "--model" in answer.err
    assert answer.err.endswith("(see: oddwatch watch --help)\n")


@pytest.mark.parametrize(
    ("words", "after"),
    [
        (("inspect", "cae.pt", ""), "cae.pt"),
        (("check", ""), "check"),
        (("score", "m.pt", "a.mp4", "-o", ""), "-o"),
        (("score", "m.pt", "a.mp4", "--out="), "--out"),
        (("",), "oddwatch"),
    ],
)
def test_an_empty_word_is_not_the_current_folder(
    capsys: Capsys, words: tuple[str, ...], after: str
) -> None:
    answer = call(capsys, *words)
    assert answer.err.startswith(f"oddwatch: empty text after {after}: expected a value, such as")
    assert (answer.status, answer.out, answer.err.count("\n")) == (2, "", 1)


def test_a_note_may_be_empty(capsys: Capsys) -> None:
    for words in (("--note", ""), ("--note=",)):
        answer = call(capsys, "events", "label", "01", "normal_here", *words)
        assert "empty text" not in answer.err


def test_an_interrupt_of_the_first_imports_is_said_in_a_line(
    capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished = ModuleType("monitor.cli")
    monkeypatch.setattr(unfinished, "__getattr__", _raiser(KeyboardInterrupt()), raising=False)
    monkeypatch.setitem(sys.modules, "monitor.cli", unfinished)
    with pytest.raises(SystemExit) as left:
        program()
    assert (left.value.code, capsys.readouterr().err) == (130, "oddwatch: interrupted\n")


def test_an_interrupt_within_an_exec_ends_with_the_status_too(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(
        "import sys, types, monitor.__main__ as program\n"
        "def stop(*_): exec('raise KeyboardInterrupt')\n"
        "sys.modules['monitor.cli'] = types.SimpleNamespace(main=stop)\n"
        "program.main()"
    )
    beside = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, env=beside, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "oddwatch: interrupted\n")


def test_a_reader_that_hangs_up_is_no_failure_worth_a_word() -> None:
    code = "from monitor.cli import main; main(['--help'])"
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    assert running.stderr.read() == b""
    running.stderr.close()
    assert running.wait(timeout=60) == 1


def test_detectors_are_told_with_their_papers(capsys: Capsys) -> None:
    from models.registry import DETECTORS

    found = call(capsys, "detectors", "--json").lines[0]
    assert [row["name"] for row in found] == list(DETECTORS)
    assert all(row["map"] for row in found)
    heads, *rows = call(capsys, "detectors").out.splitlines()
    assert heads.split() == ["name", "kind", "map", "presets", "paper"]
    assert len({row.index(found[i]["paper"]) for i, row in enumerate(rows)}) == 1  # aligned
