"""Pools of connections, to whichever datastore: how many are in use, how many may be, how long one waits for one.

The gauges are read from the pools when Prometheus asks; nothing is counted in between.
"""

from collections.abc import Callable
from typing import Any

from prometheus_client import Gauge, Histogram
from redis.asyncio import Redis

_STATE = "db.client.connection.state"  # OpenTelemetry's name, by which redis-py tells used from idle

CONNECTIONS = Gauge("smartcourse_pool_connections", "Open connections by state: used, idle.", ["pool", "state"])
SIZE = Gauge("smartcourse_pool_size", "Connections that are kept open; more are overflow.", ["pool"])
LIMIT = Gauge("smartcourse_pool_limit", "Connections that may be open at once.", ["pool"])
WAIT_SECONDS = Histogram(
    "smartcourse_pool_wait_seconds",
    "From asking for a connection to having one that works.",
    ["pool"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def watch_pool(
    pool: str,
    *,
    used: Callable[[], float],
    idle: Callable[[], float],
    limit: float,
    size: float | None = None,
) -> None:
    """Publish a pool's state under the name ``pool``; watching another under that name replaces it."""
    CONNECTIONS.labels(pool, "used").set_function(used)
    CONNECTIONS.labels(pool, "idle").set_function(idle)
    LIMIT.labels(pool).set(limit)
    if size is not None:
        SIZE.labels(pool).set(size)


def watch_redis(pool: str, redis: Redis) -> None:
    """Publish the state of a Redis client's pool, which keeps open what was once needed."""
    connections: Any = redis.connection_pool

    def count(state: str) -> Callable[[], float]:
        return lambda: sum(
            number for number, attributes in connections.get_connection_count() if attributes[_STATE] == state
        )

    watch_pool(pool, used=count("used"), idle=count("idle"), limit=connections.max_connections)
