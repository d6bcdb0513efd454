"""Put a service together: the same middleware, errors, health and telemetry for each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import structlog
from fastapi import APIRouter, FastAPI

from shared.config.settings import ServiceSettings
from shared.database import Database
from shared.exceptions.problem import install_problem_handlers
from shared.health import Check, health_router
from shared.idempotency.store import IdempotencyStore
from shared.middleware.body_limit import BodyLimitMiddleware, declared_limits
from shared.middleware.idempotency import IdempotencyMiddleware, keyed_routes
from shared.middleware.identity import IdentityMiddleware
from shared.middleware.logging import LoggingMiddleware
from shared.middleware.telemetry import TelemetryMiddleware
from shared.openapi import describe
from shared.telemetry import MetricsListener, configure_logging, configure_tracing
from shared.telemetry.loop import watch_loop
from shared.telemetry.tracing import flush_traces, trace_queries
from shared.utils.datetime import Clock, SystemClock

Task = Callable[[], Awaitable[None]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

MAXIMUM_BODY_BYTES = 1_048_576
FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 30.0
CANCEL_AGAIN_SECONDS = 1.0

_log = structlog.get_logger(__name__)


def create_app(
    settings: ServiceSettings,
    *,
    title: str,
    routers: Sequence[APIRouter],
    checks: Mapping[str, Check] | None = None,
    database: Database | None = None,
    idempotency: IdempotencyStore | None = None,
    tasks: Sequence[Task] = (),
    lifespan: Lifespan | None = None,
    clock: Clock | None = None,
    description: str = "",
    version: str = "1.0.0",
    max_body_bytes: int = MAXIMUM_BODY_BYTES,
) -> FastAPI:
    """A service that answers ``routers`` to requests signed by the gateway, and health to anybody.

    ``database`` becomes ``app.state.database`` and the check ``postgres``, and is disposed at the end. With
    ``idempotency`` the POST routes heed ``Idempotency-Key``, and what is kept for it is swept. ``tasks`` run
    from after ``lifespan`` is entered until before it is left; one that fails is logged and started again.
    """
    configure_logging(settings.service_name, settings.log_level)
    configure_tracing(settings.otel_service_name or settings.service_name)
    if idempotency is not None:
        tasks = [*tasks, idempotency.keep_swept]
    all_checks = dict(checks or {}) | ({"postgres": database.ping} if database else {})
    app = describe(
        title=title,
        routers=[*routers, health_router(settings.service_name, all_checks)],
        description=description,
        version=version,
        lifespan=_lifespan(settings, database, tasks, lifespan),
    )
    app.state.database = database
    install_problem_handlers(app)
    # Added innermost first.
    if idempotency is not None:
        app.add_middleware(IdempotencyMiddleware, store=idempotency, routes=keyed_routes(routers))
    app.add_middleware(BodyLimitMiddleware, maximum_bytes=max_body_bytes, limits=declared_limits(routers))
    app.add_middleware(
        IdentityMiddleware,
        key=settings.gateway_identity_key,
        previous_key=settings.gateway_identity_key_previous,
        clock=clock or SystemClock(),
    )
    app.add_middleware(LoggingMiddleware)
    app.add_middleware(TelemetryMiddleware)
    return app


def _lifespan(
    settings: ServiceSettings, database: Database | None, tasks: Sequence[Task], inner: Lifespan | None
) -> Lifespan:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        configure_logging(settings.service_name, settings.log_level)  # again: the server may have set up its own
        configure_tracing(settings.service_name, settings.otel_exporter_otlp_endpoint)
        listener = MetricsListener(settings.metrics_port)
        listener.start()
        async with AsyncExitStack() as stack:
            stack.callback(listener.stop)
            stack.callback(flush_traces)
            if database is not None:
                database.watch_pool()
                trace_queries(database.engine.sync_engine)
                stack.push_async_callback(database.dispose)
            if inner is not None:
                await stack.enter_async_context(inner(app))
            await stack.enter_async_context(running([*tasks, watch_loop]))
            _log.info("started")
            yield
            _log.info("stopping")

    return lifespan


@asynccontextmanager
async def running(tasks: Sequence[Task]) -> AsyncIterator[None]:
    """Run ``tasks`` beside the body; each is started again when it fails, and cancelled at the end."""
    started = [asyncio.create_task(_kept_running(task), name=_name(task)) for task in tasks]
    try:
        yield
    finally:
        await _end(started)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel ``tasks``, again and again until each has ended: before Python 3.12 `asyncio.wait_for`, through which
    redis-py sends its commands, can swallow a cancellation."""
    pending = set(tasks)
    while pending:
        for each in pending:
            each.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)


async def _kept_running(task: Task) -> None:
    pause_seconds = FIRST_RESTART_SECONDS
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        try:
            await task()
        except Exception:  # noqa: BLE001 - whatever it was, the task must run again
            _log.exception("background task failed", task=_name(task), restart_in_seconds=pause_seconds)
        else:
            return  # it has nothing more to do
        await asyncio.sleep(pause_seconds)
        lasted = loop.time() - began > 2 * LONGEST_RESTART_SECONDS
        pause_seconds = FIRST_RESTART_SECONDS if lasted else min(2 * pause_seconds, LONGEST_RESTART_SECONDS)


def _name(task: Task) -> str:
    return getattr(task, "__qualname__", type(task).__name__)
