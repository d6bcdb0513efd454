"""Browsers that listen: subscribing, and ending it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from notification_service.core.errors import EndpointRefusedError, PushOffError, SubscriptionNotFoundError
from notification_service.core.network import refusal
from notification_service.models.subscription import PushSubscription
from notification_service.repositories.subscription import SubscriptionRepository
from notification_service.schemas.push import SubscriptionCreate
from shared.database import Database

MOST_SUBSCRIPTIONS = 20
"""Of one person: with one more, their oldest goes."""


class PushService:
    """``public_key`` is the installation's VAPID key, None where push is off."""

    def __init__(self, database: Database, *, public_key: str | None, allow_private: bool) -> None:
        self._database, self._public_key, self._allow_private = database, public_key, allow_private
        self._subscriptions = SubscriptionRepository()

    def public_key(self) -> str:
        """What browsers subscribe with. Raises PushOffError."""
        if self._public_key is None:
            raise PushOffError
        return self._public_key

    async def subscribe(self, user_id: int, wanted: SubscriptionCreate) -> tuple[PushSubscription, bool]:
        """Record a browser's subscription, or renew it, and say whether it is new. It is this person's from now on.

        Raises:
            PushOffError, EndpointRefusedError
        """
        self.public_key()
        if reason := await refusal(wanted.endpoint, allow_private=self._allow_private):
            raise EndpointRefusedError(reason)
        milliseconds = wanted.expiration_time
        async with self._database.begin() as session:
            stored, is_new = await self._subscriptions.put(
                session,
                user_id=user_id,
                endpoint=wanted.endpoint,
                p256dh=wanted.keys.p256dh,
                auth=wanted.keys.auth,
                expires_at=datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None,
            )
            await self._subscriptions.delete_of(session, user_id=user_id, but_newest=MOST_SUBSCRIPTIONS)
            return stored, is_new

    async def of(self, user_id: int) -> Sequence[PushSubscription]:
        """A person's subscriptions, newest first."""
        async with self._database.read() as session:
            return await self._subscriptions.of(session, user_id=user_id)

    async def unsubscribe(self, user_id: int, subscription_id: int) -> None:
        """Forget a subscription, with what was on its way to it. Raises SubscriptionNotFoundError."""
        async with self._database.begin() as session:
            if not await self._subscriptions.delete(session, user_id=user_id, subscription_id=subscription_id):
                raise SubscriptionNotFoundError(subscription_id)
