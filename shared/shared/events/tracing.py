"""Carry the W3C trace context with an event, so that publishing and consuming it join the trace of its cause."""

from opentelemetry import trace

from shared.telemetry.tracing import context_of, traceparent_of

__all__ = ["context_of", "current_traceparent"]


def current_traceparent() -> str | None:
    """The ``traceparent`` header value of the current span, or None outside a trace."""
    span = trace.get_current_span()
    return traceparent_of(span) if span.get_span_context().is_valid else None
