"""A session knows until when its last access token is good, whatever the lifetimes are by then.

Revision ID: user_0002_access_expiry
Revises: user_0001
"""

import sqlalchemy as sa
from alembic import op

revision = "user_0002_access_expiry"
down_revision = "user_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("access_expires_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("sessions", "access_expires_at")
