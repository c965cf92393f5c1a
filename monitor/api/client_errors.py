"""How asking an engine can fail, one line each."""

from monitor.api.schema import API_VERSION
from monitor.errors import MonitorError


class EngineError(MonitorError):
    """An engine could not be asked, or did not do what was asked."""


class EngineGone(EngineError):  # noqa: N818  what is the case, not a fault of the program
    """Nobody answers: it is not running, was stopped, or its machine cannot be reached."""


class Unanswered(EngineGone):
    """It was asked to do something and did not answer: what was asked may be done, now or later."""


class NotAnEngine(EngineError):  # noqa: N818
    """Something answers at the address, but it is no oddwatch engine."""


class Denied(EngineError):  # noqa: N818
    """The token is missing, wrong or allows less than this; or there were too many wrong ones."""


class OtherVersion(EngineError):  # noqa: N818
    """The engine speaks another version of the API.

    Attributes:
        api: Which.
    """

    def __init__(self, api: str, url: str) -> None:
        super().__init__(
            f"the engine at {url} speaks API {api}, this program {API_VERSION}: update the older"
        )
        self.api = api


class Refused(EngineError):  # noqa: N818
    """The engine understood and says no: no such camera, no such alert, not in this state.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Absent(Refused):
    """The camera or alert is there, its picture or clip is not: none yet, or no longer."""
