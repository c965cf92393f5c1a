"""What can go wrong with a detector; every message says what was expected and what came."""


class ModelError(Exception):
    """Anything wrong with a detector, its training or its file."""


class NotFittedError(ModelError, RuntimeError):
    """A score was asked of a detector that has learned nothing."""


class ShapeError(ModelError, ValueError):
    """Clips do not match the detector's `ClipSpec`."""


class OptionError(ModelError, ValueError):
    """An option that the detector does not have, or a value it cannot take."""


class UnknownDetectorError(ModelError, KeyError):
    """No detector of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class CheckpointError(ModelError, ValueError):
    """A file that is not a detector of this program, or not a whole one."""


class TrainingError(ModelError, RuntimeError):
    """Training cannot go on: no data, or a loss that is not finite."""


class WeightsError(ModelError, FileNotFoundError):
    """Weights of an outside network are neither in a file nor to be had."""


class ExportError(ModelError, RuntimeError):
    """A detector that no graph can hold, or a graph that does not say what the detector says."""
