"""Every kind of notification; preferences, push subscriptions, deliveries and dead letters."""

import sqlalchemy as sa
from alembic import op

from shared.events.dead_letters import create_dead_letters_table, drop_dead_letters_table

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TYPES = (
    "'welcome', 'role_changed', 'account_reactivated', 'enrolled', 'enrollment_suspended', 'enrollment_reinstated', "
    "'course_completed', 'quiz_graded', 'certificate_issued', 'certificate_revoked', 'certificate_restored'"
)
NEWEST_FIRST: list[str | sa.TextClause] = ["user_id", sa.text("created_at DESC"), sa.text("id DESC")]


def upgrade() -> None:
    _widen_notifications()
    _create_preferences()
    _create_subscriptions()
    _create_deliveries()
    create_dead_letters_table(op, "notification")


def downgrade() -> None:
    drop_dead_letters_table(op, "notification")
    for table in ("notification_deliveries", "push_subscriptions", "notification_preferences"):
        op.drop_table(table)
    for index in ("created_at", "unread", "listed"):
        op.drop_index(f"ix_notifications_{index}", "notifications")
    op.execute("DELETE FROM notifications WHERE type <> 'welcome' OR NOT is_listed")
    op.drop_constraint(op.f("ck_notifications_type"), "notifications")
    op.create_check_constraint(op.f("ck_notifications_type"), "notifications", "type IN ('welcome')")
    op.drop_column("notifications", "is_listed")
    op.drop_column("notifications", "link")
    op.create_index("ix_notifications_newest", "notifications", NEWEST_FIRST)
    op.create_index("ix_notifications_unread", "notifications", NEWEST_FIRST, postgresql_where=sa.text("NOT is_read"))


def _widen_notifications() -> None:
    # The defaults serve the version before this one while both run.
    op.add_column(
        "notifications",
        sa.Column("link", sa.Text(), server_default="/api/courses", nullable=False, comment="path of what it is about"),
    )
    op.add_column(
        "notifications",
        sa.Column(
            "is_listed",
            sa.Boolean(),
            server_default=sa.true(),
            nullable=False,
            comment="false: its person does not want it in-app",
        ),
    )
    # Welcomes used to greet by name; since then no text holds personal data.
    op.execute(
        "UPDATE notifications SET body = 'Your account is ready. Choose your first course in the catalogue.'"
        " WHERE type = 'welcome'"
    )
    op.drop_constraint(op.f("ck_notifications_type"), "notifications")
    op.create_check_constraint(op.f("ck_notifications_type"), "notifications", f"type IN ({TYPES})")
    op.drop_index("ix_notifications_newest", "notifications")
    op.drop_index("ix_notifications_unread", "notifications")
    for name, condition in (("listed", "is_listed"), ("unread", "is_listed AND NOT is_read")):
        op.create_index(f"ix_notifications_{name}", "notifications", NEWEST_FIRST, postgresql_where=sa.text(condition))
    op.create_index(
        "ix_notifications_created_at",
        "notifications",
        ["created_at"],
        postgresql_where=sa.text("is_read OR NOT is_listed"),
    )


def _create_preferences() -> None:
    op.create_table(
        "notification_preferences",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(50), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "type", "channel", name=op.f("pk_notification_preferences")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_notification_preferences_user_id_users"), ondelete="CASCADE"
        ),
        sa.CheckConstraint(f"type IN ({TYPES})", name=op.f("ck_notification_preferences_type")),
        sa.CheckConstraint("channel IN ('in_app', 'email', 'push')", name=op.f("ck_notification_preferences_channel")),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.Text(), nullable=False, comment="the browser's public key, base64url"),
        sa.Column("auth", sa.Text(), nullable=False, comment="the secret shared with the browser, base64url"),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_push_subscriptions_user_id_users"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_subscriptions_endpoint")),
    )
    op.create_index("ix_push_subscriptions_user_id", "push_subscriptions", ["user_id"])


def _create_deliveries() -> None:
    name = "notification_deliveries"
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.Column("notification_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("subscription_id", sa.BigInteger()),
        sa.Column("state", sa.String(20), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="those begun"),
        sa.Column("claim", sa.Uuid(), comment="which attempt is under way"),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("reason", sa.Text(), comment="what the last attempt met"),
        sa.Column("traceparent", sa.Text(), comment="the trace that it continues"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f(f"fk_{name}_notification_id_notifications"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["push_subscriptions.id"],
            name=op.f(f"fk_{name}_subscription_id_push_subscriptions"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint(
            "notification_id",
            "channel",
            "subscription_id",
            name=op.f(f"uq_{name}_notification_id_channel_subscription_id"),
            postgresql_nulls_not_distinct=True,
        ),
        sa.CheckConstraint("channel IN ('email', 'push')", name=op.f(f"ck_{name}_channel")),
        sa.CheckConstraint("(channel = 'push') = (subscription_id IS NOT NULL)", name=op.f(f"ck_{name}_target")),
        sa.CheckConstraint("state IN ('pending', 'sent', 'cancelled', 'dead')", name=op.f(f"ck_{name}_state")),
        sa.CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name=op.f(f"ck_{name}_finished_at")),
        sa.CheckConstraint("attempts >= 0", name=op.f(f"ck_{name}_attempts")),
    )
    pending, dead = sa.text("state = 'pending'"), sa.text("state = 'dead'")
    op.create_index(f"ix_{name}_due", name, ["channel", "due_at"], postgresql_where=pending)
    op.create_index(f"ix_{name}_dead", name, [sa.text("finished_at DESC"), "id"], postgresql_where=dead)
    op.create_index(f"ix_{name}_finished_at", name, ["finished_at"])
    op.create_index(f"ix_{name}_subscription_id", name, ["subscription_id"])
