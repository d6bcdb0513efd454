"""The contract of each event: ``schemas/<type>.v<version>.json``, committed, one file for every type and version.

``python -m shared.events.schema`` prints them all as one JSON object, file name → text. It refuses to where the code
no longer keeps a committed contract: within a version a payload may only gain optional fields.
"""

import json
import sys
from pathlib import Path
from typing import Any

from shared.events.catalog import EVENTS
from shared.events.envelope import EventData

FOLDER = Path(__file__).parent / "schemas"

Schema = dict[str, Any]

# Keywords that describe but do not decide what is valid.
_ANNOTATIONS = {"title", "description", "default", "examples", "$id", "$schema"}


class BreakingChangeError(Exception):
    """An event's data changed so that a reader of its committed contract could not read it, or not all of it."""

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"{name}: {'; '.join(problems)}; give the event a new version")
        self.problems = problems


def file_name(payload: type[EventData]) -> str:
    return f"{payload.event_type.name}.v{payload.event_type.version}.json"


def schema_of(payload: type[EventData]) -> Schema:
    """JSON Schema (2020-12) of the data of one event type."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": payload.event_type.dataschema,
        **payload.model_json_schema(mode="serialization"),
    }


def committed() -> dict[str, Schema]:
    """The contracts as they are in the repository, by file name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def contracts() -> dict[str, Schema]:
    """The contracts as the code has them. One that the code no longer publishes stays: events of it may be retained.

    Raises:
        BreakingChangeError: the code does not keep a committed one.
    """
    before, now = committed(), {file_name(payload): schema_of(payload) for payload in EVENTS}
    for name in before.keys() & now.keys():
        if problems := breaks(before[name], now[name]):
            raise BreakingChangeError(name, problems)
    return before | now


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a reader of ``old`` would miss or misread in data that ``new`` describes; nothing if it only gained."""
    old_properties, new_properties = old.get("properties", {}), new.get("properties", {})
    problems = [f"field {name} is gone" for name in old_properties if name not in new_properties]
    problems += [f"field {name} is new and required" for name in _required(new) if name not in old_properties]
    problems += [f"field {name} may be absent" for name in _required(old) if name not in _required(new)]
    for name in old_properties.keys() & new_properties.keys():
        if _meaning(old_properties[name], old) != _meaning(new_properties[name], new):
            problems.append(f"field {name} changed")
    return sorted(problems)


def _required(schema: Schema) -> list[str]:
    required: list[str] = schema.get("required", [])
    return required


def _meaning(part: Any, whole: Schema) -> Any:
    """The part without annotations and with references put in their place."""
    if isinstance(part, list):
        return [_meaning(each, whole) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _meaning(whole["$defs"][part["$ref"].rpartition("/")[2]], whole)
    return {name: _meaning(each, whole) for name, each in part.items() if name not in _ANNOTATIONS}


def text_of(schema: Schema) -> str:
    """As it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: text_of(schema) for name, schema in contracts().items()}))
