"""What the decision process counts. Names follow Prometheus's conventions; every label has a bounded set of values."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY: Final = CollectorRegistry()
_DECISIONS: Final = Counter(
    "gateway_decisions_total", "Decisions by outcome and service.", ["outcome", "service"], registry=REGISTRY
)
SECONDS: Final = Histogram(
    "gateway_decision_seconds",
    "Time to decide.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1),
    registry=REGISTRY,
)
VERIFIED_TOKENS: Final = Gauge("gateway_verified_tokens", "Verified tokens that are remembered.", registry=REGISTRY)
REVOKED_SESSIONS: Final = Gauge("gateway_revoked_sessions", "Sessions known to be revoked.", registry=REGISTRY)
REVOCATIONS_AGE: Final = Gauge(
    "gateway_revocations_age_seconds", "Time since the revocations were last confirmed by Redis.", registry=REGISTRY
)
REDIS_CALLS: Final = Gauge("gateway_limiter_redis_calls", "Redis calls made by the rate limiter.", registry=REGISTRY)

_children: dict[tuple[str, str], Counter] = {}


def count(outcome: str, service: str) -> None:
    """Count one decision."""
    child = _children.get((outcome, service))
    if child is None:
        child = _children[outcome, service] = _DECISIONS.labels(outcome, service)
    child.inc()
