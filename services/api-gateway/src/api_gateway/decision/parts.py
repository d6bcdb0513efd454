"""The decision process's composition root: everything is made here, from settings."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api_gateway.config import DecisionSettings
from api_gateway.decision import metrics
from api_gateway.decision.app import DecisionApp
from api_gateway.decision.decide import Decider
from api_gateway.decision.health import ServiceHealth
from api_gateway.decision.key_lookup import KeyLookup
from api_gateway.decision.monitor import Monitor
from api_gateway.decision.tracing import DecisionSpans
from api_gateway.middleware.api_keys import ApiKeys
from api_gateway.middleware.auth import TokenVerifier
from api_gateway.middleware.rate_limit import RateLimiter
from api_gateway.middleware.revocation import RevocationFollower, Revocations
from api_gateway.rates import Policies
from api_gateway.routing import CompiledTable, RouteTable
from shared.telemetry.loop import watch_loop
from shared.telemetry.pools import watch_redis

_LIMIT_TIMEOUT_SECONDS: Final = 0.25
_SWEEP_SECONDS: Final = 30.0
_FOLLOW_TIMEOUT_SECONDS: Final = 1.5
"""Longer than the follower's blocking read, so that silence isn't mistaken for an outage."""


async def build(settings: DecisionSettings, stack: contextlib.AsyncExitStack) -> DecisionApp:
    """Make the parts and start their tasks; leaving `stack` stops them in the opposite order.

    Raises:
        OSError: the port is taken, or there is no route table.
        RouteTableError: the table is a bad one.
    """
    url = settings.redis_url.get_secret_value()
    limits = await stack.enter_async_context(_connect(url, timeout_seconds=_LIMIT_TIMEOUT_SECONDS))
    stream = await stack.enter_async_context(_connect(url, timeout_seconds=_FOLLOW_TIMEOUT_SECONDS))
    revocations = Revocations()
    watch_redis("redis-limits", limits)
    watch_redis("redis-revocations", stream)
    limiter = RateLimiter(limits, processes=settings.gateway_processes)
    stack.push_async_callback(_close, limiter)
    verifier = _verifier(settings)
    origins = {name: (url.host or "", url.port or 80) for name, url in settings.services.items()}
    identity_key = settings.gateway_identity_key.get_secret_value()
    keys = ApiKeys(
        KeyLookup(origins["user"], identity_key=identity_key), revocations, capacity=settings.verified_tokens
    )
    for work in (RevocationFollower(stream, revocations).run(), limiter.run(), _sweep(verifier, keys), watch_loop()):
        task = asyncio.create_task(work)
        stack.push_async_callback(_cancel, task)
    _publish(verifier, keys, revocations, limiter)
    monitor = Monitor(port=settings.metrics_port, is_ready=lambda: revocations.is_loaded)
    await monitor.start()
    stack.callback(monitor.stop)
    routes = RouteTable(CompiledTable.load(settings.gateway_routes_dir / "routes.json").routes)
    decider = Decider(
        routes=routes,
        verifier=verifier,
        keys=keys,
        revocations=revocations,
        limiter=limiter,
        policies=Policies.of(settings),
        identity_key=identity_key,
        grace_seconds=settings.revocation_grace_seconds,
        maintenance_retry_seconds=None if settings.maintenance == "off" else settings.maintenance_retry_after_seconds,
    )
    health = ServiceHealth(origins, timeout_seconds=settings.health_timeout_seconds)
    return DecisionApp(decider, health, _spans(settings, stack, routes))


def _spans(settings: DecisionSettings, stack: contextlib.AsyncExitStack, routes: RouteTable) -> DecisionSpans | None:
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return None
    spans = DecisionSpans(settings.otel_service_name or settings.service_name, endpoint, routes)
    stack.callback(spans.close)
    return spans


def _connect(url: str, *, timeout_seconds: float) -> Redis:
    redis: Redis = Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 1),  # once: a pooled connection may have died with a Redis that is back already
    )
    return redis


def _verifier(settings: DecisionSettings) -> TokenVerifier:
    keys = [settings.jwt_secret_key, settings.jwt_secret_key_previous]
    return TokenVerifier(
        [key.get_secret_value() for key in keys if key is not None],
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        skew_seconds=settings.jwt_skew_seconds,
        capacity=settings.verified_tokens,
    )


async def _sweep(*memories: TokenVerifier | ApiKeys) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        for memory in memories:
            memory.forget_expired()


def _publish(verifier: TokenVerifier, keys: ApiKeys, revocations: Revocations, limiter: RateLimiter) -> None:
    """Have the parts' state read at each scrape."""
    metrics.VERIFIED_TOKENS.set_function(lambda: len(verifier))
    metrics.KNOWN_API_KEYS.set_function(lambda: len(keys))
    metrics.REVOKED_SESSIONS.set_function(lambda: len(revocations))
    metrics.REVOCATIONS_AGE.set_function(lambda: revocations.age_seconds)
    metrics.LimiterCalls(lambda: limiter.redis_calls)


async def _close(limiter: RateLimiter) -> None:
    with contextlib.suppress(OSError, RedisError):
        await limiter.close()


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=_FOLLOW_TIMEOUT_SECONDS)
