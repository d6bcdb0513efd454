"""Making the values of today fit the charts of an earlier release: what those do not know is left out.

A chart's `values.schema.json` is the contract. It names every key that the chart knows, so what it does not name is of
a later release. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

Schema = Mapping[str, Any]
SCHEMA_FILE = "values.schema.json"


def schema_of(files: Mapping[str, bytes]) -> Schema:
    """Return what a chart's files say of its values, with its dependencies' values below their names."""
    schema: dict[str, Any] = json.loads(files.get(SCHEMA_FILE, b"{}"))
    dependencies = {
        PurePosixPath(path).parts[1]: json.loads(text)
        for path, text in files.items()
        if PurePosixPath(path).match(f"charts/*/{SCHEMA_FILE}") and path.count("/") == 2
    }
    return {**schema, "properties": {**schema.get("properties", {}), **dependencies}}


def fit(value: Any, schema: Schema) -> Any:
    """Return a value without the keys, however deep, that its schema does not allow."""
    if isinstance(value, list):
        return [fit(each, schema.get("items", {})) for each in value]
    if not isinstance(value, dict):
        return value
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    further = others if isinstance(others, dict) else {}
    return {
        key: fit(each, known.get(key, further)) for key, each in value.items() if key in known or others is not False
    }
