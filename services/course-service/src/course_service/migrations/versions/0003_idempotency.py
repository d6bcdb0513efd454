"""Keys of requests that are not carried out twice.

Revision ID: course_0003
Revises: course_0002
"""

from alembic import op

from shared.idempotency.table import create_idempotency_table, drop_idempotency_table

revision = "course_0003"
down_revision = "course_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_idempotency_table(op, "course")


def downgrade() -> None:
    drop_idempotency_table(op, "course")
