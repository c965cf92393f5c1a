"""Telling by an HTTP POST of JSON, signed where there is a key."""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from monitor.config.settings import NoticeSettings
from monitor.errors import UsageError
from monitor.store_outbox import Waiting
from monitor.telling.sink import TellError, key_of

MOST_REDIRECTS = 3
PLAIN = re.compile(r"[^\s\[\]@/\\%]+")  # a host that is one
AGAIN = frozenset({408, 425, 429})  # the 4xx that ask for another attempt (RFC 9110, 6585, 8470)


class Webhook:
    """Posts each notice; headers are `Idempotency-Key` and, with a key, the signature's.

    A redirect to another host is not followed: it would hand the event, and headers, to whoever
    the first one names.
    """

    def __init__(self, settings: NoticeSettings) -> None:
        try:
            self._url = httpx.URL(settings.url)
        except httpx.InvalidURL:
            self._url = httpx.URL("")
        if self._url.scheme not in ("http", "https") or not PLAIN.fullmatch(self._url.host):
            raise UsageError("webhook: url is no address that begins with http:// or https://")
        self._secret = settings.secret.encode()
        self._client = httpx.Client(
            timeout=settings.timeout_s, follow_redirects=False, trust_env=False
        )

    def tell(self, notice: Waiting) -> None:
        """Post it.

        Raises:
            TellError: No answer, or not a 2xx; final for most 4xx and redirects elsewhere.
        """
        body = json.dumps(notice.payload, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key_of(notice)}
        url = self._url
        for _ in range(MOST_REDIRECTS + 1):
            status, location = self._post(url, body, headers | self._signature(body))
            if 200 <= status < 300:
                return
            if not location:
                raise TellError(f"{url.host} answers {status}", final=_is_final(status))
            url = self._same_host(url.join(location))
        raise TellError(f"{url.host} redirects over and over", final=True)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status, and where it redirects to; the answer's body is not read."""
        try:
            with self._client.stream("POST", url, content=body, headers=headers) as answer:
                location = answer.headers.get("location", "")
                return answer.status_code, location if answer.is_redirect else ""
        except httpx.TimeoutException as error:
            raise TellError(f"{url.host} does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TellError(f"{url.host} cannot be reached ({type(error).__name__})") from error

    def _same_host(self, url: httpx.URL) -> httpx.URL:
        own = self._url
        upgraded = own.scheme == "http" and url.scheme == "https" and url.host == own.host
        if (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port) or upgraded:
            return url
        raise TellError(
            f"{own.host} redirects to another place, {url.scheme}://{url.host}, which is not"
            " followed: give that address if it is right",
            final=True,
        )

    def _signature(self, body: bytes) -> dict[str, str]:
        """HMAC-SHA256 of `TIMESTAMP.BODY`, as hex; the receiver refuses old timestamps."""
        if not self._secret:
            return {}
        stamp = str(int(datetime.now(UTC).timestamp()))
        digest = hmac.new(self._secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"X-Oddwatch-Timestamp": stamp, "X-Oddwatch-Signature": f"sha256={digest}"}


def _is_final(status: int) -> bool:
    return status < 500 and status not in AGAIN
