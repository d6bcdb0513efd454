"""Logs, metrics and traces of a process."""

from shared.telemetry.logging import configure_logging
from shared.telemetry.metrics import MetricsListener
from shared.telemetry.tracing import configure_tracing, trace_id

__all__ = ["MetricsListener", "configure_logging", "configure_tracing", "trace_id"]
