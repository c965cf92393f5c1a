"""How the page of a report looks, and where its parts stand."""

from string import Template

STYLE = """
:root { color-scheme: light; --ink: #22272e; --faint: #5d6671; --rule: #dde1e6; --blue: #0072b2 }
* { box-sizing: border-box }
body { margin: 0; background: #f6f7f9; color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 66rem; margin: 0 auto; padding: 3rem 1.5rem 5rem }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.02em }
h2 { font-size: 1.15rem; margin: 3rem 0 .8rem }
p { max-width: 46rem } .faint, figcaption { color: var(--faint); font-size: .9rem }
.verdict { font-size: 1.1rem; border-left: 4px solid var(--blue); padding-left: 1rem }
.cards { display: grid; grid-template-columns: repeat(5, minmax(0, 1fr)); gap: .8rem }
.card { background: #fff; border: 1px solid var(--rule); border-radius: 8px; padding: .9rem 1rem }
.card b { display: block; font-size: 1.75rem; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums }
.card small { display: block; color: var(--faint); font-size: .8rem; line-height: 1.4 }
.card.none b { color: #9aa3ad }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid var(--rule);
  font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .5rem .9rem; border-bottom: 1px solid var(--rule) }
th:first-child, td:first-child { text-align: left } th { font-size: .85rem; color: var(--faint) }
tr.own td { font-weight: 700 } tr.group td { background: #f6f7f9; color: var(--faint);
  font-size: .85rem; text-align: left }
figure { margin: 0; background: #fff; border: 1px solid var(--rule); border-radius: 8px;
  padding: 1rem; min-width: 0 }
figure.wide { grid-column: span 2 } figure img { display: block; max-width: 100%; height: auto }
.gallery { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem }
pre { background: #22272e; color: #eef1f4; padding: 1rem 1.2rem; border-radius: 8px;
  overflow-x: auto; font-size: .85rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; font-size: .9rem }
dt { color: var(--faint) } dd { margin: 0; overflow-wrap: anywhere }
@media (max-width: 60rem) { .cards { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .gallery { grid-template-columns: minmax(0, 1fr) } figure.wide { grid-column: auto } }
@media print { body { background: #fff } .card, figure, tr { break-inside: avoid } }
"""

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="faint">$subtitle</p>
<p class="verdict">$verdict</p>
$figures
$alerts
$rules
<h2>Pictures</h2>
<div class="gallery">$pictures</div>
<h2>Notes</h2>
<ul>$notes</ul>
<h2>How to do it again</h2>
$command
<dl>$facts</dl>
</main>
</body>
</html>
""")
