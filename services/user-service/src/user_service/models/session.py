"""Logins and the chain of refresh tokens that each of them has handed out."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Enum, ForeignKey, Index, LargeBinary, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from user_service.core.database import Base
from user_service.schemas.user import UserRole


class RevocationReason(StrEnum):
    """Why a session ended before its time."""

    LOGOUT = "logout"
    REFRESH_REUSE = "refresh_reuse"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - a reason, not a password
    ROLE_CHANGE = "role_change"
    DEACTIVATION = "deactivation"


class Session(Base):
    """One login: the family of tokens that carries its `sid`."""

    __tablename__ = "sessions"

    sid: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    # Of its last access token; null while an older version of this service writes.
    access_expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_reason: Mapped[RevocationReason | None] = mapped_column(
        Enum(
            RevocationReason,
            name="revoked_reason",
            native_enum=False,
            create_constraint=True,
            length=20,
            values_callable=lambda reasons: [reason.value for reason in reasons],
        )
    )

    __table_args__ = (
        CheckConstraint("(revoked_at IS NULL) = (revoked_reason IS NULL)", name="revoked_with_reason"),
        Index("ix_sessions_user_id_live", "user_id", postgresql_where=text("revoked_at IS NULL")),
        Index("ix_sessions_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
        Index("ix_sessions_expires_at", "expires_at"),
    )


class RefreshToken(Base):
    """One refresh token: its hash, and the facts from which the same token can be signed again.

    The token itself is never stored. A successor that its client lost (two requests at once, a broken connection) is
    rebuilt from `jti`, `issued_at`, `role`, `kid` and its session; that needs the signing secret.
    """

    __tablename__ = "refresh_tokens"

    jti: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    sid: Mapped[UUID] = mapped_column(ForeignKey("sessions.sid", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    kid: Mapped[str] = mapped_column(String(8))
    role: Mapped[UserRole] = mapped_column(
        Enum(
            UserRole,
            name="role",
            native_enum=False,
            create_constraint=True,
            length=20,
            values_callable=lambda roles: [role.value for role in roles],
        )
    )
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    successor_jti: Mapped[UUID | None] = mapped_column(ForeignKey("refresh_tokens.jti"), unique=True)

    __table_args__ = (CheckConstraint("(used_at IS NULL) = (successor_jti IS NULL)", name="used_with_successor"),)
