"""What of an address may be shown, and what in it is secret. Knows nothing of who reads it.

Addresses are parsed, not searched by a pattern: patterns for `user:password@` miss dots, percent
signs and a second `@`, and know nothing of `?user=a&pwd=b`.
"""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urlsplit

HIDDEN = "***"
SECRET_KEY = re.compile(
    r"pass|pwd|psw|token|key|auth|secret|sig|credential|session|(?:^|_)(?:pw|sid)$", re.IGNORECASE
)
PASSWORD_KEY = re.compile(r"pass|pwd|psw|(?:^|_)pw$", re.IGNORECASE)
KEY = re.compile(r"([\w.-]+)=")
SHORT = 4  # characters; `key=1` is no secret, but `pwd=1` is a password
LAST_PORT = 65_535
LONG_USER = 12  # characters; a user without password that is longer than names are is a token


def public_address(address: str) -> str:
    """An address without user, password, query and fragment, fit for screens and logs.

    What cannot be parsed with certainty, such as a password with a bare `?` in it, shows only its
    scheme. Paths and device numbers stay as they are.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return re.sub(r"^.*:.*@", f"{HIDDEN}@", address, flags=re.DOTALL)
    head, rear = re.match(r"([^?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    try:  # after the last @ nothing is secret, however the password before it was written
        parts = urlsplit(f"{scheme}://{head.rpartition('@')[2]}")
        certain, host = parts.port != -1 and "@" not in rear, parts.netloc
    except ValueError:  # brackets without an end, a port that is no number
        certain, host, parts = False, "", urlsplit("")
    if not certain or re.search(r"[\s\\]", address):
        return f"{_plain(scheme)}://{HIDDEN}"
    return f"{_plain(scheme)}://{host}{_without_values(parts.path)}"


def secrets_in(address: str, *, path_too: bool = False) -> set[str]:
    """Everything in an address that nobody may read, in each form in which it might be printed.

    Args:
        address: Anything that names a source or a receiver.
        path_too: Long parts of the path are secrets too, as they are of web hooks.
    """
    found: set[str] = set()
    scheme, mark, rest = address.partition("://")
    if "@" in rest:
        for user in {rest.rpartition("@")[0], re.split(r"[/?#]", rest)[0].rpartition("@")[0]}:
            found |= _of_user(user)
    elif not mark and "@" in scheme and ":" in scheme:
        found |= _of_user(scheme.rpartition("@")[0])
    for value in _values(rest):
        found |= {value, unquote(value), unquote_plus(value)}
    if path_too:
        parts = re.split(r"[/?#]", rest)[1:]
        found |= {
            form for part in parts if len(part) >= LONG_USER for form in (part, unquote(part))
        }
    return {form for secret in found for form in forms_of(secret)}


def forms_of(secret: str) -> Iterator[str]:
    """A secret as it is, percent-encoded, quoted by Python and quoted by JSON."""
    escaped = quote(secret, safe="")
    yield secret
    yield escaped
    yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), escaped)
    yield from (quote(secret, safe=safe) for safe in ("/", "!$&'()*+,;=:", "!$&'()*+,;=:@/?"))
    yield quote_plus(secret)
    yield from (repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])


def with_login(address: str, user: str, password: str) -> str:
    """The address with user and password in it, percent-encoded; both empty: as it is."""
    if not user and not password:
        return address
    scheme, mark, rest = address.partition("://")
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    return f"{scheme}{mark}{login}@{rest}"


def has_login(address: str) -> bool:
    """Whether an address brings a user of its own."""
    return "@" in address.partition("://")[2]


def port_fault(address: str) -> str:
    """What is wrong with the port that an address names; empty: nothing, or it names none."""
    host = re.split(r"[/?#]", address.partition("://")[2].rpartition("@")[2])[0]
    port = re.search(r":([0-9]+)$", host)
    if port is None or (len(port[1]) <= 5 and 0 < int(port[1]) <= LAST_PORT):
        return ""
    return f"there is no port {port[1][:20]}: expected 1 to {LAST_PORT}"


def _of_user(user: str) -> set[str]:
    """A password plain and decoded, and the pair as HTTP's basic log-in sends it."""
    name, colon, password = user.partition(":")
    if not colon:
        return {user, unquote(user)} if len(user) >= LONG_USER else set()
    if not password:
        return set()
    pairs = {f"{name}:{password}", f"{unquote(name)}:{unquote(password)}"}
    basic = {base64.b64encode(pair.encode("utf-8", "replace")).decode() for pair in pairs}
    return {password, unquote(password), unquote_plus(password)} | basic


def _values(rest: str) -> Iterator[str]:
    """Of keys that sound secret, in query, fragment or path; a path may chain them by `_`."""
    for part in re.split(r"[?&;#/,]", rest):
        for key in KEY.finditer(part):
            value = part[key.end() :]
            telling = PASSWORD_KEY if len(value) < SHORT else SECRET_KEY
            if value and telling.search(key[1]):
                yield from {value, re.split(r"_[A-Za-z]+=", value)[0]} - {""}


def _plain(scheme: str) -> str:
    return scheme if re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) else HIDDEN


def _without_values(path: str) -> str:
    """Some cameras take the log-in in the path: /user=admin_password=secret_channel=1."""
    parts = (
        HIDDEN if "=" in part and SECRET_KEY.search(part) else part for part in path.split("/")
    )
    return "/".join(parts)
