"""A service's tables as data, for the diagram and the pages that are made from them."""

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def tables(metadata: sa.MetaData) -> list[dict[str, Any]]:
    """Return `{name, description, columns, indexes, checks}` of each table, by name.

    A column is `{name, type, nullable, default, key, references, comment}`; `key` is any of PK, FK and UK.
    """
    return [_table(table) for table in metadata.sorted_tables]


def dumps(metadata: sa.MetaData) -> str:
    """Return `tables(metadata)` as JSON text."""
    return json.dumps(tables(metadata), indent=1) + "\n"


def _table(table: sa.Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "columns": [_column(column) for column in table.columns],
        "indexes": sorted(str(index.name) for index in table.indexes),
        "checks": sorted(_sql(c.sqltext) for c in table.constraints if isinstance(c, sa.CheckConstraint)),
    }


def _sql(expression: sa.ColumnElement[Any]) -> str:
    """Return an expression as PostgreSQL is given it, values in their places."""
    return str(expression.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _column(column: sa.Column[Any]) -> dict[str, Any]:
    references = sorted(key.target_fullname for key in column.foreign_keys)
    is_unique = any(
        list(constraint.columns) == [column]
        for constraint in column.table.constraints
        if isinstance(constraint, sa.UniqueConstraint)
    )
    key = [name for name, holds in (("PK", column.primary_key), ("FK", references), ("UK", is_unique)) if holds]
    return {
        "name": column.name,
        "type": column.type.compile(DIALECT).lower(),
        "nullable": bool(column.nullable),
        "default": _default(column),
        "key": key,
        "references": references[0] if references else "",
        "comment": column.comment or "",
    }


def _default(column: sa.Column[Any]) -> str:
    if column.identity is not None or column is column.table.autoincrement_column:
        return "generated"
    if isinstance(column.computed, sa.Computed):
        return "computed"
    if not isinstance(column.server_default, sa.DefaultClause):
        return ""
    value = column.server_default.arg
    return value if isinstance(value, str) else str(value.compile(dialect=DIALECT))
