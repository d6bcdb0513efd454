"""The CustomResourceDefinition, made from the models: `python -m smartcourse_operator.crd` prints it."""

from __future__ import annotations

import sys
from typing import Any

import yaml
from pydantic import BaseModel

from smartcourse_operator.core import names
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import SmartCourseStatus

READY = '.status.conditions[?(@.type=="Ready")].status'
COLUMNS = [
    ("Ready", "string", READY, "Whether the platform serves as its spec asks."),
    ("Status", "string", ".status.phase", "What is being brought about."),
    ("Version", "string", ".status.version", "The release that is run."),
    ("URL", "string", ".status.url", "Where people reach it."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the resource was created."),
]
DROPPED = ("title", "$defs", "propertyNames")
"""JSON Schema's words that a structural schema has no use for."""
OPTIONAL = "x-optional"
"""Marks, while the schema is made, a field that may be absent: it gets no default."""


class Plain(yaml.SafeDumper):
    """Writes every value out, never an anchor and its alias."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class gives the parameter
        return True


def structural(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return `schema` as Kubernetes takes it: references inlined, nullable fields as optional ones."""
    if isinstance(schema, list):
        return [structural(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return structural({**target, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    if "anyOf" in schema:
        (one,) = [option for option in schema["anyOf"] if option.get("type") != "null"]
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return structural({**one, **rest, OPTIONAL: True}, definitions)
    kept = {key: value for key, value in schema.items() if key not in DROPPED}
    if "properties" in kept:
        fields = {name: structural(field, definitions) for name, field in kept["properties"].items()}
        return {**kept, "properties": {name: with_default(field) for name, field in fields.items()}}
    return {key: structural(value, definitions) for key, value in kept.items()}


def with_default(field: dict[str, Any]) -> dict[str, Any]:
    """Give an object all of whose fields may be absent the default that its fields' defaults make up.

    The API server checks a default against the rules before it fills nested defaults in: `{}` would not do.
    """
    properties = field.get("properties", {})
    defaults = {name: child["default"] for name, child in properties.items() if "default" in child}
    if defaults and not field.get("required") and OPTIONAL not in field:
        return {**field, "default": defaults}
    return {key: value for key, value in field.items() if key != OPTIONAL}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    made: dict[str, Any] = structural(schema, schema.get("$defs", {}))
    return made


def root_schema() -> dict[str, Any]:
    too_long = {
        "rule": f"size(self.metadata.name) <= {names.NAME_MAX_LENGTH}",
        "message": f"metadata.name must be at most {names.NAME_MAX_LENGTH} characters: other names are made of it",
    }
    not_a_label = {
        "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": "metadata.name must begin with a letter and be of a-z, 0-9 and -: Services are named after it",
    }
    return {
        "type": "object",
        "description": "A learning platform that the operator installs and keeps running.",
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this resource's schema."},
            "kind": {"type": "string", "description": "Kind of this resource."},
            "metadata": {"type": "object"},
            "spec": with_default(schema_of(SmartCourseSpec)),
            "status": schema_of(SmartCourseStatus),
        },
        "x-kubernetes-validations": [too_long, not_a_label],
    }


def definition() -> dict[str, Any]:
    """Return the CustomResourceDefinition of SmartCourse."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "description": text} for name, kind, path, text in COLUMNS
        ],
        "schema": {"openAPIV3Schema": root_schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}", "labels": {names.LABEL_PART_OF: names.PART_OF}},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": ["smc"],
                "categories": ["all"],
            },
            "versions": [version],
        },
    }


def to_yaml(document: dict[str, Any], module: str) -> str:
    """Return `document` as YAML under a line that says where it comes from."""
    text = yaml.dump(document, Dumper=Plain, sort_keys=False, width=160, allow_unicode=True)
    return f"# Made by `python -m {module}`; changed there, never here.\n{text}"


if __name__ == "__main__":
    sys.stdout.write(to_yaml(definition(), "smartcourse_operator.crd"))
