"""Notifications and the record of processed events."""

import sqlalchemy as sa
from alembic import op

from shared.events.inbox import create_processed_table, drop_processed_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "event_id",
            sa.Uuid(),
            nullable=False,
            comment="the event that caused it",
        ),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_read", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notifications_user_id_users"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("user_id", "event_id", name=op.f("uq_notifications_user_id_event_id")),
        sa.CheckConstraint("type IN ('welcome')", name=op.f("ck_notifications_type")),
        sa.CheckConstraint("is_read = (read_at IS NOT NULL)", name=op.f("ck_notifications_read_at")),
    )
    newest: list[str | sa.TextClause] = ["user_id", sa.text("created_at DESC"), sa.text("id DESC")]
    op.create_index("ix_notifications_newest", "notifications", newest)
    op.create_index("ix_notifications_unread", "notifications", newest, postgresql_where=sa.text("NOT is_read"))
    create_processed_table(op, "notification")


def downgrade() -> None:
    drop_processed_table(op, "notification")
    op.drop_table("notifications")
