"""Made anomalies, for people who have no defects yet: normal pictures held out, and spoiled copies.

What is found here says that a detector works, not that it finds real defects: these are easier.
"""

import zlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from monitor.errors import UsageError
from monitor.records import Image
from monitor.stills import btad, classes, mvtec, plain
from monitor.stills.corruption import CORRUPTIONS, SEVERITIES, changed, corrupt
from monitor.stills.layout import StillLayout, StillRequest
from monitor.stills.protocol import split_normal
from monitor.stills.still import Mask, Still, StillSet

BASES = (mvtec.LAYOUT, btad.LAYOUT, classes.LAYOUT, plain.LAYOUT)
SEVERITY = 3  # of 5: the middle
MOST_COPIES = 40  # of each corruption: enough for its AUROC to a few points


def never(_: Path) -> bool:
    """Made data is never recognised, only asked for."""
    return False


def load(request: StillRequest) -> StillSet:
    """One in five normal pictures is held out, with copies spoiled in each way at one severity."""
    severity = _severity(request.protocol)
    base = next((one for one in BASES if one.recognise(request.root)), plain.LAYOUT)
    plainly = StillRequest(request.root, None, request.normal, request.fault)
    found = base.load(plainly)
    request.lost.extend(found.lost)
    request.notes.append("defects are made, not real: they are easier to find")
    learned, held_out = split_normal(found.train)
    held = [replace(s, kind=s.kind or "good") for s in held_out]
    copies = [_copy(still, kind, severity) for kind in CORRUPTIONS for still in held[:MOST_COPIES]]
    protocol = (
        f"synthetic, severity:{severity}; 20 % of the normal pictures are held out, drawn with "
        f"seed 0, and up to {MOST_COPIES} of them spoiled in {len(CORRUPTIONS)} ways"
    )
    source = "made; masks for local defects"
    return request.made("synthetic", protocol, tuple(learned), (*held, *copies), source)


def _severity(protocol: str | None) -> int:
    kind, _, number = (protocol or f"severity:{SEVERITY}").partition(":")
    if kind != "severity" or not number.isdigit() or int(number) not in SEVERITIES:
        raise UsageError(f"protocol {protocol}: expected severity:1 to severity:5 for made defects")
    return int(number)


def _copy(still: Still, kind: str, severity: int) -> Still:
    named = f"{still.name} {kind}".encode(errors="surrogateescape")
    seed = zlib.crc32(named)  # its own, and the same on every machine
    read = partial(_spoiled, still, kind, severity, seed)
    mask = partial(_where, still, read) if CORRUPTIONS[kind].local else None
    return Still(f"{kind}/{still.name}", kind, label=True, read=read, mask=mask)


def _spoiled(still: Still, kind: str, severity: int, seed: int) -> Image:
    return corrupt(still.picture(), kind, severity, seed)


def _where(still: Still, read: "partial[Image]") -> Mask:
    return changed(still.picture(), read())


LAYOUT = StillLayout("any normal pictures, on request", never, load)
