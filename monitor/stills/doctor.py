"""What is wrong with a set of stills, said before training: the twin of `monitor.datasets.doctor`.

Never raises for a fault in the data: every fault is a finding.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from monitor.datasets.doctor import Finding, Severity
from monitor.errors import LabelError, MonitorError, UsageError
from monitor.records import Image
from monitor.stills.layout import say_size, some
from monitor.stills.opening import open_stills
from monitor.stills.shapes import header_sizes, say_shapes
from monitor.stills.split import say_copies
from monitor.stills.still import Still, StillSet, each_once, fit_mask, read_stills

LOOKED_AT = 3  # pictures of each kind: first, middle and last, unless all are asked for
FEW = 50  # with fewer, what is held out says little of one false alarm in ten
DARK = 17  # of 255: 12 bits left unshifted in 16 reach 16, a sixteenth of the range
NAMED = 10  # broken files named one by one; the rest is a number


@dataclass(frozen=True)
class StillCounts:
    """What one split holds."""

    pictures: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    labelled: int = 0
    anomalous: int = 0
    masks: int = 0
    sizes: tuple[tuple[int, int], ...] = ()  # height, width; each that was met


@dataclass(frozen=True)
class StillDiagnosis:
    """All that was found, and whether the set can be used."""

    name: str
    layout: str | None  # None: not recognised
    protocol: str | None
    label_source: str | None
    train: StillCounts
    test: StillCounts
    lost: int  # files that are no pictures
    findings: tuple[Finding, ...]
    will_train: bool
    will_score: bool

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What decoding some pictures of a split showed."""

    digests: dict[str, bytes]  # by name; the same for the same pixels
    sizes: tuple[tuple[int, int], ...]
    brightest: int  # of 255, in any of them
    gray: bool  # all of them
    faults: tuple[str, ...]


def examine_stills(
    data: str | Path, *, full: bool, layout: str | None = None, protocol: str | None = None
) -> StillDiagnosis:
    """Recognise, count, decode: every picture if `full`, else the first, middle, last of each kind.

    Raises:
        UsageError: If there is no such layout or protocol; that is no fault of the data.
    """
    try:
        found = open_stills(data, layout=layout, protocol=protocol)
    except UsageError:
        raise
    except MonitorError as error:
        return _hopeless(Path(data), error)
    same = found.layout == "plain"  # at once learned from and judged
    train = _look(found.train if full else _sample(found.train))
    test = train if same else _look(found.test if full else _sample(found.test))
    findings = [
        *_lost(found),
        *(Finding("warning", note, str(found.root)) for note in found.notes),
        *(Finding("error", said, str(found.root)) for said in (*train.faults, *test.faults)),
        *_training(found, train),
        *_judging(found, test),
        *(() if same else _shared(train, test, str(found.root))),
    ]
    return StillDiagnosis(
        name=found.name,
        layout=found.layout,
        protocol=found.protocol,
        label_source=found.label_source,
        train=_count(found.train, train),
        test=_count(found.test, test),
        lost=len(found.lost),
        findings=_ordered(findings),
        will_train=len(found.train) > 1 and len(train.digests) > 0,
        will_score=len((test if found.test else train).digests) > 0,
    )


def _hopeless(path: Path, error: MonitorError) -> StillDiagnosis:
    nothing, finding = StillCounts(), Finding("error", str(error), str(path))
    return StillDiagnosis(
        path.name,
        None,
        None,
        None,
        nothing,
        nothing,
        0,
        (finding,),
        will_train=False,
        will_score=False,
    )


def _sample(stills: Sequence[Still]) -> list[Still]:
    kinds: dict[str, list[Still]] = {}
    for still in stills:
        kinds.setdefault(still.kind, []).append(still)
    return [
        own[index]
        for own in kinds.values()
        for index in sorted({0, len(own) // 2, len(own) - 1})[:LOOKED_AT]
    ]


def _look(stills: Sequence[Still]) -> _Seen:
    """Decode pictures and masks, one after the other."""
    errors: list[MonitorError] = []
    digests: dict[str, bytes] = {}
    sizes: set[tuple[int, int]] = set()
    brightest, gray = 0, True
    for still, image in read_stills(stills, fault=errors.append):
        digests[still.name] = _digest(image)
        sizes.add((image.shape[0], image.shape[1]))
        brightest = max(brightest, int(image.max()))
        gray = gray and _is_gray(image)
        errors += _mask_faults(still, image)
    faults = tuple(str(error) for error in errors)
    return _Seen(digests, tuple(sorted(sizes)), brightest, gray, faults)


def _mask_faults(still: Still, image: Image) -> Iterator[MonitorError]:
    if still.mask is None:
        return
    try:
        mask = fit_mask(still.mask(), image, still.name)
    except MonitorError as error:
        yield error
        return
    if not mask.any():
        yield LabelError(f"{still.name}: anomalous, but its mask is empty")


def _lost(found: StillSet) -> Iterator[Finding]:
    root = str(found.root)
    for said in found.lost[:NAMED]:
        yield Finding("error", said, root)
    if found.lost:
        n_files = len(found.lost) + len({s.name for s in (*found.train, *found.test)})
        text = f"{len(found.lost)} of {n_files} pictures are left out, as they cannot be read"
        yield Finding("warning", text, root)


def _training(found: StillSet, seen: _Seen) -> Iterator[Finding]:
    root, n_pictures = str(found.root), len(found.train)
    if not n_pictures:
        yield Finding("error", "no training pictures: nothing to learn from", root)
        return
    if n_pictures == 1:
        text = "one training picture: nothing can be held out for a threshold"
        yield Finding("error", text, root)
    elif n_pictures < FEW:
        text = (
            f"{n_pictures} training pictures: few to learn from, fewer for a threshold; take {FEW}"
        )
        yield Finding("warning", text, root)
    if n_pictures > 1 and _all_equal(found.train, seen):
        text = f"all {n_pictures} training pictures are equal: there is nothing to learn from them"
        yield Finding("error", text, root)
    else:
        for text in say_copies(found.train, _without_copies(found.train)):
            yield Finding("info", f"training: {text}", root)
    yield from _looks("training", found.train, seen, root)


def _all_equal(stills: Sequence[Still], seen: _Seen) -> bool:
    """Looks at the others only where those seen are the same."""
    first = set(seen.digests.values())
    if len(first) != 1:
        return False
    rest = (still for still in stills if still.name not in seen.digests)
    return all(_digest(image) in first for _, image in read_stills(rest, fault=lambda _: None))


def _without_copies(stills: Sequence[Still]) -> list[Still]:
    """As `each_once`; files of which none is as long as another are not read."""
    lengths = {still: still.path.stat().st_size for still in stills if still.path is not None}
    often = Counter(lengths.values())
    alike = [still for still, length in lengths.items() if often[length] > 1]
    copies = set(alike) - set(each_once(alike))
    return [still for still in stills if still not in copies]


def _looks(split: str, stills: Sequence[Still], seen: _Seen, root: str) -> Iterator[Finding]:
    """Sizes, darkness and colour; shapes of all, by their headers."""
    sizes = [say_size(size) for size in seen.sizes]
    if len(sizes) > 1:
        yield Finding("info", f"{split} pictures are of several sizes: {some(sizes)}", root)
    for text in say_shapes(header_sizes(stills)):
        yield Finding("warning", f"{split} {text}", root)
    if seen.digests and seen.brightest < DARK:
        text = (
            f"{split} pictures are almost black: at most {seen.brightest} of 255; "
            "values of 12 bits in files of 16 must be scaled up before"
        )
        yield Finding("warning", text, root)
    if seen.digests and seen.gray:
        yield Finding("info", f"{split} pictures are gray: one channel is enough", root)


def _judging(found: StillSet, seen: _Seen) -> Iterator[Finding]:
    root, labels = str(found.root), [still.label for still in found.test]
    known = [label for label in labels if label is not None]
    if not labels:
        yield Finding("warning", "no test pictures: nothing to judge by", root)
    elif not known:
        yield Finding("warning", "no labels: scores, but no figures of merit", root)
    elif len(known) < len(labels):
        text = f"{len(labels) - len(known)} test pictures have no label: not in the figures"
        yield Finding("warning", text, root)
    if known and (all(known) or not any(known)):
        kind = "anomalous" if all(known) else "normal"
        yield Finding("warning", f"all labelled test pictures are {kind}: no AUROC", root)
    if any(known) and not any(still.mask for still in found.test):
        yield Finding("info", "no masks: no figures of where", root)
    if found.layout != "plain":
        yield from _looks("test", found.test, seen, root)


def _shared(train: _Seen, test: _Seen, root: str) -> Iterator[Finding]:
    """Test pictures that were learned, as far as both were looked at."""
    learned = set(train.digests.values())
    again = [name for name, digest in test.digests.items() if digest in learned]
    if again:
        text = f"{len(again)} test pictures are also training pictures: {some(again)}"
        yield Finding("warning", text, root)


def _count(stills: Sequence[Still], seen: _Seen) -> StillCounts:
    return StillCounts(
        pictures=len(stills),
        kinds=dict(Counter(still.kind for still in stills if still.kind)),
        labelled=sum(still.label is not None for still in stills),
        anomalous=sum(still.label is True for still in stills),
        masks=sum(still.mask is not None for still in stills),
        sizes=seen.sizes,
    )


def _digest(image: Image) -> bytes:
    return blake2b(image.tobytes() + repr(image.shape).encode(), digest_size=16).digest()


def _is_gray(image: Image) -> bool:
    return bool((image[..., 0] == image[..., 1]).all() and (image[..., 1] == image[..., 2]).all())


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Errors first, each said once."""
    order: tuple[Severity, ...] = ("error", "warning", "info")
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.severity)))
