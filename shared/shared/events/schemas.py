"""JSON Schemas of the catalogue's events: ``python -m shared.events.schemas`` prints them, keyed by ``dataschema``."""

import json
import sys
from typing import Any

from shared.events.catalog import EVENTS
from shared.events.envelope import Event, EventData


def schema_of(payload: type[EventData]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the data of one event type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": payload.event_type.dataschema,
        **payload.model_json_schema(mode="serialization"),
    }


def schemas() -> dict[str, Any]:
    """The envelope's schema and that of every event's data."""
    envelope = Event[EventData].model_json_schema(mode="serialization")
    return {"envelope": envelope} | {payload.event_type.dataschema: schema_of(payload) for payload in EVENTS}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(schemas(), indent=2, sort_keys=True) + "\n")
