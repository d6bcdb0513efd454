"""The question to user-service whose an API key is."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from opentelemetry import trace

from api_gateway.decision import metrics
from api_gateway.decision.request import get
from api_gateway.middleware.auth import Principal
from shared.api_keys import ApiKey, ApiKeyHolder, lookup_target
from shared.identity import signed_headers
from shared.telemetry.tracing import traceparent_of

_TIMEOUT_SECONDS: Final = 2.0


class KeyLookup:
    """Asks user-service, over its internal route and with the gateway's signature."""

    def __init__(self, origin: tuple[str, int], *, identity_key: str) -> None:
        """Ask at `origin` (host, port) and sign with `identity_key`."""
        self._origin, self._identity_key = origin, identity_key

    async def __call__(self, key: ApiKey) -> Principal | None:
        """Return whom `key` speaks for; None if it is no good.

        Raises:
            OSError, ValueError: user-service is away, slow, or answers something else.
        """
        outcome = "failed"
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                holder = await self._ask(key)
            outcome = "known" if holder else "unknown"
            return holder
        finally:
            metrics.API_KEY_LOOKUPS.labels(outcome).inc()

    async def _ask(self, key: ApiKey) -> Principal | None:
        asked_at = time.time()  # before: what is remembered must not outlive what was told
        target = lookup_target(key)
        signed = signed_headers(self._identity_key, method="GET", target=target)
        status, body = await get(
            *self._origin, target, signed | {"traceparent": traceparent_of(trace.get_current_span())}
        )
        if status == 404:
            return None
        if status != 200:
            raise ValueError(f"user-service answered {status}")
        holder = ApiKeyHolder.model_validate_json(body)
        return Principal(
            user_id=str(holder.user_id),
            role=holder.role.value,
            session_id=holder.session_id,
            expires_at=asked_at + holder.good_for_seconds,
            scopes=frozenset(holder.scopes),
        )
