"""An exported detector: its graph and its plain facts in one file, and what computes it.

The file is a zip without compression: `model.json` (detector, clips, calibration, provenance, the
export's own report), the graph, `model.onnx` or OpenVINO's `model.xml` with `model.bin`, and, where
something comes before the graph or in its place, the tables of that, `prelude.npz`. It holds no
code and nothing pickled. Bytes (B, T, C, H, W) go in; scores, maps and terms come out.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import monitor
from models.errors import CheckpointError
from models.spec import ClipSpec
from monitor.errors import StoreError
from monitor.files import no_file, write_atomically
from monitor.runtimes.answers import Answers
from monitor.runtimes.facts import check_facts
from monitor.runtimes.runtime import Runtime

if TYPE_CHECKING:
    from models.prelude import Prelude

FORMAT = "oddwatch export"
VERSION = 1  # of the file's layout; raised when older files can no longer be read
FACTS = "model.json"
TABLES = "prelude.npz"
PARTS = {"onnx": ("model.onnx",), "openvino": ("model.xml", "model.bin"), "none": ()}
NAME_AT = 30  # of a member's name, in bytes from its beginning
OF_THE_FILE = ("format", "version")  # beside the facts
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    LookupError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    EOFError,
)

GraphFormat = Literal["onnx", "openvino"]
Content = Literal["onnx", "openvino", "none"]  # none: the prelude is all there is
Precision = Literal["fp32", "bf16", "int8"]


@dataclass(frozen=True)
class Facts:
    """All that is known of an exported detector but its graph; plain values."""

    detector: str
    kind: Literal["video", "image"]
    preset: str
    spec: ClipSpec
    graph: Content
    precision: Precision
    terms: tuple[str, ...]  # names of the graph's outputs after scores and maps
    parameters: int
    batch: int | None = None  # clips that the graph takes at once; None: any number
    calibration: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)  # what the export was checked by
    oddwatch: str = monitor.__version__  # that wrote it
    prelude: dict[str, Any] | None = None  # what it is made with; see `models.prelude`
    answers: Answers | None = None  # to made pictures; None: nobody asked


@dataclass(eq=False)
class Exported:
    """An exported detector, in the place of a `Detector` wherever scores are asked for."""

    facts: Facts
    parts: tuple[bytes, ...]  # the graph, in the order of `PARTS`
    tables: bytes = b""  # what the prelude has learned
    remarks: ClassVar[tuple[str, ...]] = ()
    place: str = ""  # the file that it was read from
    _wanted: str = "auto"
    _runtimes: dict[int, Runtime] = field(default_factory=dict, init=False, repr=False)

    @property
    def name(self) -> str:
        """Of the detector."""
        return self.facts.detector

    @property
    def kind(self) -> str:
        """`video` or `image`."""
        return self.facts.kind

    @property
    def spec(self) -> ClipSpec:
        """The clips it takes."""
        return self.facts.spec

    @property
    def preset(self) -> str:
        """Of the model that it was exported from."""
        return self.facts.preset

    @property
    def calibration(self) -> dict[str, Any] | None:
        """Plain, as it was exported."""
        return self.facts.calibration

    @property
    def provenance(self) -> dict[str, Any]:
        """Plain, of the model that it was exported from."""
        return self.facts.provenance

    @cached_property
    def digest(self) -> str:
        """Of all that computes; another calibration does not change it."""
        whole = sha256()
        for part in (*self.parts, self.tables):
            whole.update(part)
        return whole.hexdigest()

    def prelude(self) -> "Prelude | None":
        """What comes before the graph, with nothing remembered yet.

        Raises:
            CheckpointError: If this version does not know it.
        """
        if self.facts.prelude is None:
            return None
        from models.prelude import Prelude

        try:
            return Prelude.of(self.facts.prelude, self.tables)
        except (*BROKEN, OSError) as error:
            raise CheckpointError(
                f"the exported {self.name} begins with what this version does not know ({error}); "
                "export it again"
            ) from error

    def runtime(self, lanes: int = 1) -> Runtime:
        """What computes it, so many batches at a time; chosen and made at the first call.

        Raises:
            UsageError: If none that takes it is installed.
            GraphError: If none that is takes it.
        """
        from monitor.runtimes.choosing import make_runtime
        from monitor.runtimes.graphs import GraphError

        if lanes not in self._runtimes:
            try:
                self._runtimes[lanes] = make_runtime(self, self._wanted, lanes=lanes)
            except GraphError as error:
                if not self.place:
                    raise
                again = "" if "export it again" in str(error) else "; export it again"
                raise GraphError(f"{self.place}: {error}{again}") from error
        return self._runtimes[lanes]

    @property
    def made(self) -> tuple[Runtime, ...]:
        """What has computed it so far."""
        return tuple(self._runtimes.values())

    def choose(self, name: str) -> None:
        """Have it computed by this runtime; raises as `runtime`."""
        from monitor.runtimes.choosing import check_takes

        check_takes(self.facts, name)
        self._wanted = name
        self._runtimes.clear()


def with_calibration(
    exported: Exported, calibration: Mapping[str, Any] | None, provenance: Mapping[str, Any]
) -> Exported:
    """The same graph with another calibration and provenance (plain values)."""
    plain = None if calibration is None else dict(calibration)
    facts = replace(exported.facts, calibration=plain, provenance=dict(provenance))
    return replace(exported, facts=facts)


def write_export(exported: Exported, path: Path) -> None:
    """Write the file whole, or leave the old one as it was.

    Raises:
        StoreError: If it cannot be written.
    """
    plain = {"format": FORMAT, "version": VERSION, **asdict(exported.facts)}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as file:
        file.writestr(FACTS, json.dumps(plain, indent=1))
        for name, part in zip(PARTS[exported.facts.graph], exported.parts, strict=True):
            file.writestr(name, part)
        if exported.tables:
            file.writestr(TABLES, exported.tables)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise StoreError(
            f"cannot write the export to {path}: {error.strerror or error}; "
            "what was there before is unchanged"
        ) from error


def read_export(path: Path) -> Exported | None:
    """Read what `write_export` wrote; None where the file is something else, or not there.

    Raises:
        CheckpointError: If it is no file at all, cut short, damaged, or of another version.
    """
    if found := no_file(path):
        raise CheckpointError(f"{path}: expected a model file, found {found}")
    try:
        file = zipfile.ZipFile(path)
    except OSError:
        return None
    except BROKEN as error:
        if _begins_as_export(path):
            raise _damaged(path, "it is cut short, or its end is damaged") from error
        return None
    with file:
        names = {*file.namelist()}
        ours = {FACTS, *(name for parts in PARTS.values() for name in parts)}
        if not names & ours and not _begins_as_export(path):
            return None
        try:
            return _read(file, path)
        except CheckpointError:
            raise
        except (*BROKEN, OSError) as error:
            raise _damaged(path, error) from error


def _read(file: zipfile.ZipFile, path: Path) -> Exported:
    if FACTS not in file.namelist():
        raise _damaged(path, f"it lacks {FACTS}")
    plain = json.loads(file.read(FACTS))
    if isinstance(plain, dict) and plain.get("format") != FORMAT:
        raise _damaged(path, f"format: expected {FORMAT!r}, got {plain.get('format')!r:.60}")
    facts = _facts(plain, path)
    parts = tuple(file.read(name) for name in PARTS[facts.graph])
    tables = b"" if facts.prelude is None else file.read(TABLES)
    return Exported(facts, parts, tables, place=str(path))


def _begins_as_export(path: Path) -> bool:
    """Whether the first member of a zip, which needs no directory to be seen, is the facts."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(NAME_AT + len(FACTS))
        return head[:4] == b"PK\x03\x04" and head[NAME_AT:] == FACTS.encode()
    return False


def _damaged(path: Path, reason: object) -> CheckpointError:
    return CheckpointError(f"{path} is not a whole exported model ({reason}); export it again")


def _facts(plain: Any, path: Path) -> Facts:
    if isinstance(plain, dict):
        _check_version(plain, path)
    check_facts(plain)
    given = {key: value for key, value in plain.items() if key not in OF_THE_FILE}
    spec = plain["spec"] | {"size": tuple(plain["spec"]["size"])}
    return Facts(**(given | {"spec": ClipSpec(**spec), "terms": tuple(plain["terms"])}))


def _check_version(plain: Mapping[str, Any], path: Path) -> None:
    writer, version = f"oddwatch {plain.get('oddwatch', 'unknown')}", plain.get("version")
    if version != VERSION:
        raise CheckpointError(
            f"{path} is an export of file version {version!r:.60} ({writer}), this program reads "
            f"{VERSION}; export it again"
        )
    unknown = [key for key in plain if key not in OF_THE_FILE and key not in _names(Facts)]
    spec = plain.get("spec")
    if isinstance(spec, dict):
        unknown += [f"spec.{key}" for key in spec if key not in _names(ClipSpec)]
    if unknown:
        raise CheckpointError(
            f"{path} is an export of another version ({writer}, this is {monitor.__version__}): "
            f"{', '.join(unknown[:3])} is not known here; export it again"
        )


def _names(kind: type[Facts] | type[ClipSpec]) -> set[str]:
    return {one.name for one in fields(kind)}
