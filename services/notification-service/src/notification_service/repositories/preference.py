"""Queries on `notification_preferences`."""

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from notification_service.models.preference import Preference
from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from shared.database import WriteSession

Choices = dict[tuple[NotificationType, Channel], bool]
"""What a person has chosen; what is absent they have left to the defaults."""


class PreferenceRepository:
    """What is read from and written to the table."""

    async def of(self, session: AsyncSession, *, user_id: int, kind: NotificationType | None = None) -> Choices:
        """All of a person's choices, or those about one kind."""
        chosen = select(Preference).where(Preference.user_id == user_id)
        if kind is not None:
            chosen = chosen.where(Preference.type == kind)
        found = await session.scalars(chosen)
        return {(NotificationType(row.type), Channel(row.channel)): row.is_enabled for row in found}

    async def put(self, session: WriteSession, *, user_id: int, choices: Choices) -> None:
        """Record choices in place of former ones, in the order of their keys so that two requests cannot deadlock."""
        rows = [
            {"user_id": user_id, "type": kind, "channel": channel, "is_enabled": choices[kind, channel]}
            for kind, channel in sorted(choices)
        ]
        statement = insert(Preference).values(rows)
        await session.execute(
            statement.on_conflict_do_update(
                constraint=Preference.__table__.primary_key,  # type: ignore[arg-type]  # it is one, whatever the stubs say
                set_={"is_enabled": statement.excluded.is_enabled},
            )
        )

    async def delete_of(self, session: WriteSession, *, user_id: int) -> None:
        await session.execute(delete(Preference).where(Preference.user_id == user_id))
