"""Spans of decisions, made only where an OTLP endpoint is set.

A trace begins here: nothing that a client says is taken on trust. Its trace id and span are continued, so that its own
trace leads to ours; its sampled flag may decline a recording but cannot demand one (that takes the sampler's leave,
`OTEL_TRACES_SAMPLER`), and its `tracestate` and `baggage` go no further.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode

from api_gateway.routing import METHODS, RouteTable
from shared.telemetry.tracing import context_of, exporting, flush

_WORST_ANSWER: Final = 500


class _GivenTraceIds(RandomIdGenerator):
    """A trace that begins here has the id that nginx writes into its log and into its own problem documents."""

    def __init__(self) -> None:
        self.next = 0

    def generate_trace_id(self) -> int:
        return self.next or super().generate_trace_id()


class DecisionSpans:
    """Makes a span of each decision."""

    def __init__(self, service_name: str, endpoint: str, routes: RouteTable) -> None:
        """Export to `endpoint` (`http://collector:4318`). `routes` give a span the template of its path."""
        self._routes, self._ids = routes, _GivenTraceIds()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service_name}), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(exporting(endpoint))
        self._tracer = self._provider.get_tracer("smartcourse")

    @contextmanager
    def span(self, *, method: str, target: str, traceparent: str, trace_id: str) -> Iterator[Span]:
        """The current span while a request is decided on.

        `traceparent` is the client's, "" if it sent none; `trace_id` is nginx's name for the request (32 hex digits).
        """
        self._ids.next = int(trace_id or "0", 16)
        method = method if method in METHODS else "OTHER"
        route = (self._routes.find(target.partition("?")[0]) or {}).get(method)
        name = f"decide {method}" + (f" {route.path}" if route else "")
        span = self._tracer.start_span(name, context=self._continued(traceparent), kind=SpanKind.SERVER)
        span.set_attribute("http.request.method", method)
        if route is not None:
            span.set_attribute("http.route", route.path)
        with trace.use_span(span, end_on_exit=True, record_exception=False):
            yield span

    def close(self) -> None:
        """Send what is still held back."""
        flush(self._provider)

    def _continued(self, traceparent: str) -> Context:
        context = context_of(traceparent)
        told = trace.get_current_span(context).get_span_context()
        if not told.trace_flags.sampled or self._may_record():
            return context
        unsampled = SpanContext(told.trace_id, told.span_id, is_remote=True)
        return trace.set_span_in_context(NonRecordingSpan(unsampled), context)

    def _may_record(self) -> bool:
        # As for a trace that begins here, and by a number of our own: samplers go by the trace id, which a client
        # could choose so that it is always recorded.
        sampler = self._provider.sampler
        return sampler.should_sample(None, random.getrandbits(128), "decide").decision is Decision.RECORD_AND_SAMPLE


def describe(span: Span, *, service: str, problem_status: str) -> None:
    """Note what was decided: the service that may answer, or the status of the refusal."""
    if service:
        span.set_attribute("smartcourse.service", service)
    if problem_status:
        span.set_attribute("http.response.status_code", int(problem_status))
        if int(problem_status) >= _WORST_ANSWER:
            span.set_status(Status(StatusCode.ERROR))
