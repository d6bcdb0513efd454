"""Types of fields that several schemas share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints

MAX_ID = 2**31 - 1
"""The largest id that a column of type INTEGER holds."""

Id = Annotated[int, Field(ge=1, le=MAX_ID)]


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain the character NUL")  # PostgreSQL's text can't hold it
    return value


T = TypeVar("T")


def _not_null(value: T | None) -> T:
    if value is None:
        raise ValueError("must not be null: leave the field out to keep its value")
    return value


# Constraints stand next to `str`: behind a validator they would measure the text before it is stripped.
NoNul = AfterValidator(_without_nul)
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), NoNul]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000), NoNul]
SearchText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), NoNul]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
NotNull = AfterValidator(_not_null)
"""For an optional field of an update: it may be absent, not null."""

Position = Annotated[int, Field(strict=True, ge=1, le=MAX_ID, description="From 1; one beyond the end means the end")]
Percentage = Annotated[Decimal, PlainSerializer(float, return_type=float), Field(ge=0, le=100)]
"""0 to 100 with two decimals; a number in JSON."""
