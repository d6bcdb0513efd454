"""Keys of requests that are not carried out twice.

Revision ID: user_0004
Revises: user_0003
"""

from alembic import op

from shared.idempotency.table import create_idempotency_table, drop_idempotency_table

revision = "user_0004"
down_revision = "user_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_idempotency_table(op, "user")


def downgrade() -> None:
    drop_idempotency_table(op, "user")
