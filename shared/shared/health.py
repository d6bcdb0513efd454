"""What the kubelet, Compose and the gateway ask a service: is it alive, ready, started."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

Check = Callable[[], Awaitable[object]]
"""Something a service needs; raises when it is not well."""

_log = structlog.get_logger(__name__)


def health_router(service_name: str, checks: Mapping[str, Check], *, timeout_seconds: float = 2.0) -> APIRouter:
    """The routes ``/health``, ``/health/live``, ``/health/ready`` and ``/health/startup``.

    Live: the process answers; a datastore that is away must not restart it. Ready (and ``/health``): every check
    passes within ``timeout_seconds``, else 503 with what each said. Startup: the process has started, for routes are
    served only then.
    """
    router = APIRouter(include_in_schema=False)

    async def ready() -> JSONResponse:
        results = await asyncio.gather(*(_run(name, check, timeout_seconds) for name, check in checks.items()))
        is_ready = all(each["status"] == "ok" for each in results)
        return JSONResponse(
            {
                "status": "healthy" if is_ready else "unhealthy",
                "service": service_name,
                "checks": dict(zip(checks, results, strict=True)),
            },
            status_code=200 if is_ready else 503,
            headers={"Cache-Control": "no-store"},
        )

    async def live() -> JSONResponse:
        return JSONResponse({"status": "healthy", "service": service_name}, headers={"Cache-Control": "no-store"})

    router.add_api_route("/health", ready)
    router.add_api_route("/health/ready", ready)
    router.add_api_route("/health/live", live)
    router.add_api_route("/health/startup", live)
    return router


async def _run(name: str, check: Check, timeout_seconds: float) -> dict[str, Any]:
    started = time.perf_counter()
    error = None
    try:
        async with asyncio.timeout(timeout_seconds):
            await check()
    except TimeoutError:
        error = f"no answer within {timeout_seconds:g} s"
    except Exception as failure:  # noqa: BLE001 - whatever it is, it means: not ready
        error = type(failure).__name__
        _log.warning("health check failed", check=name, error=str(failure))
    duration_ms = round((time.perf_counter() - started) * 1000, 1)
    if error:
        return {"status": "failed", "error": error, "duration_ms": duration_ms}
    return {"status": "ok", "duration_ms": duration_ms}
