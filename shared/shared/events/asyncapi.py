"""``python -m shared.events.asyncapi`` prints ``docs/asyncapi.yaml``: every channel and event, by AsyncAPI 3.0.

See https://www.asyncapi.com/docs/reference/specification/v3.0.0.
"""

import inspect
import sys
from typing import Any

from shared.events.catalog import EVENTS
from shared.events.envelope import Event, EventData
from shared.events.kafka import KafkaOptions
from shared.events.kafka.message import CLOUDEVENTS_JSON
from shared.events.outbox import EVENT_FIELD
from shared.events.schema import schema_of

VERSION = "1.0.0"
DESCRIPTION = (
    "What SmartCourse's services tell one another. An event is a CloudEvents 1.0 document in JSON. It leaves the "
    "service that publishes it through a transactional outbox, and arrives at least once: its `id` tells a "
    "repetition. Redis Streams or Kafka carry it, as an entry's only field `event` or as a message's value "
    "(structured mode). A version of an event only gains optional fields; what breaks readers is a new version."
)

Part = dict[str, Any]


def document() -> Part:
    """The whole description."""
    services = sorted({payload.event_type.service for payload in EVENTS})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "SmartCourse events", "version": VERSION, "description": DESCRIPTION},
        "defaultContentType": CLOUDEVENTS_JSON,
        "channels": {service: _channel(service) for service in services},
        "operations": {f"publish_{service}_events": _operation(service) for service in services},
        "components": {
            "messages": {_key(payload): _message(payload) for payload in EVENTS},
            "schemas": {_key(payload): _inlined(schema_of(payload)) for payload in EVENTS},
        },
    }


def _channel(service: str) -> Part:
    published = [payload for payload in EVENTS if payload.event_type.service == service]
    stream = published[0].event_type.stream
    topic = KafkaOptions("", "").topic(stream)
    return {
        "address": stream,
        "title": f"Events of {service}-service",
        "description": f"The Redis stream `{stream}` or the Kafka topic `{topic}`.",
        "messages": {_key(payload): {"$ref": f"#/components/messages/{_key(payload)}"} for payload in published},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}, "redis": {}},
    }


def _operation(service: str) -> Part:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{service}"},
        "summary": f"{service}-service publishes its events",
    }


def _message(payload: type[EventData]) -> Part:
    kind = payload.event_type
    return {
        "name": kind.name,
        "title": payload.__name__,
        "summary": inspect.cleandoc(payload.__doc__ or ""),
        "contentType": CLOUDEVENTS_JSON,
        "payload": _envelope(payload),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "the event's `subject`: its events keep their order"},
                "bindingVersion": "0.5.0",
            },
            "redis": {},
        },
        "x-redis-field": EVENT_FIELD,
    }


def _envelope(payload: type[EventData]) -> Part:
    """The envelope's schema with what is always the same in this event. What is null is left out when it is sent."""
    kind = payload.event_type
    properties = Event[EventData].model_json_schema(mode="serialization")["properties"]
    properties["data"] = {"$ref": f"#/components/schemas/{_key(payload)}"}
    for name, value in (("source", kind.source), ("type", kind.name), ("dataschema", kind.dataschema)):
        properties[name] = {"const": value}
    optional = {name for name, each in properties.items() if "default" in each and each["default"] is None}
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": properties}


def _inlined(schema: Part) -> Part:
    """Without what only a document of its own has."""
    return {name: each for name, each in schema.items() if name not in {"$schema", "$id"}}


def _key(payload: type[EventData]) -> str:
    return f"{payload.event_type.name}.v{payload.event_type.version}"


if __name__ == "__main__":
    import yaml  # in every development environment; no service prints this

    sys.stdout.write(yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120))
