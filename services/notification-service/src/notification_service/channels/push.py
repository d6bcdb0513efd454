"""Web Push: encrypted for the browser (RFC 8291), signed with the installation's key (VAPID, RFC 8292)."""

import json
import socket
import ssl
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
from pywebpush import WebPusher

from notification_service.channels.vapid import VapidKey
from notification_service.core.carrying import (
    CarryingError,
    Parcel,
    PushTarget,
    RejectedError,
    RetryLaterError,
    TargetGoneError,
)
from notification_service.core.network import is_public
from notification_service.schemas.delivery import Channel
from shared.utils.datetime import Clock

KEEP_SECONDS = 86_400
"""How long a push service keeps what a browser that is away has not fetched."""
TOKEN_SECONDS = 12 * 3600
LONGEST_RETRY_AFTER_SECONDS = 86_400.0
TIMEOUT = aiohttp.ClientTimeout(total=5)
"""Push services answer within a second; one that does not holds a place that others wait for."""
SILENCES = 10
"""A browser whose push service has not answered so often in a row is given up. One delivery's attempts take hours to
come to that; only whoever lets many deliveries wait comes to it soon."""
LONGEST_BODY_BYTES = 2_000
"""Push services take 4,096 bytes, of which encryption needs about 100 (RFC 8291, section 4)."""


class PrivateAddressError(OSError):
    """The endpoint's name leads into a private network."""


class PushCarrier:
    """Posts to browsers' push services. Unless ``allow_private`` it speaks https to public addresses only, whatever
    a name leads to at that moment, and it follows no redirection."""

    channel: ClassVar[Channel] = Channel.PUSH

    def __init__(self, *, key: VapidKey, subject: str, allow_private: bool, clock: Clock) -> None:
        self._key, self._subject, self._allow_private, self._clock = key, subject, allow_private, clock
        self._tls = ssl.create_default_context()  # trusts what SSL_CERT_FILE says, where that is set
        self._session: aiohttp.ClientSession | None = None
        self._silences: Counter[str] = Counter()  # endpoint → time-outs in a row, as far as this process knows

    async def carry(self, parcel: Parcel) -> None:
        """Raises RetryLaterError, RejectedError, TargetGoneError."""
        target = parcel.target
        if target is None:
            raise RejectedError("the delivery names no browser")
        if not self._allow_private and urlsplit(target.endpoint).scheme != "https":
            raise RejectedError("the endpoint does not begin with https://")
        try:
            async with self._client().post(
                target.endpoint,
                data=_encrypted(parcel, target),
                headers=self._headers(parcel, target),
                allow_redirects=False,
            ) as answer:
                status, retry_after = answer.status, answer.headers.get("Retry-After")
            self._silences.pop(target.endpoint, None)
        except aiohttp.InvalidURL:
            raise RejectedError("the endpoint is not a URL") from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PrivateAddressError):
                raise RejectedError(str(error.os_error)) from None
            raise RetryLaterError(f"no connection to the push service: {type(error).__name__}") from error
        except TimeoutError as error:
            raise self._silent(target.endpoint) from error
        except (aiohttp.ClientError, OSError) as error:
            raise RetryLaterError(f"the push service broke off: {type(error).__name__}") from error
        if failure := self._judged(status, retry_after):
            raise failure

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _silent(self, endpoint: str) -> CarryingError:
        self._silences[endpoint] += 1
        if self._silences[endpoint] < SILENCES:
            return RetryLaterError("the push service did not answer in time")
        del self._silences[endpoint]
        return TargetGoneError(f"the push service did not answer {SILENCES} times in a row")

    def _headers(self, parcel: Parcel, target: PushTarget) -> dict[str, str]:
        parts = urlsplit(target.endpoint)
        expires_at = int(self._clock.now().timestamp()) + TOKEN_SECONDS
        audience = f"{parts.scheme}://{parts.netloc}"
        return {
            "Authorization": self._key.authorization(audience=audience, subject=self._subject, expires_at=expires_at),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEEP_SECONDS),
            "Urgency": "normal",
            "Topic": parcel.id.hex,  # a repetition replaces what the browser has not fetched yet (RFC 8030, 5.4)
        }

    def _judged(self, status: int, retry_after: str | None) -> CarryingError | None:
        reason = f"the push service answered {status}"
        if 200 <= status < 300:
            return None
        if status in {404, 410}:
            return TargetGoneError(reason)
        if status in {408, 425, 429} or status >= 500:
            return RetryLaterError(reason, after_seconds=self._seconds(retry_after))
        return RejectedError(reason)

    def _seconds(self, retry_after: str | None) -> float | None:
        """Of a Retry-After, which is a number of seconds or a date; None if it is neither."""
        if retry_after is None:
            return None
        try:
            seconds = float(retry_after) if retry_after.isdecimal() else self._until(retry_after)
        except (ValueError, TypeError):
            return None
        return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)

    def _until(self, date: str) -> float:
        return (parsedate_to_datetime(date) - self._clock.now()).total_seconds()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(
                ssl=self._tls, socket_factory=None if self._allow_private else _public_socket
            )
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            )
        return self._session


def _encrypted(parcel: Parcel, target: PushTarget) -> bytes:
    payload = {
        "id": parcel.notification_id,
        "type": parcel.type,
        "title": parcel.title,
        "body": parcel.body.encode()[:LONGEST_BODY_BYTES].decode(errors="ignore"),
        "link": parcel.link,
    }
    info = {"endpoint": target.endpoint, "keys": {"p256dh": target.p256dh, "auth": target.auth}}
    encrypted: bytes = WebPusher(info).encode(json.dumps(payload, ensure_ascii=False).encode())["body"]
    return encrypted


def _public_socket(address: Any) -> socket.socket:
    """A socket for ``getaddrinfo``'s answer: the check is on the very address that is connected to."""
    family, kind, protocol, _, where = address
    if not is_public(str(where[0])):
        raise PrivateAddressError("the endpoint's host is not on the public internet")
    return socket.socket(family=family, type=kind, proto=protocol)
