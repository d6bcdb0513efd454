"""Asking a SmartCourse's gateway whether it is well."""

from __future__ import annotations

from typing import Protocol

import aiohttp

TIMEOUT_SECONDS = 5
ATTEMPTS = 2
PORT = 8000
PROBES_PORT = 8081
"""Where it is asked if its own port speaks PROXY protocol (charts/gateway)."""


class HealthProbe(Protocol):
    """Asks for the health of a gateway."""

    async def __call__(self, name: str, namespace: str, *, port: int) -> str:
        """Return what is wrong with the gateway of SmartCourse `name`, an empty string if nothing is."""


async def probe_gateway(name: str, namespace: str, *, port: int) -> str:
    """Ask `/health` in the cluster; one failure alone is not believed."""
    problem = ""
    for _ in range(ATTEMPTS):
        problem = await ask(f"http://{name}-gateway.{namespace}:{port}/health")
        if not problem:
            return ""
    return problem


async def ask(url: str) -> str:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as session,
            session.get(url) as response,
        ):
            return "" if response.status == 200 else f"{url} answers {response.status}"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"{url} does not answer: {type(error).__name__}"
