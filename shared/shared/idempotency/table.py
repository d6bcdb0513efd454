"""The table of a service's keys. PostgreSQL holds it, beside the rows that the requests write: both commit as one."""

from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv

from shared.events.outbox import MigrationOperations


class State(StrEnum):
    """How far a request has come."""

    STARTED = "started"
    COMMITTED = "committed"
    ANSWERED = "answered"


def idempotency_table(metadata: sa.MetaData, service: str) -> sa.Table:
    """Declare ``<service>_idempotency_keys`` in ``metadata``."""
    name = f"{service}_idempotency_keys"
    states = ", ".join(repr(state.value) for state in State)
    table = sa.Table(
        name,
        metadata,
        sa.Column("key_hash", sa.LargeBinary, nullable=False, comment="SHA-256 of user, method, target and key"),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, comment="SHA-256 of the request; unknown while a file arrives"),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner", sa.Uuid, nullable=False, comment="who carries it out"),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False, comment="then its owner counts as dead"),
        sa.Column("status", sa.SmallInteger),
        sa.Column(
            "headers", postgresql.JSONB(none_as_null=True), comment="those that are sent again: [[name, value], …]"
        ),
        sa.Column("body", sa.LargeBinary),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name=conv(f"pk_{name}")),
        sa.CheckConstraint(f"state IN ({states})", name=conv(f"ck_{name}_state")),
        sa.CheckConstraint(
            f"(state = '{State.ANSWERED}') = (status IS NOT NULL AND headers IS NOT NULL AND body IS NOT NULL)",
            name=conv(f"ck_{name}_answer"),
        ),
    )
    sa.Index(conv(f"ix_{name}_expires_at"), table.c.expires_at)
    return table


def create_idempotency_table(op: MigrationOperations, service: str) -> None:
    """Create the table's first shape in an Alembic migration; a later change of shape is a helper of its own."""
    idempotency_table(sa.MetaData(), service).create(op.get_bind())


def drop_idempotency_table(op: MigrationOperations, service: str) -> None:
    """Undo ``create_idempotency_table``."""
    idempotency_table(sa.MetaData(), service).drop(op.get_bind())
