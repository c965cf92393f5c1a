"""`oddwatch demo`: learn, calibrate and watch footage that the package carries; say how it went."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.events import DATABASE
from monitor.cli.one_camera import on_terminal, write_config
from monitor.cli.printing import print_json, say_clock, say_span
from monitor.cli.progress import LongWork
from monitor.cli.quiet import quiet_sources
from monitor.errors import StoreError

if TYPE_CHECKING:
    from monitor.demo import Scene, Verdict
    from monitor.demo.trial import Watched
    from monitor.model import Model
    from monitor.records import Alert

FOLDER = Path("oddwatch-demo")
MINUTES = 1.0  # the whole then stays under three on two cores
CURVE, SHEET, MODEL = "score_curve.png", "alerts.png", "demo.pt"


def demo(
    *,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for all that is made.")
    ] = FOLDER,
    minutes: Annotated[float, typer.Option(min=0.01, help="Learn so long.")] = MINUTES,
    seed: Annotated[int, typer.Option(help="Of the learning.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    headless: Annotated[
        bool, typer.Option("--headless", help="Print lines; no dashboard at the end.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object at the end, for programs.")
    ] = False,
) -> None:
    """See it work, without a camera, data or a network.

    Learns 42 seconds of real traffic, then watches the rest, into which five anomalies were put:
    too fast, wrong way, a thing that does not belong, wrong place, stopped; and, as a test of the
    test, a car that does nothing wrong. Says what was found, missed and falsely alarmed. On a
    terminal it then shows the same scene live, in a loop, in the dashboard.

    \b
    Example:  oddwatch demo -o /tmp/demo
    """  # noqa: D301
    from monitor.demo import judge
    from monitor.demo.scene import demo_scene
    from monitor.demo.trial import Learning, learn
    from monitor.model import choose_device

    began_s = time.monotonic()
    how = Learning(minutes, seed, choose_device(device))
    try:
        scene = demo_scene(out)
    except OSError as error:
        raise StoreError(f"{out}: the demo cannot write there: {error.strerror}") from error
    with quiet_sources(), LongWork() as work:
        model = learn(scene, out / MODEL, how, log=work.step, progress=work.frames)
    watched = _watch(scene, model, out, as_json=as_json)
    verdict = judge(scene.events, watched.alerts)
    pictures = _draw(watched, verdict, model, out)
    took_s = time.monotonic() - began_s
    if as_json:
        print_json(_to_plain(verdict, watched, pictures, out) | {"seconds": took_s})
        return
    for line in _report(verdict, pictures, out):
        print(line)
    print(f"all in {say_span(took_s)}")
    if not headless and on_terminal():
        _show_live(scene, out)


def _show_live(scene: "Scene", out: Path) -> None:
    from monitor.cli.live import run_with_dashboard

    print("starting the dashboard on the same scene, in a loop; q leaves it")
    run_with_dashboard(live_config(scene.watch, out))


def live_config(footage: Path, out: Path) -> Path:
    """A configuration in `out` of one camera that plays the demo's scene again and again."""
    return write_config(
        out / "watch.toml",
        name="demo",
        url=str(footage.absolute()),
        model=out / MODEL,
        folder=out / "live",
        loop=True,
    )


def _watch(scene: "Scene", model: "Model", out: Path, *, as_json: bool) -> "Watched":
    from monitor.cli.watch_lines import TextTeller
    from monitor.demo.trial import SOURCE, watch_rest
    from monitor.sources import open_source
    from monitor.store import Store
    from monitor.watching import WatchSettings

    place = out / DATABASE
    teller = TextTeller(str(place), out)
    with Store(str(place)) as store, quiet_sources():
        store.close_orphans()
        if as_json:
            return watch_rest(scene, model, out, store, tell=lambda _event: None)
        named = WatchSettings(name=SOURCE)
        with open_source(scene.watch) as source, teller.about(source, named):
            return watch_rest(scene, model, out, store, tell=teller.tell)


def _draw(watched: "Watched", verdict: "Verdict", model: "Model", out: Path) -> list[Path]:
    from monitor.demo.show import Shot, contact_sheet
    from monitor.evaluation.plots import score_curve
    from monitor.files import write_atomically

    threshold = model.calibrated().rule.enter
    curve = score_curve(watched.scores, threshold=threshold, alerts=watched.alerts)
    write_atomically(out / CURVE, curve)
    shots = [Shot(a, watched.snapshots[a.id]) for a in watched.alerts if a.id in watched.snapshots]
    if not shots:
        return [out / CURVE]
    write_atomically(out / SHEET, contact_sheet(shots, verdict))
    return [out / CURVE, out / SHEET]


def _report(verdict: "Verdict", pictures: list[Path], out: Path) -> Iterator[str]:
    planted = len(verdict.found) + len(verdict.missed)
    yield f"found {len(verdict.found)} of {planted} planted anomalies"
    for found in verdict.found:
        event = found.event
        delay = f"after {say_span(found.delay_s)}"
        yield f"  {say_clock(event.start_s)}  found   {event.kind:<12} {delay:<12} {event.what}"
    for event in verdict.missed:
        yield f"  {say_clock(event.start_s)}  MISSED  {event.kind:<12} {'':<12} {event.what}"
    yield f"false alerts: {len(verdict.false_alerts)}"
    for alert in verdict.false_alerts:
        yield f"  {say_clock(alert.start_s)}  for {say_span(alert.end_s - alert.start_s)}"
    yield f"pictures   {', '.join(map(str, pictures))}"
    yield f"evidence   {out / 'demo'}: a snapshot with heat map and a clip for each alert"
    yield f"events     oddwatch events list --store {out / DATABASE}"
    yield f"footage    {out}: learn.mp4, calibrate.mp4, watch.mp4; the model: {MODEL}"


def _to_plain(
    verdict: "Verdict", watched: "Watched", pictures: list[Path], out: Path
) -> dict[str, Any]:
    def alert(each: "Alert") -> dict[str, Any]:
        return {"id": each.id, "start_s": each.start_s, "end_s": each.end_s}

    def event(kind: str, what: str, start_s: float, end_s: float) -> dict[str, Any]:
        return {"kind": kind, "what": what, "start_s": start_s, "end_s": end_s}

    return {
        "found": [
            event(f.event.kind, f.event.what, f.event.start_s, f.event.end_s)
            | {"delay_s": f.delay_s, "alert": f.alert.id, "reason": f.alert.reason}
            for f in verdict.found
        ],
        "missed": [event(e.kind, e.what, e.start_s, e.end_s) for e in verdict.missed],
        "false_alerts": [alert(each) for each in verdict.false_alerts],
        "alerts": [alert(each) for each in watched.alerts],
        "pictures": [str(path) for path in pictures],
        "events": str(out / DATABASE),
        "folder": str(out),
    }
