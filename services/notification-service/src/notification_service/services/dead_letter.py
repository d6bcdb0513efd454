"""What was given up, as administrators see it and try it again."""

from uuid import UUID

from notification_service.core.errors import DeadDeliveryNotFoundError, ReplayFailedError
from notification_service.repositories.delivery import DeadDelivery, DeliveryRepository
from shared.database import Database
from shared.events.dead_letters import DeadLetter, DeadLetters
from shared.events.handling import DeadLetterError
from shared.schemas.pagination import Page, PageQuery


class DeadEventService:
    """Events that could not be handled."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    async def page(self, params: PageQuery) -> Page[DeadLetter]:
        return await self._letters.page(params)

    async def replay(self, letter_id: int) -> str:
        """Handle it now: "handled", or "repeated" if it had its effect before.

        Raises:
            NotFoundError: there is no such letter.
            ReplayFailedError: it failed again and stays.
        """
        try:
            return await self._letters.replay(letter_id)
        except DeadLetterError as error:
            raise ReplayFailedError(letter_id, str(error)) from error

    async def discard(self, letter_id: int) -> None:
        """Raises NotFoundError."""
        await self._letters.discard(letter_id)


class DeadDeliveryService:
    """Mails and pushes that could not be delivered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._deliveries = DeliveryRepository()

    async def page(self, params: PageQuery) -> Page[DeadDelivery]:
        async with self._database.read() as session:
            return await self._deliveries.dead(session, params)

    async def replay(self, delivery_id: UUID) -> None:
        """Have it attempted again, soon. Raises DeadDeliveryNotFoundError."""
        async with self._database.begin() as session:
            if not await self._deliveries.revive(session, delivery_id):
                raise DeadDeliveryNotFoundError(delivery_id)

    async def discard(self, delivery_id: UUID) -> None:
        """Raises DeadDeliveryNotFoundError."""
        async with self._database.begin() as session:
            if not await self._deliveries.delete_dead(session, delivery_id):
                raise DeadDeliveryNotFoundError(delivery_id)
