"""Queries on `notifications`. Every one of them names the person whose list it is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from notification_service.models.notification import Notification
from notification_service.schemas.notification import NotificationType
from shared.database import ReadSession, WriteSession
from shared.schemas.pagination import Page, PageQuery, paginate


class NotificationRepository:
    """What is read from and written to the table."""

    async def add(
        self, session: WriteSession, *, user_id: int, event_id: UUID, kind: NotificationType, title: str, body: str
    ) -> None:
        """Put a notification in the list, unless this event already has one there."""
        row = {"user_id": user_id, "event_id": event_id, "type": kind, "title": title, "body": body}
        await session.execute(insert(Notification).values(row).on_conflict_do_nothing())

    async def page(
        self, session: ReadSession, *, user_id: int, is_unread_only: bool, params: PageQuery
    ) -> Page[Notification]:
        """Newest first."""
        chosen = select(Notification).where(Notification.user_id == user_id)
        if is_unread_only:
            chosen = chosen.where(~Notification.is_read)
        return await paginate(session, chosen.order_by(Notification.created_at.desc(), Notification.id.desc()), params)

    async def find_for_update(
        self, session: WriteSession, *, user_id: int, notification_id: int
    ) -> Notification | None:
        """The notification, locked until the transaction ends."""
        owned = select(Notification).where(Notification.id == notification_id, Notification.user_id == user_id)
        return (await session.scalars(owned.with_for_update())).one_or_none()

    async def mark_all_read(self, session: WriteSession, *, user_id: int, at: datetime) -> int:
        """Return how many were unread."""
        unread = update(Notification).where(Notification.user_id == user_id, ~Notification.is_read)
        marked = await session.scalars(unread.values(is_read=True, read_at=at).returning(Notification.id))
        return len(marked.all())
