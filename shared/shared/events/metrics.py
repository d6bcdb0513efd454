"""What is counted about events; the metrics listener of each process serves it."""

from prometheus_client import Counter, Gauge, Histogram

OUTBOX_PENDING = Gauge(
    "smartcourse_outbox_pending", "Entries that wait to be published, counted up to 10,000 (leader only)", ["service"]
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "smartcourse_outbox_oldest_seconds", "Age of the oldest entry that waits to be published", ["service"]
)
OUTBOX_LEADER = Gauge("smartcourse_outbox_leader", "1 while this process publishes for its service", ["service"])
OUTBOX_PUBLISHED = Counter("smartcourse_outbox_published", "Entries published", ["service", "stream"])
OUTBOX_FAILURES = Counter("smartcourse_outbox_failures", "Turns of the relay that failed", ["service"])
OUTBOX_RESTORED = Counter(
    "smartcourse_outbox_restored", "Entries published anew because the broker had lost them", ["service", "stream"]
)
OUTBOX_ABANDONED = Counter(
    "smartcourse_outbox_abandoned",
    "Entries removed from the stream although a consumer had not acknowledged them",
    ["service", "stream"],
)

EVENTS_CONSUMED = Counter(
    "smartcourse_events_consumed",
    "Deliveries settled, by outcome: handled, repeated, ignored, dead",
    ["service", "type", "outcome"],
)
EVENTS_CONSUMING = Gauge(
    "smartcourse_events_consuming",
    "1 while events reach this process; its requests are answered either way",
    ["service"],
)
EVENTS_RETRIED = Counter("smartcourse_events_retried", "Attempts at handling an event that failed", ["service", "type"])
EVENTS_LAG = Histogram(
    "smartcourse_events_lag_seconds",
    "From what happened to its effect",
    ["service"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
EVENTS_WAITING = Gauge(
    "smartcourse_events_waiting",
    "Entries of the stream that the service has not acknowledged; every process tells the service's number",
    ["service", "stream"],
)
DEAD_LETTERS = Gauge("smartcourse_dead_letters", "Events given up that nobody has replayed or discarded", ["service"])
