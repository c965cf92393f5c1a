"""A trained still-image detector as the monitor uses it: with its threshold and its origin."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import CalibrationError, SourceError, UsageError
from monitor.model import Model, detector_in, read_checkpoint, video_model, write_checkpoint
from monitor.records import MapScale, same_shape
from monitor.runtimes import Exported, trained_of, with_calibration, write_export
from monitor.stills.layout import say_size, some
from monitor.stills.threshold import StillCalibration

if TYPE_CHECKING:
    from models.detector import Detector


@dataclass
class StillModel:
    """A detector, what its scores mean, and its provenance (plain values)."""

    detector: "Detector | Exported"
    preset: str = "lite"
    calibration: StillCalibration | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def trained(self) -> "Detector":
        """The detector, where it can learn and be saved; raises as `Model.trained`."""
        return trained_of(self.detector)

    def calibrated(self) -> StillCalibration:
        """The calibration.

        Raises:
            CalibrationError: If there is none yet.
        """
        if self.calibration is None:
            raise CalibrationError(
                "the model has no threshold, so no score can be judged; "
                "run: oddwatch calibrate MODEL NORMAL_PICTURES"
            )
        return self.calibration

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Heights and widths that it learned on, one of each shape; none: that is not known."""
        size = self.provenance.get("source_size")
        shapes = self.provenance.get("source_shapes") or ([] if size is None else [size])
        return [(height, width) for height, width in shapes]

    def check_picture(self, size: tuple[int, int], where: str) -> None:
        """Refuse a picture of a shape that the model did not learn on; another scale is fine.

        Raises:
            SourceError: If width to height differs by more than a tenth from all that it knows.
        """
        shapes = self.shapes
        if shapes and not any(same_shape(size, shape) for shape in shapes):
            learned = some([say_size(shape) for shape in shapes])
            raise SourceError(
                f"{where}: {say_size(size)}; the model learned on {learned}: cut it to that shape, "
                "or train a model for it"
            )

    @property
    def map_scale(self) -> MapScale | None:
        """Of the anomaly maps; None before calibration."""
        usual, high = self.provenance.get("map_usual"), self.provenance.get("map_high")
        return None if usual is None or high is None else MapScale(float(usual), float(high))


def load_still_model(path: Path, device: str = "cpu") -> StillModel:
    """Read a model file of a still-image detector.

    Raises:
        SourceNotFoundError: If there is none.
        UsageError: If its detector is one for video.
        CheckpointError: If it is no whole model of this version.
        CalibrationError: If its calibration is damaged.
    """
    model = open_model(path, device)
    if isinstance(model, StillModel):
        return model
    raise UsageError(
        f"{path} holds {model.detector.name}, which watches video; expected a model of a "
        "still-image detector (see: oddwatch detectors)"
    )


def open_model(path: Path, device: str = "cpu") -> Model | StillModel:
    """Read a model file of either kind; raises as `load_still_model`, but for the kind."""
    saved = read_checkpoint(path, device)
    detector = detector_in(saved)
    if detector.kind == "video":
        return video_model(saved, path)
    try:
        plain = saved.calibration
        calibration = None if plain is None else StillCalibration.from_dict(plain)
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    return StillModel(detector, saved.preset, calibration, saved.provenance)


def save_still_model(model: StillModel, path: Path) -> None:
    """Write a model file whole, or leave the old one as it was.

    Raises:
        StoreError: If it cannot be written.
    """
    calibration = None if model.calibration is None else model.calibration.to_dict()
    if isinstance(model.detector, Exported):
        write_export(with_calibration(model.detector, calibration, model.provenance), path)
        return
    from models.checkpoint import Checkpoint

    write_checkpoint(Checkpoint(model.detector, model.preset, calibration, model.provenance), path)
