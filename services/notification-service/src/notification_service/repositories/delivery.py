"""Queries on `notification_deliveries`. Times are the database's, so that replicas' clocks need not agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from notification_service.core.carrying import Parcel, Person, PushTarget
from notification_service.models.delivery import Delivery
from notification_service.models.notification import Notification
from notification_service.models.subscription import PushSubscription
from notification_service.models.user import users
from notification_service.schemas.delivery import Channel, DeliveryState
from notification_service.schemas.notification import NotificationType
from shared.database import ReadSession, WriteSession
from shared.events.tracing import current_traceparent
from shared.schemas.pagination import Page, PageQuery, paginate

PRUNED_AT_ONCE = 10_000


def wakeup_channel(channel: Channel) -> str:
    """The PostgreSQL notification channel that wakes a channel's deliverers."""
    return f"notification_{channel}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that one deliverer attempts. ``attempts`` counts this one; unless ``is_wanted`` the person's account
    is closed, or the browser is another's by now."""

    parcel: Parcel
    claim: UUID
    attempts: int
    traceparent: str | None
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class DeadDelivery:
    """A delivery that was given up."""

    id: UUID
    channel: Channel
    user_id: int
    type: NotificationType
    attempts: int
    reason: str
    created_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries of one channel in one state; the age is that of the oldest."""

    channel: Channel
    state: DeliveryState
    count: int
    oldest_seconds: float


class DeliveryRepository:
    """What is read from and written to the table."""

    async def add(
        self, session: WriteSession, *, notification_id: int, user_id: int, channels: frozenset[Channel]
    ) -> None:
        """One delivery for the mailbox, and one for each browser that listens; their deliverers wake at commit."""
        traceparent = current_traceparent()
        if Channel.EMAIL in channels:
            row = {"notification_id": notification_id, "channel": Channel.EMAIL, "traceparent": traceparent}
            await session.execute(sa.insert(Delivery).values(row))
            await self._wake(session, Channel.EMAIL)
        if Channel.PUSH in channels:
            is_current = sa.or_(PushSubscription.expires_at.is_(None), PushSubscription.expires_at > sa.func.now())
            listening = sa.select(
                sa.literal(notification_id),
                sa.literal(Channel.PUSH.value),
                PushSubscription.id,
                sa.literal(traceparent, sa.Text),
            ).where(PushSubscription.user_id == user_id, is_current)
            columns = ["notification_id", "channel", "subscription_id", "traceparent"]
            await session.execute(sa.insert(Delivery).from_select(columns, listening))
            await self._wake(session, Channel.PUSH)

    async def claim(self, session: WriteSession, channel: Channel, *, limit: int, seconds: float) -> list[Claimed]:
        """Take the deliveries that are due, the longest due first; nobody else gets them within ``seconds``."""
        claim = uuid4()
        due = (
            sa.select(Delivery.id)
            .where(
                Delivery.channel == channel,
                Delivery.state == DeliveryState.PENDING,
                Delivery.due_at <= sa.func.now(),
            )
            .order_by(Delivery.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        await session.execute(
            sa.update(Delivery)
            .where(Delivery.id == due.c.id)
            .values(claim=claim, attempts=Delivery.attempts + 1, due_at=_in(seconds))
            .execution_options(synchronize_session=False)
        )
        rows = await session.execute(_parcels().where(Delivery.claim == claim).order_by(Delivery.created_at))
        return [_claimed(*row) for row in rows]

    async def finish(
        self, session: WriteSession, claimed: Claimed, state: DeliveryState, *, reason: str | None = None
    ) -> None:
        """Record the outcome. What was sent is sent, whoever holds the claim now."""
        held = sa.true() if state is DeliveryState.SENT else Delivery.claim == claimed.claim
        values = {"state": state, "reason": reason, "finished_at": sa.func.now(), "claim": None}
        await self._change(session, claimed.parcel.id, held, **values)

    async def postpone(self, session: WriteSession, claimed: Claimed, *, seconds: float, reason: str) -> None:
        """Have it attempted again later."""
        held = Delivery.claim == claimed.claim
        await self._change(session, claimed.parcel.id, held, due_at=_in(seconds), reason=reason, claim=None)

    async def release(self, session: WriteSession, claimed: Claimed, *, reason: str) -> None:
        """Give it back as if it had not been attempted."""
        values = {"attempts": Delivery.attempts - 1, "due_at": sa.func.now(), "reason": reason, "claim": None}
        await self._change(session, claimed.parcel.id, Delivery.claim == claimed.claim, **values)

    async def dead(self, session: ReadSession, params: PageQuery) -> Page[DeadDelivery]:
        """Those that were given up, the last first."""
        chosen: Any = (
            sa.select(
                Delivery.id,
                Delivery.channel,
                Notification.user_id,
                Notification.type,
                Delivery.attempts,
                Delivery.reason,
                Delivery.created_at,
                Delivery.finished_at,
            )
            .join(Notification, Notification.id == Delivery.notification_id)
            .where(Delivery.state == DeliveryState.DEAD)
            .order_by(Delivery.finished_at.desc(), Delivery.id)
        )
        found: Page[Any] = await paginate(session, chosen, params, scalars=False)
        return found.map(lambda row: DeadDelivery(*row))

    async def revive(self, session: WriteSession, delivery_id: UUID) -> bool:
        """Make a dead one due at once, with all attempts before it; False if it is not dead."""
        values = {"state": DeliveryState.PENDING, "attempts": 0, "due_at": sa.func.now(), "finished_at": None}
        dead = sa.update(Delivery).where(Delivery.id == delivery_id, Delivery.state == DeliveryState.DEAD)
        channel = await session.scalar(dead.values(values).returning(Delivery.channel))
        if channel is None:
            return False
        await self._wake(session, Channel(channel))
        return True

    async def delete_dead(self, session: WriteSession, delivery_id: UUID) -> bool:
        """False if it is not dead."""
        dead = sa.delete(Delivery).where(Delivery.id == delivery_id, Delivery.state == DeliveryState.DEAD)
        return (await session.scalar(dead.returning(Delivery.id))) is not None

    async def backlog(self, session: ReadSession) -> Sequence[Backlog]:
        """What waits and what was given up, where there is any."""
        age_seconds = sa.func.extract("epoch", sa.func.now() - sa.func.min(Delivery.created_at))
        counted = sa.select(Delivery.channel, Delivery.state, sa.func.count(), age_seconds)
        # Two conditions, not IN: each has a partial index.
        unsent = sa.or_(Delivery.state == DeliveryState.PENDING, Delivery.state == DeliveryState.DEAD)
        rows = await session.execute(counted.where(unsent).group_by(Delivery.channel, Delivery.state))
        return [Backlog(Channel(row[0]), DeliveryState(row[1]), row[2], float(row[3])) for row in rows]

    async def prune(self, session: WriteSession, *, before: datetime) -> int:
        """Remove up to ``PRUNED_AT_ONCE`` that were sent or cancelled before; dead ones wait for an administrator."""
        old = sa.select(Delivery.id).where(
            Delivery.finished_at < before, Delivery.state.in_([DeliveryState.SENT, DeliveryState.CANCELLED])
        )
        pruned = await session.scalars(
            sa.delete(Delivery).where(Delivery.id.in_(old.limit(PRUNED_AT_ONCE))).returning(Delivery.id)
        )
        return len(pruned.all())

    async def _change(
        self, session: WriteSession, delivery_id: UUID, held: sa.ColumnElement[bool], **values: object
    ) -> None:
        pending = sa.and_(Delivery.id == delivery_id, Delivery.state == DeliveryState.PENDING, held)
        await session.execute(sa.update(Delivery).where(pending).values(values))

    async def _wake(self, session: WriteSession, channel: Channel) -> None:
        # Sent by PostgreSQL at commit, once per transaction however many deliveries it adds.
        await session.execute(sa.select(sa.func.pg_notify(wakeup_channel(channel), "")))


def _parcels() -> sa.Select[Any]:
    return (
        sa.select(Delivery, Notification, users.c.email, users.c.full_name, users.c.is_active, PushSubscription)
        .join(Notification, Notification.id == Delivery.notification_id)
        .join(users, users.c.id == Notification.user_id)
        .outerjoin(PushSubscription, PushSubscription.id == Delivery.subscription_id)
    )


def _claimed(
    delivery: Delivery,
    notification: Notification,
    email: str,
    full_name: str,
    is_active: bool,
    subscription: PushSubscription | None,
) -> Claimed:
    parcel = Parcel(
        id=delivery.id,
        notification_id=notification.id,
        type=NotificationType(notification.type),
        title=notification.title,
        body=notification.body,
        link=notification.link,
        person=Person(email, full_name),
        target=PushTarget(subscription.endpoint, subscription.p256dh, subscription.auth) if subscription else None,
    )
    assert delivery.claim is not None  # noqa: S101 - for the type checker: it was chosen by its claim
    is_wanted = is_active and (subscription is None or subscription.user_id == notification.user_id)
    return Claimed(parcel, delivery.claim, delivery.attempts, delivery.traceparent, is_wanted)


def _in(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=sa.Interval)
