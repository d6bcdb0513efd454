"""Keys of requests that are not carried out twice."""

from alembic import op

from shared.idempotency.table import create_idempotency_table, drop_idempotency_table

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_idempotency_table(op, "notification")


def downgrade() -> None:
    drop_idempotency_table(op, "notification")
