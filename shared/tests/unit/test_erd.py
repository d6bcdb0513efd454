"""A table's checks as readers of the ERD see them."""

from __future__ import annotations

import sqlalchemy as sa

from shared import erd


def test_a_check_is_told_with_its_values() -> None:
    role = sa.Column("role", sa.String(20))
    table = sa.Table("people", sa.MetaData(), role, sa.CheckConstraint(role.in_(["student", "admin"])))
    [told] = erd.tables(table.metadata)
    assert told["checks"] == ["people.role IN ('student', 'admin')"]
