"""Who may ask what: tokens, roles, and what a browser on the same machine may be made to do.

On loopback without tokens everyone on the machine is an admin, as with any file of theirs; then
web pages are the danger, so requests under another host's name (DNS rebinding) or from another
site's page are refused. Knows nothing of what is asked.
"""

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from monitor.api.schema import Role
from monitor.config.settings import ApiSettings
from monitor.errors import StoreError, UsageError

RANKS: dict[Role, int] = {"viewer": 0, "operator": 1, "admin": 2}
SHORTEST = 16  # characters of a token: 64 bits even as hexadecimal digits
MOST_FAILURES = 10  # per client and
WITHIN_S = 60.0
MOST_CLIENTS = 1000  # remembered; a thousand addresses that guess are stopped elsewhere


class Tokens:
    """The tokens of each role, kept as digests: neither repr nor a dump shows one."""

    def __init__(
        self,
        viewers: Iterable[str] = (),
        operators: Iterable[str] = (),
        admins: Iterable[str] = (),
    ) -> None:
        """Takes the tokens themselves, not references to them.

        Raises:
            UsageError: If one is too short, or cannot stand in a header.
        """
        given: dict[Role, Iterable[str]] = {
            "viewer": viewers,
            "operator": operators,
            "admin": admins,
        }
        self._digests = [
            (role, _digest(_checked(token, f"[api]: {role}s, item {number}")))
            for role, tokens in given.items()
            for number, token in enumerate(tokens, 1)
        ]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._digests)

    def role_of(self, token: str) -> Role | None:
        """The highest role of a token; takes as long for each, right or wrong."""
        asked = _digest(token)
        matches = [
            role for role, known in self._digests if hmac.compare_digest(known, asked)
        ]  # all of them are compared
        return max(matches, key=RANKS.__getitem__, default=None)


class Failures:
    """How often each client gave a wrong token lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """Seconds until this client may try again; 0: now."""
        times = self._times.get(client, deque())
        if len(times) < MOST_FAILURES:
            return 0.0
        return max(0.0, times[0] + WITHIN_S - self._clock())

    def note(self, client: str) -> None:
        """It failed once more."""
        times = self._times.setdefault(client, deque(maxlen=MOST_FAILURES))
        times.append(self._clock())
        self._times.move_to_end(client)
        if len(self._times) > MOST_CLIENTS:
            self._times.popitem(last=False)


def allows(role: Role, needed: Role) -> bool:
    """Whether a role may do what another one may."""
    return RANKS[role] >= RANKS[needed]


def check_bind(settings: ApiSettings, tokens: Tokens) -> None:
    """Refuse to listen where others could ask without a token.

    Raises:
        UsageError: If the address is not loopback and there are no tokens.
    """
    if not tokens and not is_loopback(settings.host):
        raise UsageError(
            f"the API would listen on {settings.host} for everyone: give [api] a token, such as "
            'admins = ["file:admin.token"], or keep host = "127.0.0.1"'
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def host_in(header: str) -> str:
    """The name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def is_own_page(origin: str, host: str) -> bool:
    """Whether the page that a browser asks from was given out by this very server."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def make_token_file(path: Path) -> None:
    """Write a new random token into a new file that only its owner may read.

    Raises:
        UsageError: If the file exists: whoever knows its token would be locked out.
        StoreError: If it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists: remove it first if a new token is wanted") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
    with os.fdopen(handle, "w") as file:
        file.write(f"{secrets.token_urlsafe(32)}\n")  # 256 bits


def _checked(token: str, where: str) -> str:
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"{where}: a token of {len(token)} characters, or with odd ones: expected {SHORTEST} "
            "or more printable ASCII characters without spaces"
        )
    return token


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
