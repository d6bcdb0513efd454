"""The platform's health as the gateway sees it: each service is asked whether it is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

from api_gateway.decision.request import get

_REMEMBERED_SECONDS: Final = 1.0
"""An answer is reused this long, so that asking the gateway often doesn't burden the services."""


class ServiceHealth:
    """Asks all services at once and remembers the answer for a moment."""

    def __init__(self, origins: Mapping[str, tuple[str, int]], *, timeout_seconds: float) -> None:
        """Ask these services, each by its name, at (host, port)."""
        self._origins, self._timeout_seconds = origins, timeout_seconds
        self._answer: dict[str, bool] = {}
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def ask(self) -> dict[str, bool]:
        """Return for each service whether it says it is ready."""
        async with self._lock:
            if time.monotonic() - self._asked > _REMEMBERED_SECONDS:
                ready = await asyncio.gather(*(self._is_ready(*origin) for origin in self._origins.values()))
                self._answer = dict(zip(self._origins, ready, strict=True))
                self._asked = time.monotonic()
            return self._answer

    async def _is_ready(self, host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                status, _ = await get(host, port, "/health/ready")
                return status == 200
        except (OSError, ValueError):  # refused, no such name, timed out, or not HTTP
            return False
