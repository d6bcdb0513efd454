"""A request with a key: which it is, and whether it is the same as before."""

import re
from collections import deque

from starlette.types import Message, Receive, Scope

from shared.idempotency.errors import KeyInvalidError, KeyReusedError
from shared.idempotency.fingerprint import Fingerprint

HEADER = "Idempotency-Key"
KEY_PATTERN = r'^([!#-~][!-~]{0,254}|"([ !#-\[\]-~]|\\["\\]){1,255}")?$'
"""Visible ASCII, or a String of RFC 9651 as the draft has it. An empty header counts as none: nginx drops it."""

_NAME = HEADER.lower().encode()
_KEY = re.compile(KEY_PATTERN.encode())
_ESCAPED = re.compile(rb"\\(.)")


class ClientGoneError(Exception):
    """The client went away before its request was whole."""


def has_key(scope: Scope) -> bool:
    """Whether a request carries the header."""
    return any(name == _NAME and value.strip(b" \t") for name, value in scope["headers"])


def key_of(scope: Scope) -> bytes:
    """The key that a request carries, quotes taken off. Raises KeyInvalidError."""
    values = [value.strip(b" \t") for name, value in scope["headers"] if name == _NAME]
    if len(values) != 1 or not _KEY.fullmatch(values[0]):
        raise KeyInvalidError
    return _ESCAPED.sub(rb"\1", values[0][1:-1]) if values[0].startswith(b'"') else values[0]


class KeyedRequest:
    """Passes a request's body on to the application and takes its fingerprint on the way."""

    def __init__(self, scope: Scope, receive: Receive, *, user_id: int) -> None:
        """Raises KeyInvalidError."""
        key, self.user_id = key_of(scope), user_id
        content_type = b"\n".join(value for name, value in scope["headers"] if name == b"content-type")
        self.key_hash = Fingerprint(str(user_id).encode(), *_target(scope), key).digest()
        # The key is part of it: where it is a secret, a body can't be guessed from its fingerprint.
        self._fingerprint = Fingerprint(*_target(scope), key, content_type=content_type)
        self._receive = receive
        self._kept: deque[Message] = deque()
        self._is_whole = False

    @property
    def fingerprint(self) -> bytes | None:
        """What tells this request from others; None while its body has not been read whole."""
        return self._fingerprint.digest() if self._is_whole else None

    async def receive(self) -> Message:
        """The next message for the application, as ASGI has it."""
        return self._kept.popleft() if self._kept else await self._next()

    async def collect(self) -> None:
        """Read the body and keep it for `receive`. Raises ClientGoneError."""
        while not self._is_whole:
            self._kept.append(await self._expect())

    async def drop(self) -> None:
        """Read the body for the sake of the fingerprint alone. Raises ClientGoneError."""
        while not self._is_whole:
            await self._expect()

    def check_same(self, fingerprint: bytes | None) -> None:
        """Raise KeyReusedError if both fingerprints are known and differ."""
        if None not in (fingerprint, self.fingerprint) and fingerprint != self.fingerprint:
            raise KeyReusedError

    async def _expect(self) -> Message:
        message = await self._next()
        if message["type"] != "http.request":
            raise ClientGoneError
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._fingerprint.update(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        return message


def _target(scope: Scope) -> tuple[bytes, ...]:
    return scope["method"].encode(), scope["path"].encode("utf-8", "surrogateescape"), scope.get("query_string", b"")
