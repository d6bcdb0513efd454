"""What is counted about deliveries; the metrics listener of each process serves it."""

from prometheus_client import Counter, Gauge, Histogram

CHANNEL_ENABLED = Gauge("smartcourse_channel_enabled", "1 if this installation can use the channel", ["channel"])
DELIVERIES = Gauge(
    "smartcourse_deliveries", "Deliveries that wait (pending) or were given up (dead)", ["channel", "state"]
)
DELIVERIES_OLDEST_SECONDS = Gauge(
    "smartcourse_deliveries_oldest_seconds", "Age of the oldest delivery that waits", ["channel"]
)
DELIVERY_ATTEMPTS = Counter(
    "smartcourse_delivery_attempts",
    "Attempts by outcome: sent, retried, unavailable, gone, cancelled, dead",
    ["channel", "outcome"],
)
DELIVERY_SECONDS = Histogram(
    "smartcourse_delivery_seconds",
    "Time that one attempt took",
    ["channel"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
