import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import monitor.sources
import monitor.stills.model
from monitor.cli.config_needs import Need, analysed, needs_of, say_bytes
from monitor.config.settings import CameraSettings, EngineSettings, RetentionSettings, Settings
from monitor.errors import SourceError
from monitor.model import Model
from monitor.runtimes import Exported, Facts, choosing
from monitor.runtimes.graphs import GraphError, Run
from monitor.sources.source import Source
from tests.monitor.cli.calling import Answer, call
from tests.monitor.config.files import ONE, write
from tests.monitor.hidden import hide
from tests.monitor.watched import Light, Scripted, film, light_model

Capsys = pytest.CaptureFixture[str]
QUIET = "[api]\nport = 0\n"
LEARNS = QUIET + ONE + 'learn = "1 h"\n'


def check(capsys: Capsys, folder: Path, text: str, *words: str) -> Answer:
    return call(capsys, "check", write(folder, text), *words)


def test_a_configuration_that_works(capsys: Capsys, tmp_path: Path) -> None:
    answer = check(capsys, tmp_path, LEARNS)
    assert (answer.status, answer.err) == (0, "")
    assert "watch.toml: 1 camera\n" in answer.out
    assert "needs     /dev/shm: about 3.69 MB" in answer.out
    assert "4 slots x 3 bytes x 307,200 pixels of 1 camera" in answer.out
    assert "verdict   it can be watched; --probe connects to the cameras" in answer.out
    assert not (tmp_path / "oddwatch").exists()  # nothing is made by looking


def test_the_same_for_programs(capsys: Capsys, tmp_path: Path) -> None:
    (found,) = check(capsys, tmp_path, LEARNS, "--json").lines
    assert (found["works"], found["cameras"], found["findings"]) == (True, 1, [])
    assert [need["what"] for need in found["needs"]] == ["/dev/shm", "memory", "disk", "rate"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE + "lop = true\n", 'watch.toml:4: camera "door": lop: there is no such key; did you'),
        (QUIET, "watch.toml: expected a camera to watch, found none; add a [[camera]]"),
        (QUIET + ONE, 'camera "door": has nothing to judge by'),
        (QUIET + ONE + 'model = "none.pt"\n', 'camera "door": model: '),
        (LEARNS + 'detector = "fuson"\n', "detector: fuson is not known; did you mean fusion?"),
        (LEARNS + 'detector = "nsa"\n', "detector: nsa judges still pictures, and a camera learns"),
        (LEARNS + 'schedule = ["mon-fry"]\n', "'fry' is no day"),
        (LEARNS + "exclude = [[[0,0],[1,0],[1,1],[0,1]]]\n", "leave nothing of the picture"),
        (LEARNS + 'user = "env:NONE_SUCH"\n', "env:NONE_SUCH: the environment variable is not set"),
        (LEARNS.replace("rtsp://192.0.2.1/a", "gone.mp4"), "url: there is nothing at "),
        ('[engine]\nfolder = "watch.toml/x"\n' + LEARNS, "is a file, expected a folder"),
        (
            '[engine]\nstore = "mysql://h/db"\n' + LEARNS,
            "[engine]: store: the store cannot be mysql://",
        ),
        (
            '[engine]\nstore = "postgresql://joe:hunt er@22@[::1/x"\n' + LEARNS,
            "[engine]: store: the store's database URL cannot be read: expected a path, or a URL",
        ),
        (
            LEARNS.replace("port = 0", 'port = 0\nadmins = ["env:SHORT"]'),
            "[api]: admins, item 1: a token of 5 characters, or with odd ones: expected 16 or more",
        ),
        (LEARNS.replace("port = 0", 'host = "192.0.2.77"\nadmins = ["env:LONG"]'), "no address of"),
    ],
)
def test_what_will_not_work_is_one_line_and_a_failure(
    capsys: Capsys, tmp_path: Path, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT", "hunt2")
    monkeypatch.setenv("LONG", "0123456789abcdef")
    monkeypatch.setattr("monitor.missing.is_there", lambda _: True)  # psycopg comes with an extra
    answer = check(capsys, tmp_path, text)
    errors = [line for line in answer.out.splitlines() if line.startswith("  error ")]
    assert (answer.status, len(errors)) == (1, 1)
    assert said in errors[0]
    assert "hunt" not in answer.out
    assert "it will not work as it is" in answer.out


def test_cameras_that_nobody_looked_at_are_not_counted(capsys: Capsys, tmp_path: Path) -> None:
    answer = check(capsys, tmp_path, ONE + ONE)
    head, error, _ = answer.out.splitlines()
    assert head.endswith("watch.toml: no usable configuration")
    assert 'watch.toml:5: camera "door": name: two cameras are named' in error
    (found,) = check(capsys, tmp_path, ONE + ONE, "--json").lines
    assert (found["works"], found["cameras"]) == (False, None)


def test_an_install_without_the_engine_s_packages_names_them_all(
    capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, "psutil", "fastapi", "apprise", "psycopg")
    answer = check(capsys, tmp_path, LEARNS)
    errors = [line for line in answer.out.splitlines() if line.startswith("  error ")]
    assert (answer.status, errors) == (
        1,
        ["  error     the engine needs fastapi, psutil, not installed here: "
         "pip install fastapi psutil"],
    )  # fmt: skip
    assert "it will not work as it is" in answer.out
    store = '[engine]\nstore = "postgresql://192.0.2.1/a"\n'
    answer = check(capsys, tmp_path, store + LEARNS)
    assert "PostgreSQL needs psycopg[binary], not installed here: pip install 'odd" in answer.out
    mail = '[[notice]]\nkind = "apprise"\nurl = "json://127.0.0.1"\n'
    answer = check(capsys, tmp_path, LEARNS + mail)
    assert "a [[notice]] of apprise needs apprise, not installed here: pip install" in answer.out


def test_cameras_that_are_all_switched_off_are_a_warning(capsys: Capsys, tmp_path: Path) -> None:
    answer = check(capsys, tmp_path, LEARNS + "enabled = false\n")
    assert answer.status == 0
    assert "no camera is enabled: nothing is watched" in answer.out


@pytest.mark.parametrize("words", [(), ("--headless",)])
def test_watching_nothing_is_a_wrong_use(
    capsys: Capsys, tmp_path: Path, words: tuple[str, ...]
) -> None:
    answer = call(capsys, "watch", write(tmp_path, QUIET), *words)
    said = "expected a camera to watch, found none; add a [[camera]] with name and url"
    assert answer.err == f"oddwatch: {tmp_path}/watch.toml: {said}\n"
    assert (answer.status, answer.out) == (2, "")
    assert not (tmp_path / "oddwatch").exists()


def test_a_port_that_is_taken_may_be_the_engine_s_own(capsys: Capsys, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = check(capsys, tmp_path, LEARNS.replace("port = 0", f"port = {port}"))
    assert answer.status == 0
    assert f"warning   [api]: port {port} is taken; by an engine that runs already?" in answer.out


URL = "rtsp://me:hunter2@192.0.2.1/a"


def test_cameras_are_looked_at_and_no_secret_is_said(
    capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(url: str, *, patience_s: float) -> Source:
        asked.append(url)
        if "dead" in url:
            raise SourceError(f"{url}: no answer to hunter2")
        return Scripted(2)

    monkeypatch.setattr(monitor.sources, "open_source", opened)
    monkeypatch.setenv("PW", "hunter2")
    login = 'user = "me"\npassword = "env:PW"\n'
    text = (
        LEARNS + login + LEARNS.removeprefix(QUIET).replace("door", "yard").replace("1/a", "1/dead")
    )
    answer = check(capsys, tmp_path, text + login, "--probe")
    assert sorted(asked) == [URL, URL.replace("/a", "/dead")]
    assert answer.status == 1
    assert "camera    door: rtsp://192.0.2.1/a: 64x48, 10.0 frames per second" in answer.out
    assert "camera    yard: rtsp://192.0.2.1/dead: nothing" in answer.out
    assert 'error     camera "yard": rtsp://192.0.2.1/dead: no answer to ***' in answer.out
    assert "4 slots x 3 bytes x 310,272 pixels of 2 cameras" in answer.out  # 64x48 and 640x480
    told = check(capsys, tmp_path, text + login, "--probe", "--json")
    assert "hunter2" not in answer.out + answer.err + told.out + told.err
    assert told.lines[0]["probed"][0]["size"] == [48, 64]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Model]:
    known: dict[str, Model] = {}
    monkeypatch.setattr(monitor.stills.model, "open_model", lambda path: known[path.name])
    return known


def test_a_model_must_be_calibrated_and_fit_the_picture(
    capsys: Capsys, tmp_path: Path, models: dict[str, Model]
) -> None:
    film(tmp_path / "room.mp4", 1)
    text = QUIET + '[[camera]]\nname = "room"\nurl = "room.mp4"\nmodel = "m.pt"\n'
    models["m.pt"] = Model(Light().eval())
    answer = check(capsys, tmp_path, text)
    assert 'error     camera "room": model: the model has no calibration' in answer.out
    models["m.pt"] = light_model()
    assert check(capsys, tmp_path, text, "--probe").status == 0
    models["m.pt"].provenance["source_size"] = [48, 90]
    answer = check(capsys, tmp_path, '[engine]\nruntime = "openvino"\n' + text)
    assert 'error     camera "room": model: a model of train runs on torch: for' in answer.out
    answer = check(capsys, tmp_path, text, "--probe")
    assert 'error     camera "room" is 64x48, the model learned on 90x48' in answer.out


OF_MODEL = QUIET + '[[camera]]\nname = "room"\nurl = "room.mp4"\nmodel = "m.pt"\n'
HALF = '[engine]\nruntime = "torch-half"\n'
NO_GPU = "[engine]: runtime torch-half computes on a CUDA device, got cpu: take runtime auto, or"


def exported(**facts: object) -> Model:
    spec = Light().spec
    about = Facts("light", "video", "lite", spec, "onnx", "fp32", (), 0)
    model = Model(Exported(replace(about, **facts), (b"graph",)))  # type: ignore[arg-type]
    return replace(model, calibration=light_model().calibration)


def made(wrong: str) -> Callable[[Exported, int | None, int], Run]:
    def make(*_: object) -> Run:
        if wrong:
            raise GraphError(wrong)
        return lambda _clips: []

    return make


@pytest.mark.parametrize(
    ("model", "text", "gpu", "said"),
    [
        (light_model(), HALF, False, NO_GPU),
        (light_model(), HALF, True, ""),
        (exported(), HALF, False, NO_GPU),
        (exported(), HALF, True, "runtime torch-half does not take a model exported to onnx"),
        (exported(), '[engine]\nruntime = "torch"\n', False, "runtime torch does not take a model"),
        (exported(), '[engine]\nruntime = "opencv"\n', False, "runtime opencv does not take a mod"),
        (exported(), '[engine]\nruntime = "openvino"\n', False, "openvino: not this one"),
        (exported(), '[engine]\nruntime = "onnxruntime"\n', False, ""),
        (exported(), "", False, ""),  # one of the two does
        (exported(graph="openvino"), "", False, 'camera "room": model: openvino: not this one'),
        (exported(), '[engine]\ndevice = "cuda"\n', True, "m.pt is an exported model, which runs"),
        (light_model(), '[engine]\nruntime = "opencv"\n', True, "a model of train runs on torch"),
    ],
)
def test_a_runtime_that_cannot_run_a_model_is_said_in_one_line(  # noqa: PLR0917
    capsys: Capsys,
    tmp_path: Path,
    models: dict[str, Model],
    monkeypatch: pytest.MonkeyPatch,
    model: Model,
    text: str,
    gpu: bool,  # noqa: FBT001
    said: str,
) -> None:
    monkeypatch.setattr("monitor.model._has_cuda", lambda: gpu)
    monkeypatch.setattr(choosing, "installed", lambda facts: choosing.TAKES[facts.graph])
    runs = {"openvino": made("openvino: not this one"), "onnxruntime": made("")}
    monkeypatch.setattr(choosing, "RUNS", runs)
    monkeypatch.setattr(choosing, "measured", None)  # looking measures nothing
    film(tmp_path / "room.mp4", 1)
    models["m.pt"] = model
    answer = check(capsys, tmp_path, text + OF_MODEL)
    errors = [line for line in answer.out.splitlines() if line.startswith("  error ")]
    assert [said in line for line in errors] == ([True] if said else [])
    assert answer.status == bool(said)


def camera(**values: object) -> CameraSettings:
    return CameraSettings.model_validate({"name": "a", "url": "0", **values})


def test_the_picture_that_is_analysed_is_never_larger_than_the_source() -> None:
    assert analysed(camera(width=640), (1080, 1920)) == (360, 640)
    assert analysed(camera(width=640), (240, 320)) == (240, 320)
    assert analysed(camera(width=640), None) == (480, 640)


def test_the_arithmetic_of_needs() -> None:
    settings = Settings(
        engine=EngineSettings(capture="thread"),
        retention=RetentionSettings(days=10, least_free_bytes=0),
        camera=[
            camera(score_fps=4, floor_s=2, false_alarms_per_day=2),
            camera(name="b", gate=False, score_fps=1),
            camera(name="c", enabled=False),
        ],
    )
    rings, memory, disk, rate = needs_of(settings, {"a": (360, 640)})
    assert rings.amount == 4 * 3 * (360 * 640 + 480 * 640)
    assert memory.amount == 850_000_000 + 2 * 30 * 500_000
    assert disk.amount == 10 * 3 * (20 * 500_000 + 400_000)
    assert rate.amount == 5
    assert "1.5 while none does" in rate.text


def test_evidence_takes_no_more_than_it_may() -> None:
    keep = RetentionSettings(days=1000, most_bytes=5_000_000, least_free_bytes=7)
    assert needs_of(Settings(retention=keep, camera=[camera()]), {})[2].amount == 5_000_007


def test_what_is_not_known_is_enough() -> None:
    assert Need("x", 5.0, "").enough
    assert not Need("x", 5.0, "", 4.0).enough
    assert [say_bytes(n) for n in (850, 12_500_000, 3.21e9)] == ["0.85 kB", "12.5 MB", "3.21 GB"]
