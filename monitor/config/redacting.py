"""Keeps secrets out of everything that is written: a registry of them, and filters for logs."""

import logging
import re
from collections.abc import Iterable
from threading import Lock

from monitor.addresses import HIDDEN, forms_of, public_address, secrets_in

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
CLEAR = 4  # characters; what is shorter is hidden only where it stands alone, lest words break


class Registry:
    """All secrets that this process knows. Secrets can be added, never listed."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._addresses: dict[str, str] = {}  # whole, with what is shown instead
        self._pattern: re.Pattern[str] | None = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"Registry({len(self._secrets)} forms of secrets)"

    def add(self, *secrets: str) -> None:
        """Hide these from now on, in each form that they may take."""
        self._add(form for secret in secrets for form in forms_of(secret))

    def add_address(self, address: str, *, path_too: bool = False) -> None:
        """Hide what is secret in an address; `path_too` as of web hooks, whose path is a key."""
        shown = public_address(address)
        if path_too:
            shown = re.sub(r"(://[^/]*)/.*", rf"\1/{HIDDEN}", shown)
        if "://" in address and shown != address:
            with self._lock:
                self._addresses |= dict.fromkeys(forms_of(address), shown)
        self._add(secrets_in(address, path_too=path_too))

    def redact(self, text: str) -> str:
        """The text without any registered secret, and without the log-in of any address."""
        pattern = self._pattern
        if pattern is not None:
            text = pattern.sub(lambda match: self._addresses.get(match[0], HIDDEN), text)
        text = ADDRESS.sub(lambda match: _shown(match[0]), text)
        return text if pattern is None else pattern.sub(HIDDEN, text)

    def _add(self, forms: Iterable[str]) -> None:
        with self._lock:
            self._secrets |= {form for form in forms if form.strip("*\\ ")}
            known = sorted(self._secrets | set(self._addresses), key=len, reverse=True)
            self._pattern = re.compile("|".join(map(_searched, known))) if known else None


class RedactingFilter(logging.Filter):
    """For handlers: message, arguments, exception and stack lose their secrets."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true; the record is changed."""
        redact = self._registry.redact
        record.msg, record.args = redact(_message(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None  # handlers that print it themselves would print it plain
        record.exc_text = redact(record.exc_text) if record.exc_text else None
        record.stack_info = redact(record.stack_info) if record.stack_info else None
        return True


class RedactingFormatter(logging.Formatter):
    """Around another formatter: what it made loses its secrets, extra fields included."""

    def __init__(self, inner: logging.Formatter, registry: Registry) -> None:
        super().__init__()
        self._inner = inner
        self._registry = registry

    def format(self, record: logging.LogRecord) -> str:
        """What the inner one makes of it, redacted."""
        return self._registry.redact(self._inner.format(record))


def guard(handler: logging.Handler, registry: Registry) -> None:
    """Let a handler write no secrets, whoever logs through it. Call it after its formatter is set.

    Filters of loggers do not see what their children hand up; those of handlers see everything.
    """
    handler.addFilter(RedactingFilter(registry))
    handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter(), registry))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # logging would print message and arguments, plain
        return f"{record.msg} {record.args}"


def _searched(secret: str) -> str:
    if len(secret) >= CLEAR:
        return re.escape(secret)
    return rf"(?<!\w){re.escape(secret)}(?!\w)"


def _shown(address: str) -> str:
    """Ends of sentences stay; an address that holds nothing secret stays whole."""
    bare = address.rstrip(".,;:)]}>\"'")
    if not secrets_in(bare) and "@" not in bare:
        return address
    return public_address(bare) + address[len(bare) :]
