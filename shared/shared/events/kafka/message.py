"""A stream's entry as a Kafka message: CloudEvents' structured mode, keyed by the event's subject.

See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md.
"""

import json
from collections.abc import Mapping

from aiokafka import ConsumerRecord

from shared.events.outbox import EVENT_FIELD

CONTENT_TYPE = "content-type"
CLOUDEVENTS_JSON = "application/cloudevents+json; charset=UTF-8"

Message = tuple[bytes | None, bytes, list[tuple[str, bytes]]]


def encode(fields: Mapping[str, str]) -> Message:
    """Key, value and headers. Fields other than the event travel as headers of their names."""
    event = fields.get(EVENT_FIELD, "")
    others = [(name, value.encode()) for name, value in fields.items() if name != EVENT_FIELD]
    return _key(event), event.encode(), [(CONTENT_TYPE, CLOUDEVENTS_JSON.encode()), *others]


def decode(record: ConsumerRecord) -> dict[str, str]:
    """The fields. Whatever anybody put into the topic can be read; whether it is an event is judged later."""
    fields = {
        name: value.decode(errors="replace")
        for name, value in record.headers
        if name != CONTENT_TYPE and value is not None
    }
    return fields if record.value is None else fields | {EVENT_FIELD: record.value.decode(errors="replace")}


def _key(event: str) -> bytes | None:
    """Events of one subject share a partition, which keeps their order."""
    try:
        subject = json.loads(event)["subject"]
    except (ValueError, TypeError, KeyError):
        return None
    return str(subject).encode()
