"""Traces: ids in every process, spans exported only where an OTLP endpoint is set."""

import secrets
import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext, ExecutionContext

TRACE_ID_SCOPE_KEY = "smartcourse.trace_id"

_lock = threading.Lock()
_exporting_to: set[str] = set()


def configure_tracing(service_name: str, endpoint: str | None = None) -> None:
    """Give the process trace ids and, with ``endpoint`` (``http://collector:4318``), export its spans by OTLP/HTTP.

    The first call names the process; a later one can only add an endpoint.
    """
    with _lock:
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
            trace.set_tracer_provider(provider)
        if endpoint and endpoint not in _exporting_to:
            # Imported here because it takes a tenth of a second that most processes need not spend.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
            provider.add_span_processor(BatchSpanProcessor(exporter))
            _exporting_to.add(endpoint)


def trace_queries(engine: Engine) -> None:
    """Make a span of each statement that ``engine`` runs; its text is recorded, its parameters are not."""

    def begin(
        _connection: Any, _cursor: Any, statement: str, _parameters: Any, context: ExecutionContext, _is_many: bool
    ) -> None:
        operation = statement.lstrip().partition(" ")[0].upper()
        attributes = {"db.system.name": "postgresql", "db.operation.name": operation, "db.query.text": statement}
        span = tracer().start_span(operation, kind=trace.SpanKind.CLIENT, attributes=attributes)
        context.smartcourse_span = span  # type: ignore[attr-defined]

    def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _is_many: bool) -> None:
        context.smartcourse_span.end()

    def fail(failure: ExceptionContext) -> None:
        span = getattr(failure.execution_context, "smartcourse_span", None)
        if span is not None:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            span.end()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)
    event.listen(engine, "handle_error", fail)


def flush_traces(timeout_seconds: float = 2.0) -> None:
    """Send what is still held back."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(int(timeout_seconds * 1000))


def tracer() -> trace.Tracer:
    """Where spans of this library come from."""
    return trace.get_tracer("smartcourse")


def trace_id() -> str:
    """32 hexadecimal digits: the current span's trace, a fresh random one outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else secrets.token_hex(16)


def request_trace_id(scope: Mapping[str, Any]) -> str:
    """The trace of the request of ``scope``, also after its span has ended."""
    known: str | None = scope.get(TRACE_ID_SCOPE_KEY)
    return known or trace_id()
