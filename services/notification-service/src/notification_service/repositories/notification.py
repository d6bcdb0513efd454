"""Queries on `notifications`. Every one of a person's own names the person whose list it is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from notification_service.models.delivery import Delivery
from notification_service.models.notification import Notification
from notification_service.schemas.delivery import DeliveryState
from notification_service.schemas.notification import NotificationType
from shared.database import ReadSession, WriteSession
from shared.schemas.pagination import Page, PageQuery, paginate

UNREAD_COUNT_LIMIT = 1_000
PRUNED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class UnreadCount:
    """Unless ``is_exact``, there are more than ``unread``."""

    unread: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Message:
    """What a notification says."""

    type: NotificationType
    title: str
    body: str
    link: str


class NotificationRepository:
    """What is read from and written to the table."""

    async def add(
        self, session: WriteSession, *, user_id: int, event_id: UUID, message: Message, is_listed: bool
    ) -> int | None:
        """Record what a person is told; None if this event has already told them."""
        row = {
            "user_id": user_id,
            "event_id": event_id,
            "type": message.type,
            "title": message.title,
            "body": message.body,
            "link": message.link,
            "is_listed": is_listed,
        }
        added: int | None = await session.scalar(
            insert(Notification).values(row).on_conflict_do_nothing().returning(Notification.id)
        )
        return added

    async def page(
        self, session: ReadSession, *, user_id: int, is_unread_only: bool, params: PageQuery
    ) -> Page[Notification]:
        """Newest first."""
        chosen = select(Notification).where(Notification.user_id == user_id, Notification.is_listed)
        if is_unread_only:
            chosen = chosen.where(~Notification.is_read)
        return await paginate(session, chosen.order_by(Notification.created_at.desc(), Notification.id.desc()), params)

    async def count_unread(self, session: ReadSession, *, user_id: int) -> UnreadCount:
        unread = select(Notification.id).where(
            Notification.user_id == user_id, Notification.is_listed, ~Notification.is_read
        )
        some = unread.limit(UNREAD_COUNT_LIMIT + 1).subquery()
        counted = (await session.execute(select(func.count()).select_from(some))).scalar_one()
        return UnreadCount(min(counted, UNREAD_COUNT_LIMIT), counted <= UNREAD_COUNT_LIMIT)

    async def find_for_update(
        self, session: WriteSession, *, user_id: int, notification_id: int
    ) -> Notification | None:
        """The notification, locked until the transaction ends."""
        owned = select(Notification).where(
            Notification.id == notification_id, Notification.user_id == user_id, Notification.is_listed
        )
        return (await session.scalars(owned.with_for_update())).one_or_none()

    async def mark_all_read(self, session: WriteSession, *, user_id: int, at: datetime) -> int:
        """Return how many were unread."""
        unread = update(Notification).where(
            Notification.user_id == user_id, Notification.is_listed, ~Notification.is_read
        )
        marked = await session.scalars(unread.values(is_read=True, read_at=at).returning(Notification.id))
        return len(marked.all())

    async def delete_of(self, session: WriteSession, *, user_id: int) -> None:
        """Remove all that a person was told, with the deliveries that still wait."""
        await session.execute(delete(Notification).where(Notification.user_id == user_id))

    async def prune(self, session: WriteSession, *, before: datetime) -> int:
        """Remove up to ``PRUNED_AT_ONCE`` old ones that were read, or are in no list, and of which no delivery waits,
        to be carried or for an administrator: deliveries go with their notification."""
        waits = Delivery.state.in_([DeliveryState.PENDING, DeliveryState.DEAD])
        waiting = exists().where(Delivery.notification_id == Notification.id, waits)
        old = select(Notification.id).where(
            Notification.created_at < before, or_(Notification.is_read, ~Notification.is_listed), ~waiting
        )
        some = old.limit(PRUNED_AT_ONCE)
        pruned = await session.scalars(delete(Notification).where(Notification.id.in_(some)).returning(Notification.id))
        return len(pruned.all())
