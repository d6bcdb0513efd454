"""What the models of the resources' fields are made of.

`cel(...)` puts rules in a model's or a field's schema; the API server enforces them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^{DNS_LABEL}(\.{DNS_LABEL})*$"
OBJECT_NAME = rf"^{DNS_LABEL}(\.{DNS_LABEL})*$"
ENV_NAME = r"^[A-Z][A-Z0-9_]*$"
IMAGE = r"^[^\s]+$"
ADDRESS = r"[^<>@\s]+@[^<>@\s]+"
SENDER = rf"^({ADDRESS}|[^<>@\r\n]+ <{ADDRESS}>)$"
CONTACT = rf"^(mailto:{ADDRESS}|https://[^\s]+)$"
URL = r"^https?://[^\s/]+[^\s]*$"
ORIGIN = r"^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$"
NETWORK = r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extra that carries `(rule, message)` pairs."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]}


def immutable(field: str, why: str) -> tuple[str, str]:
    """Return the rule that refuses any later change of an optional or defaulted field."""
    rule = f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    return rule, f"{field} cannot be changed: {why}"


def timestamp(moment: datetime) -> str:
    """Return a moment as the API writes it: in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Model(BaseModel):
    model_config = ConfigDict(
        extra="ignore",  # the API server prunes what the schema does not name
        frozen=True,
        alias_generator=AliasGenerator(alias=to_camel),
        populate_by_name=True,
    )

    def document(self) -> dict[str, Any]:
        """Return it as the API takes it: unset fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def changes(before: Model, after: Model) -> dict[str, Any]:
    """Return the merge patch (RFC 7396) that makes `after` of `before`, empty if they are alike."""
    return _merge_patch(before.document(), after.document())


def _merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return what is different; of what is in both, field by field, for a field that is not named would stay."""
    found: dict[str, Any] = {}
    for key in {*old, *new}:
        was, now = old.get(key), new.get(key)
        if was != now:
            found[key] = _merge_patch(was, now) if isinstance(was, dict) and isinstance(now, dict) else now
    return found


Quantity = Annotated[str, Field(pattern=QUANTITY, max_length=32)]
ResourceQuantity = Annotated[
    str | int, WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY, "maxLength": 32})
]
PodCount = Annotated[
    int | str,
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": "^([0-9]{1,3}|[0-9]{1,2}%|100%)$", "maxLength": 4}),
]
"""A number of pods, or a part of them in percent."""
ObjectName = Annotated[str, Field(pattern=OBJECT_NAME, max_length=253)]
SecretName = ObjectName
Origin = Annotated[str, Field(pattern=ORIGIN, max_length=300)]
Network = Annotated[str, Field(pattern=NETWORK, max_length=64)]
