"""The report as one HTML page that needs nothing beside it: styles inline, pictures inside.

Everything that comes from outside is escaped; there is no script.
"""

import base64
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from types import MappingProxyType

from monitor.computed import NAMES
from monitor.errors import StoreError
from monitor.evaluation.page_style import PAGE, STYLE
from monitor.evaluation.report import PROTOCOLS, Figures, Report, said_alerts, say_share, shown
from monitor.files import write_together
from monitor.names import counted

log = logging.getLogger(__name__)

_INSIDE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=]+)"')


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One plot: the stem of its file's name, what a reader should see in it, and the PNG."""

    name: str
    caption: str
    png: bytes


HEADLINES = {
    "auroc_causal": "AUROC, live",
    "auroc_micro": "AUROC, as in papers",
    "auroc_macro": "AUROC, mean of videos",
    "ap": "Average precision",
    "eer": "Equal error rate",
    "f1_max": "F1 max (oracle)",
    "pixel_auroc": "Pixel AUROC",
    "aupro": "AUPRO",
    "false_alarm_rate_measured": "False alarms per day",
    "detection_delay_s": "Detection delay, s",
}
COLUMNS = {
    "auroc_causal": "AUROC live",
    "auroc_micro": "AUROC papers",
    "auroc_macro": "AUROC mean",
    "ap": "AP",
}

ALERTS = {
    "video": "",
    "start_s": "from, s",
    "end_s": "to, s",
    "peak_s": "highest at, s",
    "peak_score": "highest score",
    "peak_p_value": "its p-value",
    "reason": "what spoke",
    "ended_by": "cut short by",
}
ALERTS_SHOWN = 100  # `alerts.csv` has the others

_TABLE_TEXT = (
    "A rule is one way of turning what the detector saw into a score. A baseline learns nothing:"
    " clock is the time since the clip began, flow_magnitude the fastest motion in the picture."
)


FACTS = ("preset", *NAMES, "seed", "seconds", "fps", "threshold")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What differs from one kind of report to the next; texts are plain and escaped here."""

    subtitle: str
    verdict: str  # in a sentence or two, what the figures come to
    cards: Sequence["Card"] = ()
    alerts: str = ""  # HTML
    table_title: str = ""
    table_text: str = ""
    table: str = ""  # HTML, see `html_table`; what is empty is left out with its heading
    facts: Sequence[str] = FACTS  # figures


@dataclass(frozen=True)
class Card:
    """One figure: its name, itself, what must be read beside it."""

    name: str
    value: float | None
    details: Sequence[str] = ()
    digits: int = 3


def write_report(
    folder: Path,
    report: Report,
    pictures: Sequence[Picture] = (),
    parts: Parts | None = None,
    tables: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Writes `report.json`, `report.html`, the tables and a PNG per picture; as `write_page`."""
    files = dict(tables)
    files["report.html"] = html_page(report, pictures, parts)
    files["report.json"] = report.json()
    write_page(folder, "report.html", files, pictures)


def write_page(
    folder: Path, page: str, files: Mapping[str, str], pictures: Sequence[Picture]
) -> None:
    """Writes a page, the files beside it and its pictures, all of them or none.

    Then what only the page before had is removed: pictures, which are in it to the byte, terms
    and alerts.

    Raises:
        StoreError: If they cannot be written; what was there before is unchanged.
    """
    before = _pictures_of(folder / page)
    if "scores.csv" in files and (folder / "scores.csv").is_file():
        before += [folder / "terms.csv", folder / "alerts.csv"]
    whole: dict[str, bytes | str] = {f"{picture.name}.png": picture.png for picture in pictures}
    whole |= files
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_together(folder, whole)
    except OSError as error:
        raise StoreError(
            f"cannot write results to {folder}: {error.strerror or error}; "
            "what was there before is unchanged"
        ) from error
    for path in before:
        if path.name not in whole:
            with suppress(OSError):
                path.unlink()


def _pictures_of(page: Path) -> list[Path]:
    """The PNGs beside a page that are inside it, too: its own, and never a user's."""
    try:
        inside = set(map(base64.b64decode, _INSIDE.findall(page.read_text("utf-8"))))
        sizes = set(map(len, inside))
        beside = [p for p in page.parent.glob("*.png") if p.is_file()]
        return [p for p in beside if p.stat().st_size in sizes and p.read_bytes() in inside]
    except (OSError, ValueError):
        return []


def drawable(pictures: Iterator[Picture], said: list[str]) -> Iterator[Picture]:
    """Up to the first that cannot be drawn; why goes to `said`, since scores outlive a plot."""
    try:
        yield from pictures
    except Exception as error:  # noqa: BLE001  whatever a drawing library may think of
        what = f"a picture cannot be drawn, and is left out with those that follow it: {error!r}"
        said.append(what)
        log.warning("%s", what)


def html_page(report: Report, pictures: Sequence[Picture] = (), parts: Parts | None = None) -> str:
    """The whole page, a video report's if no `parts` are given; pictures in the order given."""
    figures = report.figures
    parts = video_parts(report) if parts is None else parts
    data = str(figures.get("data") or "scores")
    return PAGE.substitute(
        style=STYLE,
        title=escape(f"{figures['detector']} on {data}"),
        subtitle=escape(parts.subtitle),
        verdict=escape(parts.verdict),
        figures=_section("Figures", "", "".join(map(_card, parts.cards)), "cards"),
        alerts=parts.alerts,
        rules=_section(parts.table_title, parts.table_text, parts.table),
        pictures="".join(_figure(picture) for picture in pictures),
        notes="".join(f"<li>{escape(note)}</li>" for note in report.texts("notes")),
        command=_command(str(figures.get("command") or "")),
        facts="".join(_fact(name, value) for name, value in _fact_rows(report, parts.facts)),
    )


def _section(title: str, text: str, content: str, kind: str = "") -> str:
    said = f'<p class="faint">{escape(text)}</p>' if text else ""
    around = f'<div class="{kind}">{content}</div>' if kind else content
    return f"<h2>{escape(title)}</h2>{said}{around}" if content else ""


def html_table(
    columns: Mapping[str, str],
    groups: Mapping[str, Mapping[str, Figures]],
    own: str = "",
    counts: Collection[str] = (),
) -> str:
    """A table of figures.

    `columns` are names by key, `groups` rows by heading, the row `own` is bold, and the columns
    `counts` hold whole numbers.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *columns.values()))
    body = ""
    for heading, rows in groups.items():
        if heading:
            across = len(columns) + 1
            body += f'<tr class="group"><td colspan="{across}">{escape(heading)}</td></tr>'
        for name, row in rows.items():
            cells = "".join(
                f"<td>{shown(row.get(key), 0 if key in counts else 3)}</td>" for key in columns
            )
            kind = ' class="own"' if name == own else ""
            body += f"<tr{kind}><td>{escape(name)}</td>{cells}</tr>"
    return f"<table><tr>{head}</tr>{body}</table>"


def video_parts(report: Report) -> Parts:
    """The parts of a video report's page; without labels alerts are what it begins with."""
    bare = Parts(subtitle=_subtitle(report), verdict=_verdict(report), alerts=_alerts(report))
    if report.number("prevalence") is None:
        return bare
    return replace(
        bare,
        cards=[
            Card(
                name,
                report.number(key),
                [*_details(report, key)],
                1 if key in {"false_alarm_rate_measured", "detection_delay_s"} else 3,
            )
            for key, name in HEADLINES.items()
        ],
        table_title="Rules and baselines",
        table_text=_TABLE_TEXT,
        table=html_table(
            COLUMNS,
            {
                "": report.table("rules"),
                "baselines, nothing learned": report.table("baselines"),
            },
            own="score",
        ),
    )


def _alerts(report: Report) -> str:
    """A table of the first ones, of columns that say something; empty where there are none."""
    rows = report.rows("alerts")
    more = f"The first {ALERTS_SHOWN} of {len(rows):,}; alerts.csv has the others."
    keys = [key for key in ALERTS if any(row.get(key) not in {None, ""} for row in rows)]
    lines = [[ALERTS[key] for key in keys]]
    lines += [[_cell(key, row.get(key)) for key in keys] for row in rows[:ALERTS_SHOWN]]
    head, *body = ("".join(f"<td>{escape(cell)}</td>" for cell in line) for line in lines)
    table = f"<tr>{head.replace('td>', 'th>')}</tr>" + "".join(f"<tr>{line}</tr>" for line in body)
    text = more if len(rows) > ALERTS_SHOWN else ""
    return _section("Alerts", text, f"<table>{table}</table>") if rows else ""


def _cell(key: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if key.endswith("_s") else f"{value:.3g}"
    return "-" if value is None else str(value)


def _subtitle(report: Report) -> str:
    figures = report.figures
    labels = figures.get("label_source")
    source = f"; labels: {labels}" if labels else ""
    size = (
        f"{figures['n_frames']} frames of {counted(int(report.number('n_videos') or 0), 'video')}"
    )
    return f"{size}, preset {figures['preset']}{source}. Higher scores are more anomalous."


def _verdict(report: Report) -> str:
    live = report.number("auroc_causal")
    alerts = f"{said.capitalize()}." if (said := said_alerts(report)) else ""
    if live is None:
        return f"{alerts} There are no figures of accuracy; the notes say why.".strip()
    compared = str(report.figures["beats_baselines"])
    outscores = f"An anomalous frame outscores a normal one {say_share(live)} of the time."
    return f"{outscores} The score {compared}. {alerts}".strip()


def _card(card: Card) -> str:
    kind = "card none" if card.value is None else "card"
    detail = "".join(f"<small>{escape(text)}</small>" for text in card.details)
    return (
        f'<div class="{kind}"><small>{escape(card.name)}</small>'
        f"<b>{shown(card.value, card.digits)}</b>{detail}</div>"
    )


def _details(report: Report, key: str) -> Iterable[str]:
    """What must be read beside a figure, then how it is defined."""
    figures = report.figures
    interval = figures.get("auroc_causal_interval")
    if key == "auroc_causal" and isinstance(interval, list):
        yield f"95 % interval over videos {interval[0]:.3f} to {interval[1]:.3f}"
    if key == "ap":
        yield f"prevalence {shown(report.number('prevalence'))}"
    if key == "false_alarm_rate_measured":
        yield f"promised {shown(report.number('false_alarm_rate_promised'), 1)}"
        seen = report.number("normal_footage_s")
        yield "" if seen is None else f"{figures['false_alarms']} in {seen / 60:.1f} min of normal"
    if key == "detection_delay_s" and figures.get("events_total") is not None:
        yield f"{figures['events_found']} of {figures['events_total']} events found"
    single = figures.get("single_class_videos")
    if key == "auroc_macro" and isinstance(single, Mapping) and single["count"]:
        yield f"{single['count']} single-class videos skipped"
    yield PROTOCOLS[key]


def _figure(picture: Picture) -> str:
    width, height = _png_size(picture.png)
    kind = ' class="wide"' if width > 1.4 * height or picture.name.endswith("sheet") else ""
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure{kind}><img alt="{escape(picture.caption)}" width="{width}" height="{height}"'
        f' src="data:image/png;base64,{data}"><figcaption>{escape(picture.caption)}</figcaption>'
        "</figure>"
    )


def _png_size(png: bytes) -> tuple[int, int]:
    """From the header chunk, bytes 16 to 24 (PNG specification, 11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _command(command: str) -> str:
    return f"<pre>{escape(command)}</pre>" if command else ""


def _fact_rows(report: Report, keys: Sequence[str]) -> Iterable[tuple[str, object]]:
    for key in keys:
        yield key, report.figures.get(key)
    versions = report.figures.get("versions")
    if isinstance(versions, Mapping):
        yield from versions.items()


def _fact(name: str, value: object) -> str:
    text = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
