"""Fragments of DDL that several tables use."""

from enum import StrEnum


def one_of(column: str, values: type[StrEnum]) -> str:
    """Return the CHECK that lets `column` hold only the members of an enum (NULL passes, as in any CHECK)."""
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"
