"""Where an engine on this machine answers, and with which token to ask it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from monitor.api.client_errors import EngineGone
from monitor.errors import UsageError

WHEREABOUTS = "api.json"  # in the engine's folder
TOKEN = "ODDWATCH_TOKEN"  # noqa: S105  the name of an environment variable


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where an engine on this machine answers."""

    url: str
    pid: int


def find_engine(folder: str | Path) -> Whereabouts:
    """The engine that runs in this folder.

    Raises:
        EngineGone: If none does.
    """
    path = Path(folder) / WHEREABOUTS
    try:
        found = json.loads(path.read_text())
        whereabouts = Whereabouts(str(found["url"]), int(found["pid"]))
    except FileNotFoundError:
        raise EngineGone(
            f"no engine runs in {folder}: start one with oddwatch watch, or name its address"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineGone(f"{path} cannot be read ({type(error).__name__}): name the address") from (
            error
        )
    if not _is_running(whereabouts.pid):
        raise EngineGone(f"the engine in {folder} is gone, process {whereabouts.pid} has ended")
    return whereabouts


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def read_token(path: Path | None = None) -> str:
    """What a file holds; without one, the environment variable ODDWATCH_TOKEN; else nothing.

    Raises:
        UsageError: If the file cannot be read or is empty.
    """
    if path is None:
        return os.environ.get(TOKEN, "").strip()
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise UsageError(f"{path}: the token cannot be read: {why}") from error
    if not token:
        raise UsageError(f"{path}: expected a token, the file is empty")
    return token
