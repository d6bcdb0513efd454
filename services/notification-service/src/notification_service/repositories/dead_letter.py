"""What is removed from `notification_dead_letters` when a person is forgotten."""

import json

from sqlalchemy import delete, select

from notification_service.models.processed import DEAD_LETTERS
from shared.database import WriteSession
from shared.events.outbox import EVENT_FIELD
from shared.events.user import UserRegistered


class DeadLetterRepository:
    """The rest of the table's queries are `shared.events.dead_letters`'."""

    async def delete_registration(self, session: WriteSession, *, user_id: int) -> None:
        """Remove the one kind of event that carries a person's name and address."""
        row = DEAD_LETTERS.c
        event = row.fields[EVENT_FIELD].astext
        is_registration = row.type == UserRegistered.event_type.name
        # PostgreSQL must not read the events themselves: they are dead for what is wrong with them, and one that it
        # can't read would keep everybody from being forgotten.
        candidates = await session.execute(select(row.id, event).where(is_registration, event.contains(str(user_id))))
        theirs = [letter_id for letter_id, text in candidates if _user_id(text) == str(user_id)]
        await session.execute(delete(DEAD_LETTERS).where(row.id.in_(theirs)))


def _user_id(event: str) -> str | None:
    """The id in the event's data, as text; None if it has none."""
    try:
        return str(json.loads(event)["data"]["user_id"])
    except (ValueError, LookupError, TypeError):
        return None
