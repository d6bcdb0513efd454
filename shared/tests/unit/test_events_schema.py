"""Committed contracts are kept: a version only gains optional fields."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shared.events import asyncapi, schema
from shared.events.catalog import EVENTS
from shared.events.envelope import Event
from shared.events.user import UserRegistered

ADA = UserRegistered(user_id=7, email="ada@school.example", full_name="Ada", role="student")
OLD = schema.schema_of(UserRegistered)
NAME = schema.file_name(UserRegistered)


def changed(**fields: Any) -> dict[str, Any]:
    """The contract with other fields; None removes one."""
    properties = {name: each for name, each in (OLD["properties"] | fields).items() if each is not None}
    return OLD | {"properties": properties, "required": [name for name in OLD["required"] if name in properties]}


def test_every_event_has_a_committed_contract_that_its_code_keeps() -> None:
    assert {schema.file_name(payload) for payload in EVENTS} <= schema.committed().keys()
    assert schema.contracts() == schema.committed()


def test_an_event_is_valid_by_its_committed_contract() -> None:
    data = json.loads(Event.of(ADA).model_dump_json())["data"]
    contract = schema.committed()[NAME]
    jsonschema.validate(data, contract)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data | {"user_id": "seven"}, contract)


@pytest.mark.parametrize(
    "harmless",
    [
        changed(),
        changed(nickname={"type": "string"}),
        changed(role=OLD["properties"]["role"] | {"description": "other words", "title": "Other"}),
        OLD | {"description": "other words"},
    ],
)
def test_a_version_may_gain_optional_fields_and_other_words(harmless: dict[str, Any]) -> None:
    assert schema.breaks(OLD, harmless) == []


@pytest.mark.parametrize(
    ("breaking", "problem"),
    [
        (changed(email=None), "field email is gone"),
        (changed(role={"type": "integer"}), "field role changed"),
        (changed(role={"enum": ["student"], "type": "string"}), "field role changed"),
        (changed(age={"type": "integer"}) | {"required": [*OLD["required"], "age"]}, "field age is new and required"),
        (OLD | {"required": ["user_id", "full_name", "role"]}, "field email may be absent"),
    ],
)
def test_a_change_that_breaks_readers_is_named(breaking: dict[str, Any], problem: str) -> None:
    assert problem in schema.breaks(OLD, breaking)


def test_a_shared_definition_counts_with_the_field_that_uses_it() -> None:
    def using(*grades: str) -> dict[str, Any]:
        return changed(grade={"$ref": "#/$defs/Grade"}) | {"$defs": {"Grade": {"enum": list(grades)}}}

    assert schema.breaks(using("A", "B"), using("A", "B")) == []
    assert schema.breaks(using("A", "B"), using("A", "B", "C")) == ["field grade changed"]


def test_a_breaking_change_is_refused_until_it_has_a_new_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    (tmp_path / NAME).write_text(schema.text_of(changed(phone={"type": "string"})))
    with pytest.raises(schema.BreakingChangeError, match=r"user.registered.v1.json: field phone is gone; give .* new"):
        schema.contracts()


def test_the_contract_of_a_former_version_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(schema, "FOLDER", tmp_path)
    (tmp_path / "user.registered.v0.json").write_text(schema.text_of(OLD))
    assert schema.contracts()["user.registered.v0.json"] == OLD


def test_asyncapi_describes_every_event_in_the_channel_of_its_service() -> None:
    described = asyncapi.document()
    listed = {name: channel["messages"].keys() for name, channel in described["channels"].items()}
    for payload in EVENTS:
        kind = payload.event_type
        assert f"{kind.name}.v{kind.version}" in listed[kind.service]
    assert described["channels"]["user"]["address"] == "smartcourse:events:user"
    assert described["channels"]["user"]["bindings"]["kafka"]["topic"] == "smartcourse.events.user"


def test_asyncapis_references_lead_somewhere() -> None:
    described = asyncapi.document()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            return [part["$ref"]] if "$ref" in part else [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    assert references(described)
    for reference in references(described):
        found = described
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_a_published_event_is_valid_by_asyncapis_message() -> None:
    described = asyncapi.document()
    payload = described["components"]["messages"]["user.registered.v1"]["payload"]
    event = json.loads(Event.of(ADA).model_dump_json(exclude_none=True))
    jsonschema.validate(event, payload | {"components": described["components"]})
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(event | {"source": "/elsewhere"}, payload | {"components": described["components"]})


@pytest.mark.parametrize("module", ["shared.events.schema", "shared.events.asyncapi"])
def test_what_is_committed_is_printed_by_a_module(module: str) -> None:
    printed = subprocess.run([sys.executable, "-m", module], check=True, capture_output=True, text=True, timeout=60)
    root = Path(__file__).parents[3]
    if module.endswith("schema"):
        assert json.loads(printed.stdout).keys() == {path.name for path in schema.FOLDER.glob("*.json")}
    else:
        assert printed.stdout == (root / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
