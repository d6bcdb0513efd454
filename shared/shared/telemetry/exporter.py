"""The last gate before spans leave the process."""

from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Status

_TOLD_OF_AN_ERROR = ("exception.type", "exception.escaped")


class DiscreetExporter(OTLPSpanExporter):
    """Exports spans by OTLP/HTTP without the texts of errors: those quote values, and so people.

    PostgreSQL's "Key (email)=(…) already exists" would otherwise leave as a span's status, for libraries put it there.
    The text stays in the log of the service, which is redacted; the trace id leads to it.
    """

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return super().export([_without_texts(span) for span in spans])


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    if not span.status.description and not span.events:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_without_text(event) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_text(event: Event) -> Event:
    if event.name != "exception":
        return event
    told = {name: value for name, value in (event.attributes or {}).items() if name in _TOLD_OF_AN_ERROR}
    return Event(event.name, told, event.timestamp)
