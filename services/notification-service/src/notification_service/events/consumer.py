"""Which events this service consumes, and what each of them causes."""

from collections.abc import Sequence
from typing import Any

from notification_service.services.notification import Announcements
from shared.database import WriteSession
from shared.events.envelope import Event
from shared.events.handling import Handler
from shared.events.user import UserRegistered

SERVICE = "notification"
"""The name of the consumer group and of the table of processed events."""


def handlers(announcements: Announcements) -> Sequence[Handler[Any]]:
    async def user_registered(session: WriteSession, event: Event[UserRegistered]) -> None:
        person = event.data
        await announcements.welcome(session, user_id=person.user_id, full_name=person.full_name, event_id=event.id)

    return [Handler(UserRegistered, user_registered)]
