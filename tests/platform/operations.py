"""The platform's operations, as the document describes that the gateway publishes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api_gateway.compile import read_documents
from api_gateway.config import RateSettings
from api_gateway.openapi import merge, with_rates
from api_gateway.rates import Policies

from .processes import ROOT

UNHURRIED = dict.fromkeys(RateSettings.model_fields, 1_000_000)
"""Limits that no case reaches."""
_DOCUMENTS = read_documents(str(path) for path in sorted((ROOT / "services").glob("*-service/openapi.json")))
DOCUMENT = with_rates(merge(_DOCUMENTS), Policies.of(RateSettings.model_construct(None, **UNHURRIED)))
"""Made here too, because cases are collected from it before anything serves it."""
METHODS = ("get", "post", "put", "patch", "delete")
CALLERS = ("anonymous", "student", "instructor", "admin")


@dataclass(frozen=True)
class Operation:
    """One method of one path template, and whom it declares to be for."""

    method: str
    path: str
    allow: frozenset[str]
    parameters: dict[str, dict[str, Any]]
    """The schemas of the path's parameters."""

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def reads_token(self) -> bool:
        """Whether it matters who calls: what is public and changes something is authorised by its body."""
        return "public" not in self.allow or self.method == "GET"

    @property
    def unused_path(self) -> str:
        """A path that fits the template and leads to nothing that exists."""
        return self.path.format_map({name: _unused(schema) for name, schema in self.parameters.items()})


def may(caller: str, allow: frozenset[str]) -> bool:
    """Whether somebody of this class may call what is open to `allow`."""
    return "public" in allow or (caller != "anonymous" and bool({"authenticated", caller} & allow))


def _unused(schema: dict[str, Any]) -> str:
    if schema.get("format") == "uuid":
        return "00000000-0000-4000-8000-000000000000"
    return "2147483647" if schema["type"] == "integer" else "nothing"


OPERATIONS = [
    Operation(
        method.upper(),
        path,
        frozenset(item[method]["x-smartcourse-access"]["allow"]),
        {each["name"]: each["schema"] for each in item[method].get("parameters", ()) if each["in"] == "path"},
    )
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]
