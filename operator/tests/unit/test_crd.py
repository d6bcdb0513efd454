"""The definition that the API server gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartcourse_operator import crd, rbac

ROOT = Path(__file__).resolve().parents[3]


def schema() -> dict[str, Any]:
    found: dict[str, Any] = crd.definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def fields(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in node.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
        yield from fields(field.get("items", {}), f"{path}.{name}[]")


@pytest.mark.parametrize("part", ["spec", "status"])
def test_every_field_has_a_description_and_a_type(part: str) -> None:
    found = dict(fields(schema()["properties"][part], part))
    assert len(found) > 10
    assert [path for path, field in found.items() if not field.get("description")] == []
    assert [path for path, field in found.items() if not {"type", "x-kubernetes-int-or-string"} & field.keys()] == []


def test_nothing_is_left_that_a_structural_schema_does_not_know() -> None:
    text = crd.to_yaml(crd.definition(), "x")
    assert not [
        word for word in ("$ref", "anyOf", "title:", "additionalProperties: false", crd.OPTIONAL) if word in text
    ]


def test_unknown_fields_are_nowhere_preserved() -> None:
    assert "preserve-unknown-fields" not in crd.to_yaml(crd.definition(), "x")


def test_columns_are_those_that_people_read() -> None:
    columns = [column["name"] for column in crd.definition()["spec"]["versions"][0]["additionalPrinterColumns"]]
    assert columns == ["Ready", "Status", "Version", "URL", "Replicas", "Last backup", "Age"]
    assert crd.definition()["spec"]["names"]["shortNames"] == ["smc"]


@pytest.mark.parametrize(
    ("path", "document", "module"),
    [
        ("manifests/crd/smartcourses.yaml", crd.definition(), "smartcourse_operator.crd"),
        ("manifests/rbac/operator.yaml", rbac.permissions(), "smartcourse_operator.rbac"),
    ],
)
def test_the_committed_file_is_current(path: str, document: dict[str, Any], module: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == crd.to_yaml(document, module)


def test_permissions_are_least() -> None:
    rules = [rule for item in rbac.permissions()["items"] for rule in item.get("rules", ())]
    words = {word for rule in rules for key in ("apiGroups", "resources", "verbs") for word in rule[key]}
    assert not words & {"*", "escalate", "bind", "impersonate"}
    (secrets,) = [rule["verbs"] for rule in rules if "secrets" in rule["resources"]]
    assert sorted(secrets) == ["create", "delete", "get", "patch"]
    assert not [rule for rule in rbac.CLUSTER_RULES if "leases" in rule["resources"]]
