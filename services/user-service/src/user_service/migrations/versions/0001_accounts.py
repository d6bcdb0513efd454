"""Accounts, instructor profiles, sessions with their refresh tokens, and the outbox.

Revision ID: user_0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from shared.events.outbox import create_outbox_tables, drop_outbox_tables

revision = "user_0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.func.now()
ROLES = "role IN ('student', 'instructor', 'admin')"
READERS = ("course_owner", "notification_owner")


def _instant(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=NOW if default else None)


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("hashed_password", sa.String(128), nullable=False),
        sa.Column("full_name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False, server_default=sa.true()),
        _instant("created_at", default=True),
        _instant("updated_at", default=True),
        _instant("anonymised_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.CheckConstraint(ROLES, name=op.f("ck_users_role")),
        sa.CheckConstraint("anonymised_at IS NULL OR NOT is_active", name=op.f("ck_users_anonymised_is_inactive")),
    )
    op.create_index("uq_users_email_lower", "users", [sa.text("lower(email)")], unique=True)
    op.create_index("ix_users_role", "users", ["role"])
    # The columns that other services join with; the password's hash is none of them.
    readers = ", ".join(READERS)
    op.execute(f"GRANT REFERENCES (id), SELECT (id, email, full_name, role, is_active) ON users TO {readers}")


def _create_instructor_profiles() -> None:
    op.create_table(
        "instructor_profiles",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("headline", sa.String(200)),
        sa.Column("bio", sa.Text),
        sa.Column("expertise", ARRAY(sa.String(60)), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("website", sa.String(500)),
        _instant("created_at", default=True),
        _instant("updated_at", default=True),
        sa.PrimaryKeyConstraint("id", name="pk_instructor_profiles"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_instructor_profiles_user_id_users"),
        sa.UniqueConstraint("user_id", name="uq_instructor_profiles_user_id"),
    )


def _create_sessions() -> None:
    reasons = "'logout', 'refresh_reuse', 'password_change', 'role_change', 'deactivation'"
    op.create_table(
        "sessions",
        sa.Column("sid", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        _instant("created_at"),
        _instant("expires_at"),
        _instant("revoked_at", nullable=True),
        sa.Column("revoked_reason", sa.String(20)),
        sa.PrimaryKeyConstraint("sid", name="pk_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id_users"),
        sa.CheckConstraint(f"revoked_reason IN ({reasons})", name=op.f("ck_sessions_revoked_reason")),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_reason IS NULL)", name=op.f("ck_sessions_revoked_with_reason")
        ),
    )
    op.create_index("ix_sessions_user_id_live", "sessions", ["user_id"], postgresql_where=sa.text("revoked_at IS NULL"))
    op.create_index(
        "ix_sessions_revoked_at", "sessions", ["revoked_at"], postgresql_where=sa.text("revoked_at IS NOT NULL")
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _create_refresh_tokens() -> None:
    op.create_table(
        "refresh_tokens",
        sa.Column("jti", sa.Uuid, nullable=False),
        sa.Column("sid", sa.Uuid, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("kid", sa.String(8), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        _instant("issued_at"),
        _instant("used_at", nullable=True),
        sa.Column("successor_jti", sa.Uuid),
        sa.PrimaryKeyConstraint("jti", name="pk_refresh_tokens"),
        sa.ForeignKeyConstraint(["sid"], ["sessions.sid"], name="fk_refresh_tokens_sid_sessions", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["successor_jti"], ["refresh_tokens.jti"], name="fk_refresh_tokens_successor_jti_refresh_tokens"
        ),
        sa.UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
        sa.UniqueConstraint("successor_jti", name="uq_refresh_tokens_successor_jti"),
        sa.CheckConstraint(ROLES, name=op.f("ck_refresh_tokens_role")),
        sa.CheckConstraint(
            "(used_at IS NULL) = (successor_jti IS NULL)", name=op.f("ck_refresh_tokens_used_with_successor")
        ),
    )
    op.create_index("ix_refresh_tokens_sid", "refresh_tokens", ["sid"])


def upgrade() -> None:
    _create_users()
    _create_instructor_profiles()
    _create_sessions()
    _create_refresh_tokens()
    create_outbox_tables(op, "user")


def downgrade() -> None:
    drop_outbox_tables(op, "user")
    for table in ("refresh_tokens", "sessions", "instructor_profiles", "users"):
        op.drop_table(table)
