"""People's accounts."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, Enum, Index, Integer, String, func, true
from sqlalchemy.orm import Mapped, mapped_column

from user_service.core.database import Base
from user_service.schemas.user import UserRole


class User(Base):
    """One account. A row is never deleted: other services' rows refer to it."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    hashed_password: Mapped[str] = mapped_column(String(128))
    full_name: Mapped[str] = mapped_column(String(200))
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
    is_active: Mapped[bool] = mapped_column(server_default=true())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    anonymised_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("anonymised_at IS NULL OR NOT is_active", name="anonymised_is_inactive"),
        Index("uq_users_email_lower", func.lower(email), unique=True),
        Index("ix_users_role", "role"),
    )
