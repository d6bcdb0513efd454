"""Whom API keys speak for: asked of user-service once, then remembered like tokens.

What is remembered ends with the key, after an access token's lifetime, or when the key's session is revoked. A revoked
session does not mean that the key is no good: a person's new role ends it too. So user-service is asked again, and only
its word counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from api_gateway.middleware.auth import Principal
from api_gateway.middleware.revocation import Revocations
from shared.api_keys import ApiKey

_PATIENCE_SECONDS: Final = 0.8
"""How long a request waits: nginx gives a decision one second. The question goes on, for the next request to profit."""
_REFUSAL_SECONDS: Final = 5.0
"""How long it is remembered that a key is no good."""
_MOST_QUESTIONS: Final = 64
"""How many keys are asked about at once; user-service has other work."""
_logger = logging.getLogger(__name__)
_Value = TypeVar("_Value")

Lookup = Callable[[ApiKey], Awaitable[Principal | None]]
"""Returns whom a key speaks for, None if it is no good; raises OSError or ValueError if that can't be found out."""


class KeysUnavailableError(Exception):
    """It can't be found out at present whose the key is."""


class ApiKeys:
    """Remembers keys' holders by the key's digest, at most `capacity` of them and as many refusals."""

    def __init__(
        self, lookup: Lookup, revocations: Revocations, *, capacity: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Find out with `lookup` what is not known, or no longer so by `revocations`."""
        self._lookup, self._revocations, self._capacity, self._clock = lookup, revocations, capacity, clock
        self._known: dict[bytes, Principal] = {}
        self._refused_until: dict[bytes, float] = {}
        self._questions: dict[bytes, asyncio.Task[Principal | None]] = {}

    def __len__(self) -> int:
        """How many keys' holders are remembered."""
        return len(self._known)

    def find_known(self, digest: bytes) -> Principal | None:
        """Return whom the key of this digest speaks for, if that is known and nothing has changed since."""
        holder = self._known.get(digest)
        if holder is None or holder.expires_at <= self._clock() or holder.session_id in self._revocations:
            return None
        return holder

    async def find(self, key: ApiKey) -> Principal | None:
        """Return whom `key` speaks for, by user-service's word; None if it is no good.

        Raises:
            KeysUnavailableError: user-service is away or slow, or is asked about too many keys already.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for _ in range(2):  # what is told may be revoked while it is on its way
                    holder = await self._ask(key)
                    if holder is None or holder.session_id not in self._revocations:
                        return holder
        except (OSError, ValueError) as error:
            _logger.warning("whose an API key is can't be found out: %s", type(error).__name__)
            raise KeysUnavailableError from error
        raise KeysUnavailableError

    def forget_expired(self) -> None:
        """Drop what is no longer worth remembering."""
        now = self._clock()
        for digest in [digest for digest in self._known if self.find_known(digest) is None]:
            del self._known[digest]
        for digest in [digest for digest, until in self._refused_until.items() if until <= now]:
            del self._refused_until[digest]

    async def _ask(self, key: ApiKey) -> Principal | None:
        """Return user-service's answer. Requests with the same key wait for one and the same.

        It may have come since the request found none.
        """
        if (known := self.find_known(key.digest)) is not None:
            return known
        if self._refused_until.get(key.digest, 0.0) > self._clock():
            return None
        question = self._questions.get(key.digest)
        if question is None:
            if len(self._questions) >= _MOST_QUESTIONS:
                raise KeysUnavailableError
            question = self._questions[key.digest] = asyncio.create_task(self._learn(key))
            question.add_done_callback(_look_at)
        return await asyncio.shield(question)

    async def _learn(self, key: ApiKey) -> Principal | None:
        try:
            holder = await self._lookup(key)
        finally:
            del self._questions[key.digest]
        self._known.pop(key.digest, None)
        if holder is None:
            _remember(self._refused_until, key.digest, self._clock() + _REFUSAL_SECONDS, capacity=self._capacity)
        else:
            _remember(self._known, key.digest, holder, capacity=self._capacity)
        return holder


def _remember(memory: dict[bytes, _Value], digest: bytes, value: _Value, *, capacity: int) -> None:
    if len(memory) >= capacity:
        del memory[next(iter(memory))]
    memory[digest] = value


def _look_at(question: asyncio.Task[Principal | None]) -> None:
    """Take note of how it ended: those who asked may have gone, and an error that nobody saw would be logged."""
    if not question.cancelled():
        question.exception()
