"""A person's list: reading it and marking it."""

from notification_service.core.errors import NotificationNotFoundError
from notification_service.models.notification import Notification
from notification_service.repositories.notification import NotificationRepository, UnreadCount
from shared.database import Database
from shared.schemas.pagination import Page, PageQuery
from shared.utils.datetime import Clock


class NotificationService:
    """The list as its owner uses it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._notifications = NotificationRepository()

    async def page(self, user_id: int, params: PageQuery, *, is_unread_only: bool = False) -> Page[Notification]:
        async with self._database.read() as session:
            return await self._notifications.page(
                session, user_id=user_id, is_unread_only=is_unread_only, params=params
            )

    async def count_unread(self, user_id: int) -> UnreadCount:
        async with self._database.read() as session:
            return await self._notifications.count_unread(session, user_id=user_id)

    async def mark(self, user_id: int, notification_id: int, *, is_read: bool) -> Notification:
        """Mark one as read or unread; the time of the first reading stays when it is read again.

        Raises:
            NotificationNotFoundError: it is not in this person's list.
        """
        async with self._database.begin() as session:
            found = await self._notifications.find_for_update(session, user_id=user_id, notification_id=notification_id)
            if found is None:
                raise NotificationNotFoundError(notification_id)
            if found.is_read != is_read:
                found.is_read = is_read
                found.read_at = self._clock.now() if is_read else None
            return found

    async def mark_all_read(self, user_id: int) -> int:
        """Return how many were unread."""
        async with self._database.begin() as session:
            return await self._notifications.mark_all_read(session, user_id=user_id, at=self._clock.now())
