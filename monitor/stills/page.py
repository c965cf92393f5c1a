"""What the page of a report on stills shows, and in which words."""

from collections.abc import Iterator, Mapping

from monitor.computed import NAMES
from monitor.evaluation.page import Card, Parts, html_table
from monitor.evaluation.report import Report, say_share, shown
from monitor.stills.report import STILL_PROTOCOLS

HEADLINES = {
    "auroc": "AUROC",
    "ap": "Average precision",
    "eer": "Equal error rate",
    "f1": "F1 at the threshold",
    "f1_max": "F1 max (oracle)",
    "pixel_auroc": "Pixel AUROC",
    "aupro": "AUPRO",
    "false_alarm_rate_measured": "False alarms, share",
    "recall": "Defects found, share",
    "ms_per_picture": "Milliseconds per picture",
}
COLUMNS = {
    "pictures": "pictures",
    "median_score": "median score",
    "called_defective": "called defective",
    "auroc": "AUROC",
    "ap": "AP",
}
FACTS = (
    "preset", "size", "parameters", *NAMES, "seed", "seconds", "fps", "threshold",
)  # fmt: skip


def still_parts(report: Report) -> Parts:
    """The parts of the page of a report on stills."""
    return Parts(
        subtitle=_subtitle(report),
        verdict=_verdict(report),
        cards=[
            Card(name, report.number(key), [*_details(report, key)], 1 if "ms_" in key else 3)
            for key, name in HEADLINES.items()
        ],
        table_title="Kinds and rules",
        table_text="AUROC of a kind is that of its pictures against all normal ones. A rule is one "
        "way of turning what the detector saw into a score.",
        table=html_table(
            COLUMNS,
            {"": report.table("kinds"), "rules": report.table("rules")},
            own="score",
            counts=("pictures",),
        ),
        facts=FACTS,
    )


def _subtitle(report: Report) -> str:
    figures = report.figures
    labels = figures.get("label_source")
    source = f"; labels: {labels}" if labels else ""
    return (
        f"{figures['n_images']} pictures, preset {figures['preset']}; {figures['protocol']}"
        f"{source}. Higher scores are more anomalous."
    )


def _verdict(report: Report) -> str:
    area = report.number("auroc")
    if area is None:
        return "There are no figures of accuracy; the notes say why."
    first = f"A defective picture outscores a normal one {say_share(area)} of the time."
    if area < 0.5:
        first += " That is worse than chance."
    counts = report.figures["confusion"]
    if not isinstance(counts, Mapping):
        return first
    defective = counts["true_defective"] + counts["false_ok"]
    normal = counts["false_defective"] + counts["true_ok"]
    return (
        f"{first} At the threshold, {counts['true_defective']} of {defective} defective pictures "
        f"are found and {counts['false_defective']} of {normal} normal ones are called defective."
    )


def _details(report: Report, key: str) -> Iterator[str]:
    """What must be read beside a figure, then how it is defined."""
    interval = report.figures.get("auroc_interval")
    if key == "auroc" and isinstance(interval, list):
        yield f"95 % interval {interval[0]:.3f} to {interval[1]:.3f} (bootstrap by class)"
    if key == "ap":
        yield f"prevalence {shown(report.number('prevalence'))}"
    share = report.figures.get("false_alarm_rate_interval")
    if key == "false_alarm_rate_measured" and isinstance(share, list):
        yield f"promised {shown(report.number('false_alarm_rate_promised'))}"
        yield f"95 % interval {share[0]:.3f} to {share[1]:.3f}"
    if key in STILL_PROTOCOLS:
        yield STILL_PROTOCOLS[key]
