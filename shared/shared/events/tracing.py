"""Carry the W3C trace context with an event, so that publishing and consuming it join the trace of its cause."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace

from shared.telemetry.tracing import context_of, traceparent_of

__all__ = ["context_of", "continuing", "current_traceparent"]


def current_traceparent() -> str | None:
    """The ``traceparent`` header value of the current span, or None outside a trace."""
    span = trace.get_current_span()
    return traceparent_of(span) if span.get_span_context().is_valid else None


@contextmanager
def continuing(traceparent: str | None) -> Iterator[None]:
    """Be in the trace of ``traceparent`` without a span of one's own: for what is logged between spans."""
    token = context.attach(context_of(traceparent))
    try:
        yield
    finally:
        context.detach(token)
