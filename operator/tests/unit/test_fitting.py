"""Values that are made to fit charts which know fewer of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from smartcourse_operator.core.fitting import fit, schema_of

CLOSED = {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("value", "schema", "fitting"),
    [
        ({"a": 1, "b": 2}, CLOSED, {"a": 1}),
        ({"a": 1, "b": 2}, {"properties": {"a": {}}}, {"a": 1, "b": 2}),
        ({"x": {"a": 1, "b": 2}}, {"additionalProperties": CLOSED}, {"x": {"a": 1}}),
        ({"x": [{"a": 1, "b": 2}]}, {"properties": {"x": {"items": CLOSED}}}, {"x": [{"a": 1}]}),
        ({"a": {"kept": "as it is"}}, CLOSED, {"a": {"kept": "as it is"}}),
        ("text", CLOSED, "text"),
    ],
)
def test_only_what_a_schema_does_not_allow_is_left_out(value: Any, schema: dict[str, Any], fitting: Any) -> None:
    assert fit(value, schema) == fitting


def test_the_schemas_of_what_a_chart_depends_on_are_a_part_of_its_own() -> None:
    files = {
        "values.schema.json": {"additionalProperties": False, "properties": {"route": {}, "user": {}}},
        "charts/user/values.schema.json": CLOSED,
        "charts/user/charts/lib/values.schema.json": {"additionalProperties": False},
    }
    schema = schema_of({path: json.dumps(text).encode() for path, text in files.items()})
    assert fit({"user": {"a": 1, "b": 2}, "route": {"c": 3}, "lib": {}}, schema) == {
        "user": {"a": 1},
        "route": {"c": 3},
    }
