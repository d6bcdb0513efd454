"""Carry the W3C trace context with an event, so that the consumer's work joins the publishing request's trace."""

from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()


def current_traceparent() -> str | None:
    """The ``traceparent`` header value of the current span, or None outside a trace."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> Context:
    """The context to start a consumer's span in; an absent or malformed value gives one without a parent."""
    return _propagator.extract({"traceparent": traceparent} if traceparent else {}, context=Context())
