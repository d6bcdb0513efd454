"""What the operator counts; served for Prometheus on a port of its own."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from smartcourse_operator.queue import Queues

RECONCILES = Counter(
    "smartcourse_operator_reconciles_total", "Reconciles that ended, by outcome (done, waiting, error).", ["outcome"]
)
RECONCILE_SECONDS = Histogram(
    "smartcourse_operator_reconcile_seconds",
    "How long a reconcile takes.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RENDER_SECONDS = Histogram(
    "smartcourse_operator_render_seconds", "How long `helm template` takes.", buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)
APPLIED = Counter(
    "smartcourse_operator_applied_total",
    "Objects applied, by kind and cause (missing, changed, drifted).",
    ["kind", "cause"],
)
API_REQUESTS = Counter(
    "smartcourse_operator_api_requests_total",
    "Requests to the Kubernetes API, by method and status.",
    ["method", "status"],
)
QUEUE_DEPTH = Gauge("smartcourse_operator_queue_depth", "Resources that are due and wait for a worker.")
STALLED_SECONDS = Gauge(
    "smartcourse_operator_stalled_seconds",
    "How long the resource that is worst off has waited past its time, or been worked on.",
)
LEADING = Gauge("smartcourse_operator_is_leader", "1 while this process leads.")
CONDITION = Gauge(
    "smartcourse_condition", "1 while a condition of a SmartCourse is True.", ["namespace", "name", "type"]
)
BACKUP_TAKEN = Gauge(
    "smartcourse_backup_taken_timestamp_seconds",
    "The moment, in seconds since 1970, that a SmartCourse's newest good backup is of.",
    ["namespace", "name"],
)
BACKUP_FAILING = Gauge(
    "smartcourse_backup_failing", "1 while a SmartCourse's last backup failed or is overdue.", ["namespace", "name"]
)
OF_BACKUPS = (BACKUP_TAKEN, BACKUP_FAILING)


def watch(queues: Queues) -> None:
    """Tell of these queues whenever Prometheus asks."""
    QUEUE_DEPTH.set_function(queues.depth)
    STALLED_SECONDS.set_function(queues.stalled_seconds)


def forget(gauges: Iterable[Gauge], namespace: str, name: str) -> None:
    """Take away what is measured of a SmartCourse."""
    for gauge in gauges:
        gauge.remove_by_labels({"namespace": namespace, "name": name})
