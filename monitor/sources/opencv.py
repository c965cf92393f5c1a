"""The one import of OpenCV among the sources, and what to say where it fails."""

from importlib import import_module
from types import ModuleType

from monitor.errors import SourceError


def load_cv2() -> ModuleType:
    """OpenCV; on a server without a screen its wheel may miss a system library.

    Raises:
        SourceError: If it cannot be imported, with what to install.
    """
    try:
        return import_module("cv2")
    except ImportError as error:
        raise SourceError(
            f"OpenCV cannot be imported ({error}); install the system library it misses "
            "(Debian, Ubuntu: apt install libgl1 libglib2.0-0) or use opencv-python-headless"
        ) from error
