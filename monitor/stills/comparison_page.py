"""A comparison as one HTML page that needs nothing beside it; all from outside is escaped."""

import base64
from collections.abc import Sequence
from html import escape
from string import Template

from monitor.evaluation.page import Picture
from monitor.stills.comparing import Terms
from monitor.stills.comparison import MEANINGS, Row, table_of

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; --ink: #22272e; --faint: #5d6671; --rule: #dde1e6 }
body { margin: 0; background: #f6f7f9; color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 90rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem }
h1 { font-size: 1.9rem; margin: 0 0 .3rem; letter-spacing: -.02em }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .8rem }
.faint { color: var(--faint); font-size: .9rem; max-width: 60rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; background: #fff; border: 1px solid var(--rule);
  font-variant-numeric: tabular-nums; min-width: 60% }
th, td { text-align: right; padding: .45rem .8rem; border-bottom: 1px solid var(--rule);
  white-space: nowrap }
th:first-child, td:first-child { text-align: left }
th { font-size: .85rem; color: var(--faint) } td.best { font-weight: 700 }
td.failed { text-align: left; color: #a33; white-space: normal }
figure { margin: 0 0 1rem; background: #fff; border: 1px solid var(--rule); border-radius: 8px;
  padding: 1rem; overflow-x: auto }
figure img { display: block; max-width: 100%; height: auto }
figure.sheet img { max-width: none }
figcaption { color: var(--faint); font-size: .9rem; margin-top: .5rem }
pre { background: #22272e; color: #eef1f4; padding: 1rem 1.2rem; border-radius: 8px;
  overflow-x: auto; font-size: .85rem }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="faint">$subtitle</p>
<div class="wide">$table</div>
<p class="faint">$meanings</p>
<h2>Pictures</h2>
$pictures
<h2>Notes</h2>
<ul>$notes</ul>
<h2>How to do it again</h2>
<pre>$command</pre>
</main>
</body>
</html>
""")


def comparison_page(
    terms: Terms,
    rows: Sequence[Row],
    pictures: Sequence[Picture],
    *,
    notes: Sequence[str] = (),
    command: str = "",
) -> str:
    """The whole page."""
    return _PAGE.substitute(
        title=escape(f"Detectors compared on {terms.data}"),
        subtitle=escape(f"{say_terms(terms)}. Protocol: {terms.protocol}"),
        table=_table(rows),
        meanings=escape(f"{MEANINGS}."),
        pictures="".join(map(_figure, pictures)),
        notes="".join(f"<li>{escape(note)}</li>" for note in notes),
        command=escape(command),
    )


def say_terms(terms: Terms) -> str:
    """Preset and budget of each run."""
    spans = [] if terms.minutes is None else [f"{terms.minutes:g} minutes"]
    spans += [] if terms.steps is None else [f"{terms.steps:,} steps"]
    return f"Each learned for {' or '.join(spans)}, preset {terms.preset}"


def _table(rows: Sequence[Row]) -> str:
    heads, cells = table_of(rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    best = _best(heads, cells)
    lines = [
        "".join(_cell(text, (y, x) in best) for x, text in enumerate(line))
        for y, line in enumerate(cells)
    ]
    lines += [
        f'<td>{escape(row.label)}</td><td class="failed" colspan="{len(heads) - 1}">'
        f"{escape(row.error)}</td>"
        for row in rows
        if row.error
    ]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _cell(text: str, best: bool) -> str:  # noqa: FBT001
    kind = ' class="best"' if best else ""
    return f"<td{kind}>{escape(text)}</td>"


def _best(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> set[tuple[int, int]]:
    """Where the highest figures of accuracy stand."""
    places: set[tuple[int, int]] = set()
    for x, name in enumerate(heads):
        if name in ("AUROC", "AP", "F1", "pixel AUROC", "AUPRO") and len(cells) > 1:
            column = [line[x].split()[0] for line in cells]
            top = max((text for text in column if text != "-"), default=None)
            places |= {(y, x) for y, text in enumerate(column) if text == top}
    return places


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    kind = ' class="sheet"' if picture.name == "contact_sheet" else ""
    caption = escape(picture.caption)
    return (
        f'<figure{kind}><img alt="{caption}" src="data:image/png;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
