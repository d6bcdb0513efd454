"""Keys with which scripts call the API in a person's name."""

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Integer, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from user_service.core.database import Base


class ApiKey(Base):
    """One key. Of its text there is a hash; the row stays when the key is revoked or expired.

    `generation` counts how often the person's standing (role, activity) has changed: together with `id` it names the
    session that gateways know the key by, and each change ends the former one.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(100))
    public_id: Mapped[str] = mapped_column(String(16), unique=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(40)))
    generation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    generation_since: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    __table_args__ = (
        CheckConstraint("cardinality(scopes) > 0", name="good_for_something"),
        CheckConstraint("generation > 0", name="generation"),
        Index("ix_api_keys_user_id", "user_id"),
        Index("ix_api_keys_generation_since", "generation_since"),
        Index("ix_api_keys_revoked_at", "revoked_at", postgresql_where=text("revoked_at IS NOT NULL")),
    )

    @property
    def prefix(self) -> str:
        """The part of the key that may be shown."""
        return f"sck_{self.public_id}"

    @property
    def sid(self) -> str:
        """The session that gateways know it by."""
        return session_name(self.id, self.generation)


def session_name(key_id: int, generation: int) -> str:
    """The session of one generation of a key."""
    return f"k{key_id}-{generation}"
