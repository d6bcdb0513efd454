"""Keys with which scripts call the API.

Revision ID: user_0003
Revises: user_0002_access_expiry
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "user_0003"
down_revision = "user_0002_access_expiry"
branch_labels = None
depends_on = None


def _instant(name: str, *, nullable: bool = False, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=nullable, server_default=sa.func.now() if default else None
    )


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("scopes", ARRAY(sa.String(40)), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False, server_default=sa.text("1")),
        _instant("generation_since", default=True),
        _instant("created_at", default=True),
        _instant("expires_at"),
        _instant("last_used_at", nullable=True),
        _instant("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id_users"),
        sa.UniqueConstraint("public_id", name="uq_api_keys_public_id"),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_api_keys_good_for_something")),
        sa.CheckConstraint("generation > 0", name=op.f("ck_api_keys_generation")),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_index("ix_api_keys_generation_since", "api_keys", ["generation_since"])
    op.create_index(
        "ix_api_keys_revoked_at", "api_keys", ["revoked_at"], postgresql_where=sa.text("revoked_at IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_table("api_keys")
