"""The CustomResourceDefinitions, made from the models.

`python -m smartcourse_operator.crd` prints that of SmartCourse, with another kind's plural as its argument that kind's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from smartcourse_operator.core import names
from smartcourse_operator.core.backups import BackupSpec, BackupStatus, RestoreSpec, RestoreStatus
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import SmartCourseStatus

READY = '.status.conditions[?(@.type=="Ready")].status'
COLUMNS = [
    ("Ready", "string", READY, "Whether the platform serves as its spec asks."),
    ("Status", "string", ".status.phase", "What is being brought about."),
    ("Version", "string", ".status.version", "The release that is run."),
    ("URL", "string", ".status.url", "Where people reach it."),
    ("(Replicas)", "integer", ".status.replicas", "Pods of the gateway."),
    ("(Last backup)", "date", ".status.backup.lastCompletedAt", "How long ago the newest good backup's data is of."),
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


SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def never_shrinks(field: str, component: str, *optional: str) -> dict[str, str]:
    """Return the rule that a size may grow, and go back to what the volume has where it did not.

    `optional`: the fields on its way that may be absent.
    """
    absent = [f"!has({who}.{each})" for each in optional for who in ("self", "oldSelf")]
    wanted = f"quantity(self.{field})"
    reached = f"one.component == '{component}' && has(one.size) && {wanted}.compareTo(quantity(one.size)) >= 0"
    grows = f"{wanted}.compareTo(quantity(oldSelf.{field})) >= 0"
    goes_back = f"has(self.status) && has(self.status.storage) && self.status.storage.exists(one, {reached})"
    return {
        "rule": " || ".join([*absent, grows, f"({goes_back})"]),
        "message": f"{field} cannot shrink: a volume only grows. One that did not reach the size asked for may go back "
        "to what it has, which status.storage tells; for less, restore a backup into a new SmartCourse",
        "fieldPath": f".{field}",
    }


RULES = [
    {
        "rule": f"size(self.metadata.name) <= {names.NAME_MAX_LENGTH}",
        "message": f"metadata.name must be at most {names.NAME_MAX_LENGTH} characters: other names are made of it",
    },
    {
        "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": "metadata.name must begin with a letter and be of a-z, 0-9 and -: Services are named after it",
    },
    *(never_shrinks(f"spec.databases.{store}.size", store) for store in names.DATASTORES),
    never_shrinks(
        "spec.backup.destination.volume.size",
        "backup",
        "spec.backup",
        "spec.backup.destination",
        "spec.backup.destination.volume",
    ),
]
TASK_RULES = [
    {
        "rule": f"size(self.metadata.name) <= {names.TASK_NAME_MAX_LENGTH}",
        "message": f"metadata.name must be at most {names.TASK_NAME_MAX_LENGTH} characters: Jobs are named after it",
    },
    {"rule": "!self.metadata.name.contains('.')", "message": "metadata.name must have no dot: Jobs are named after it"},
]


@dataclass(frozen=True)
class Resource:
    """One of our kinds."""

    kind: str
    plural: str
    short: str
    description: str
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: list[tuple[str, str, str, str]]
    rules: list[dict[str, str]]
    is_scaled: bool = False

    def schema(self) -> dict[str, Any]:
        spec = schema_of(self.spec)
        return {
            "type": "object",
            "description": self.description,
            **({"required": ["spec"]} if spec.get("required") else {}),
            "properties": {
                "apiVersion": {"type": "string", "description": "Version of this resource's schema."},
                "kind": {"type": "string", "description": "Kind of this resource."},
                "metadata": {"type": "object"},
                "spec": with_default(spec),
                "status": schema_of(self.status),
            },
            "x-kubernetes-validations": self.rules,
        }

    def definition(self) -> dict[str, Any]:
        """Return the CustomResourceDefinition."""
        version = {
            "name": names.VERSION,
            "served": True,
            "storage": True,
            "subresources": {"status": {}, **({"scale": SCALE} if self.is_scaled else {})},
            "additionalPrinterColumns": [column(*each) for each in self.columns],
            "schema": {"openAPIV3Schema": self.schema()},
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{names.GROUP}", "labels": {names.LABEL_PART_OF: names.PART_OF}},
            "spec": {
                "group": names.GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "shortNames": [self.short],
                    "categories": ["all"],
                },
                "versions": [version],
            },
        }


def column(name: str, kind: str, path: str, text: str) -> dict[str, Any]:
    """Return a printer column; a name in parentheses is shown by `-o wide` only."""
    wide = {"priority": 1} if name.startswith("(") else {}
    return {"name": name.strip("()"), "type": kind, "jsonPath": path, "description": text, **wide}


AGE = ("Age", "date", ".metadata.creationTimestamp", "Time since the resource was created.")
COURSE = ("SmartCourse", "string", ".spec.smartCourse", "The SmartCourse that is meant.")
PHASE = ("Status", "string", ".status.phase", "How far it is.")
TAKEN = ("Taken", "date", ".status.takenAt", "How long ago the data was of this moment.")
MESSAGE = ("(Message)", "string", ".status.message", "What is being done, or what went wrong.")

RESOURCES = (
    Resource(
        names.KIND, names.PLURAL, "smc", "A learning platform that the operator installs and keeps running.",
        SmartCourseSpec, SmartCourseStatus, COLUMNS, RULES, is_scaled=True,
    ),
    Resource(
        names.BACKUP_KIND, names.BACKUP_PLURAL, "smcb",
        "A backup of a SmartCourse: one restore point over PostgreSQL and MongoDB.",
        BackupSpec, BackupStatus,
        [COURSE, PHASE, TAKEN, ("Bytes", "integer", ".status.sizeBytes", "Size of what it holds."), AGE, MESSAGE],
        TASK_RULES,
    ),
    Resource(
        names.RESTORE_KIND, names.RESTORE_PLURAL, "smcr", "A restore of a backup into a SmartCourse.",
        RestoreSpec, RestoreStatus,
        [COURSE, ("Backup", "string", ".spec.backup", "The backup that is restored."), PHASE, TAKEN, AGE, MESSAGE],
        TASK_RULES,
    ),
)  # fmt: skip


def definition(plural: str = names.PLURAL) -> dict[str, Any]:
    """Return the CustomResourceDefinition of one of our kinds."""
    (found,) = [resource for resource in RESOURCES if resource.plural == plural]
    return found.definition()


def to_yaml(document: dict[str, Any], module: str) -> str:
    """Return `document` as YAML under a line that says where it comes from."""
    text = yaml.dump(document, Dumper=Plain, sort_keys=False, width=160, allow_unicode=True)
    return f"# Made by `python -m {module}`; changed there, never here.\n{text}"


if __name__ == "__main__":
    asked = sys.argv[1:]
    sys.stdout.write(to_yaml(definition(*asked), " ".join(["smartcourse_operator.crd", *asked])))
