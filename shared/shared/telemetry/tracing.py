"""Traces: ids in every process, spans recorded and exported only where an OTLP endpoint is set.

What may leave is decided here once: a span holds names, routes, statements without their parameters, and ids; never an
error's text (see ``exporter``). How many requests are recorded follows OpenTelemetry's ``OTEL_TRACES_SAMPLER`` and
``OTEL_TRACES_SAMPLER_ARG``; by default every one that the caller records.
"""

import secrets
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext

TRACE_ID_SCOPE_KEY = "smartcourse.trace_id"
FLUSH_SECONDS = 2.0

tracer = trace.get_tracer("smartcourse")
"""Where spans of this project come from; it finds its provider when that is set."""

_propagator = TraceContextTextMapPropagator()
_lock = threading.Lock()
_exporting_to: set[str] = set()


def configure_tracing(service_name: str, endpoint: str | None = None) -> None:
    """Give the process trace ids and, with ``endpoint`` (``http://collector:4318``), export its spans by OTLP/HTTP.

    The first call names the process; a later one can only add an endpoint.
    """
    with _lock:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider(resource=Resource.create({"service.name": service_name}), shutdown_on_exit=False)
            provider.sampler = WorthRecording(provider.sampler)
            trace.set_tracer_provider(provider)
        if endpoint and endpoint not in _exporting_to:
            provider.add_span_processor(exporting(endpoint))
            _exporting_to.add(endpoint)


def exporting(endpoint: str) -> BatchSpanProcessor:
    """What sends finished spans to ``endpoint``, in batches, from a thread of its own."""
    # Imported here because it takes a tenth of a second that most processes need not spend.
    from shared.telemetry.exporter import DiscreetExporter

    return BatchSpanProcessor(DiscreetExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces"))


def is_exporting() -> bool:
    """Whether anybody will see spans: what is made for them alone can be left out otherwise."""
    return bool(_exporting_to)


class WorthRecording(Sampler):
    """Of what ``admitted`` would record: nothing while no spans are exported, and no query that stands alone.

    Readiness probes, the outbox relay and background tasks ask the databases every few seconds; each question would
    be a trace of one span.
    """

    def __init__(self, admitted: Sampler) -> None:
        self._admitted = admitted

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        is_wanted = bool(_exporting_to)
        if is_wanted and kind is SpanKind.CLIENT:
            is_wanted = trace.get_current_span(parent_context).get_span_context().is_valid
        if not is_wanted:
            return SamplingResult(Decision.DROP)
        return self._admitted.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"WorthRecording({self._admitted.get_description()})"


def trace_queries(engine: Engine) -> None:
    """While spans are exported, make one of each statement of ``engine``: its text is recorded, its parameters are not.

    Not by OpenTelemetry's instrumentation, which does not know this SQLAlchemy yet (ADR 0013).
    """
    if not is_exporting():
        return
    place = {
        "db.system.name": "postgresql",
        "db.namespace": engine.url.database or "",
        "server.address": engine.url.host or "",
    }

    def begin(
        _connection: Any, _cursor: Any, statement: str, _parameters: Any, context: ExecutionContext, _is_many: bool
    ) -> None:
        operation = statement.split(maxsplit=1)[0].upper()
        attributes = place | {"db.operation.name": operation, "db.query.text": statement}
        span = tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=attributes)
        context.smartcourse_span = span  # type: ignore[attr-defined]

    def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _is_many: bool) -> None:
        context.smartcourse_span.end()

    def fail(failure: ExceptionContext) -> None:
        span = getattr(failure.execution_context, "smartcourse_span", None)
        if span is not None:
            span.set_status(Status(StatusCode.ERROR))
            span.end()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)


def context_of(traceparent: str | None) -> Context:
    """The context to start a span in that continues ``traceparent``; an absent or malformed one has no parent."""
    return _propagator.extract({"traceparent": traceparent}, context=Context()) if traceparent else Context()


def traceparent_of(span: trace.Span) -> str:
    """The W3C header's value for what continues ``span``."""
    context = span.get_span_context()
    ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
    return f"00-{ids}-{context.trace_flags:02x}"


def flush_traces() -> None:
    """Send what is still held back."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        flush(provider)


def flush(provider: TracerProvider) -> None:
    """Send what ``provider`` still holds back, or give it up when the receiver does not answer in time."""
    # In a thread, because `force_flush` does not keep the time-out that it takes: it would hold up a pod's end.
    sending = threading.Thread(target=provider.force_flush, daemon=True)
    sending.start()
    sending.join(FLUSH_SECONDS)


def trace_id() -> str:
    """32 hexadecimal digits: the current span's trace, a fresh random one outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else secrets.token_hex(16)


def request_trace_id(scope: Mapping[str, Any]) -> str:
    """The trace of the request of ``scope``, also after its span has ended."""
    known: str | None = scope.get(TRACE_ID_SCOPE_KEY)
    return known or trace_id()
