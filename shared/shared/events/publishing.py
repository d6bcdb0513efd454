"""The span of an event's way to the broker, in the trace of the request that made it."""

from collections.abc import Iterable, Mapping

from opentelemetry.trace import SpanKind
from pydantic import ValidationError

from shared.events.envelope import Header
from shared.events.outbox import EVENT_FIELD
from shared.telemetry.tracing import context_of, is_exporting, tracer


def record_published(stream: str, entries: Iterable[Mapping[str, str]], *, began_ns: int) -> None:
    """Make a span, from ``began_ns`` (Unix nanoseconds) to now, for each of ``entries`` that is an event."""
    if not is_exporting():
        return  # reading the envelopes would be all that it costs
    for entry in entries:
        try:
            header = Header.model_validate_json(entry.get(EVENT_FIELD, ""))
        except ValidationError:
            continue  # no event, like what the gateway is told: telemetry holds nothing back
        tracer.start_span(
            f"publish {header.type}",
            context=context_of(header.traceparent),
            kind=SpanKind.PRODUCER,
            attributes={"messaging.destination.name": stream, "messaging.message.id": str(header.id)},
            start_time=began_ns,
        ).end()
