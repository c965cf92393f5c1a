"""What can go wrong outside the networks. One line each, and the exit status it leads to."""

from typing import ClassVar


class MonitorError(Exception):
    """A failure that the user can understand: the message is the whole of what is shown."""

    exit_status: ClassVar[int] = 1


class UsageError(MonitorError, ValueError):
    """The command was called with something it cannot take."""

    exit_status = 2


class SourceError(MonitorError, OSError):
    """A source of frames cannot be opened or read."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the path or address."""


class CorruptFrameError(SourceError):
    """One frame cannot be decoded; the source may have others."""


class DataSetError(MonitorError, ValueError):
    """A data set is not laid out as expected, or its parts do not agree."""


class LabelError(DataSetError):
    """Labels do not match the frames."""


class CalibrationError(MonitorError, ValueError):
    """A threshold cannot be set from what there is."""


class ClusterError(MonitorError):
    """The cluster cannot be reached, or refuses; nothing of a run can be done then."""


class StoreError(MonitorError, OSError):
    """Events or evidence cannot be written or read."""


class DeviceError(MonitorError):
    """An accelerator stopped computing in the middle of it."""


class DeviceFullError(DeviceError):
    """It has no memory left for this; it computes what is smaller all the same."""
