"""Telling people what happened; each use case works in the transaction it is given."""

from collections.abc import Mapping
from uuid import UUID

from notification_service.core.kinds import KINDS, Kind
from notification_service.repositories.dead_letter import DeadLetterRepository
from notification_service.repositories.delivery import DeliveryRepository
from notification_service.repositories.notification import Message, NotificationRepository
from notification_service.repositories.preference import PreferenceRepository
from notification_service.repositories.subscription import SubscriptionRepository
from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from notification_service.services.preference import enabled_channels
from shared.database import WriteSession

LONGEST_TITLE = 200
LONGEST_BODY = 4_000


class Announcements:
    """``channels`` are those that this installation can use."""

    def __init__(self, channels: frozenset[Channel]) -> None:
        self._channels = channels
        self._notifications = NotificationRepository()
        self._deliveries = DeliveryRepository()
        self._preferences = PreferenceRepository()

    async def tell(
        self,
        session: WriteSession,
        *,
        event_id: UUID,
        user_id: int,
        kind: NotificationType,
        facts: Mapping[str, object],
    ) -> None:
        """Put it in the person's list and on its way to them, as they have chosen; once for an event."""
        choices = await self._preferences.of(session, user_id=user_id, kind=kind)
        channels = enabled_channels(kind, choices) & self._channels
        if not channels:
            return
        notification_id = await self._notifications.add(
            session,
            user_id=user_id,
            event_id=event_id,
            message=composed(kind, facts),
            is_listed=Channel.IN_APP in channels,
        )
        if notification_id is not None:
            await self._deliveries.add(session, notification_id=notification_id, user_id=user_id, channels=channels)


class Forgetting:
    """What happens when a person is anonymised."""

    def __init__(self) -> None:
        self._dead_letters = DeadLetterRepository()
        self._notifications = NotificationRepository()
        self._preferences = PreferenceRepository()
        self._subscriptions = SubscriptionRepository()

    async def forget(self, session: WriteSession, *, user_id: int) -> None:
        """Remove all that is kept about them: list, deliveries, preferences, subscriptions, undelivered events."""
        await self._subscriptions.delete_of(session, user_id=user_id)
        await self._notifications.delete_of(session, user_id=user_id)
        await self._preferences.delete_of(session, user_id=user_id)
        await self._dead_letters.delete_registration(session, user_id=user_id)


def composed(kind: NotificationType, facts: Mapping[str, object]) -> Message:
    """The text of a notification; what comes from outside is brought to one line and a bounded length."""
    template: Kind = KINDS[kind]
    told = {name: " ".join(str(value).split()) for name, value in facts.items()}
    return Message(
        type=kind,
        title=_shortened(template.title.format_map(told), LONGEST_TITLE),
        body=_shortened(template.body.format_map(told), LONGEST_BODY),
        link=template.link.format_map(told),
    )


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
