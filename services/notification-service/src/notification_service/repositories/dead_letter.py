"""What is removed from `notification_dead_letters` when a person is forgotten."""

from sqlalchemy import BigInteger, case, cast, delete
from sqlalchemy.dialects.postgresql import JSONB

from notification_service.models.processed import DEAD_LETTERS
from shared.database import WriteSession
from shared.events.outbox import EVENT_FIELD
from shared.events.user import UserRegistered


class DeadLetterRepository:
    """The rest of the table's queries are `shared.events.dead_letters`'."""

    async def delete_registration(self, session: WriteSession, *, user_id: int) -> None:
        """Remove the one kind of event that carries a person's name and address."""
        row = DEAD_LETTERS.c
        event = cast(row.fields[EVENT_FIELD].astext, JSONB)
        # CASE keeps PostgreSQL from reading entries of other types, which may be no JSON at all.
        subject = case((row.type == UserRegistered.event_type.name, cast(event["data"]["user_id"].astext, BigInteger)))
        await session.execute(delete(DEAD_LETTERS).where(subject == user_id))
