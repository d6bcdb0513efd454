"""Queries on `push_subscriptions`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Boolean, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from notification_service.models.subscription import PushSubscription
from shared.database import ReadSession, WriteSession


class SubscriptionRepository:
    """What is read from and written to the table."""

    async def put(
        self,
        session: WriteSession,
        *,
        user_id: int,
        endpoint: str,
        p256dh: str,
        auth: str,
        expires_at: datetime | None,
    ) -> tuple[PushSubscription, bool]:
        """Record the subscription of an endpoint, which is this person's from now on; and whether it is new."""
        row = {"user_id": user_id, "endpoint": endpoint, "p256dh": p256dh, "auth": auth, "expires_at": expires_at}
        statement = insert(PushSubscription).values(row)
        statement = statement.on_conflict_do_update(index_elements=["endpoint"], set_=row)
        # PostgreSQL stamps xmax on a row that it updated; on one that it has just inserted it is 0.
        is_new = literal_column("push_subscriptions.xmax = 0", Boolean)
        stored, was_added = (await session.execute(statement.returning(PushSubscription, is_new))).one()
        return stored, was_added

    async def of(self, session: ReadSession, *, user_id: int) -> Sequence[PushSubscription]:
        """Newest first."""
        owned = select(PushSubscription).where(PushSubscription.user_id == user_id)
        return (await session.scalars(owned.order_by(PushSubscription.id.desc()))).all()

    async def delete(self, session: WriteSession, *, user_id: int, subscription_id: int) -> bool:
        """Whether this person had it."""
        owned = delete(PushSubscription).where(
            PushSubscription.id == subscription_id, PushSubscription.user_id == user_id
        )
        return (await session.scalar(owned.returning(PushSubscription.id))) is not None

    async def delete_gone(self, session: WriteSession, *, endpoint: str, p256dh: str) -> None:
        """Remove a subscription that has ceased to exist, unless its browser has subscribed anew meanwhile."""
        await session.execute(
            delete(PushSubscription).where(PushSubscription.endpoint == endpoint, PushSubscription.p256dh == p256dh)
        )

    async def delete_of(self, session: WriteSession, *, user_id: int, but_newest: int = 0) -> None:
        """Remove a person's, all or all but the newest few."""
        owned = select(PushSubscription.id).where(PushSubscription.user_id == user_id)
        superfluous = owned.order_by(PushSubscription.id.desc()).offset(but_newest)
        await session.execute(delete(PushSubscription).where(PushSubscription.id.in_(superfluous)))

    async def delete_expired(self, session: WriteSession) -> None:
        await session.execute(delete(PushSubscription).where(PushSubscription.expires_at <= func.now()))
