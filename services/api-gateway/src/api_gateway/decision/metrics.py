"""What the decision process counts. Names follow Prometheus's conventions; every label has a bounded set of values."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_BUCKETS: Final = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
VERIFIED_TOKENS: Final = Gauge("gateway_verified_tokens", "Verified tokens that are remembered.")
KNOWN_API_KEYS: Final = Gauge("gateway_known_api_keys", "API keys whose holder is remembered.")
API_KEY_LOOKUPS: Final = Counter(
    "gateway_api_key_lookups_total", "Questions to user-service about API keys, by what came of them.", ["outcome"]
)
REVOKED_SESSIONS: Final = Gauge("gateway_revoked_sessions", "Sessions known to be revoked.")
REVOCATIONS_AGE: Final = Gauge(
    "gateway_revocations_age_seconds", "Time since the revocations were last confirmed by Redis."
)


class Decisions(Collector):
    """Decisions by outcome and service, and how long they took.

    The client library's own counter and histogram take a lock and a method call each, together a fifth of the time of
    a decision: only the event loop counts here, and only a scrape makes samples.
    """

    def __init__(self) -> None:
        """Begin at nothing."""
        self._counts: dict[tuple[str, str], int] = {}
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._seconds = 0.0

    def count(self, outcome: str, service: str, seconds: float) -> None:
        """Count one decision that took so long."""
        key = outcome, service
        self._counts[key] = self._counts.get(key, 0) + 1
        self._buckets[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds += seconds

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """Read the counts."""
        counted = CounterMetricFamily(
            "gateway_decisions", "Decisions by outcome and service.", labels=["outcome", "service"]
        )
        for labels, number in list(self._counts.items()):
            counted.add_metric(labels, number)
        yield counted
        bounds = [*map(str, _BUCKETS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._buckets), strict=True))
        yield HistogramMetricFamily("gateway_decision_seconds", "Time to decide.", buckets, self._seconds)


DECISIONS: Final = Decisions()
REGISTRY.register(DECISIONS)


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
