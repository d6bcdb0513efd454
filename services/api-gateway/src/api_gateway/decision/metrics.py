"""What the decision process counts. Names follow Prometheus's conventions; every label has a bounded set of values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

_DECISIONS: Final = Counter("gateway_decisions_total", "Decisions by outcome and service.", ["outcome", "service"])
SECONDS: Final = Histogram(
    "gateway_decision_seconds",
    "Time to decide.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1),
)
VERIFIED_TOKENS: Final = Gauge("gateway_verified_tokens", "Verified tokens that are remembered.")
REVOKED_SESSIONS: Final = Gauge("gateway_revoked_sessions", "Sessions known to be revoked.")
REVOCATIONS_AGE: Final = Gauge(
    "gateway_revocations_age_seconds", "Time since the revocations were last confirmed by Redis."
)

_children: dict[tuple[str, str], Counter] = {}


def count(outcome: str, service: str) -> None:
    """Count one decision."""
    child = _children.get((outcome, service))
    if child is None:
        child = _children[outcome, service] = _DECISIONS.labels(outcome, service)
    child.inc()


class LimiterCalls(Collector):
    """The rate limiter's own count of its calls to Redis."""

    def __init__(self, read: Callable[[], int]) -> None:
        """Publish what `read` returns; it never shrinks."""
        self._read = read
        REGISTRY.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read the count."""
        yield CounterMetricFamily(
            "gateway_limiter_redis_calls", "Redis calls made by the rate limiter.", value=self._read()
        )
