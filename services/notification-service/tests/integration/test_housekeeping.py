"""What is kept, for how long, and how the queue is measured."""

from typing import Any

from mail_server import Mailbox
from prometheus_client import REGISTRY

OLD = "now() - interval '91 days'"


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"smartcourse_{name}", labels)


async def add(
    sql: Any, user_id: int, body: str, *, created_at: str = OLD, is_read: bool = False, listed: bool = True
) -> int:
    added: int = await sql.fetchval(
        "INSERT INTO notifications (user_id, event_id, type, title, body, is_read, read_at, is_listed, created_at)"
        f" VALUES ($1, gen_random_uuid(), 'welcome', '', $2, $3, CASE WHEN $3 THEN {OLD} END, $4, {created_at})"
        " RETURNING id",
        user_id, body, is_read, listed,
    )  # fmt: skip
    return added


async def add_delivery(sql: Any, notification_id: int, state: str, *, finished_at: str = OLD) -> None:
    finished = "NULL" if state == "pending" else finished_at
    await sql.execute(
        "INSERT INTO notification_deliveries (notification_id, channel, state, finished_at, due_at, created_at)"
        f" VALUES ($1, 'email', $2, {finished}, now() + interval '1 day', {OLD})",
        notification_id, state,
    )  # fmt: skip


async def test_what_is_old_and_of_no_more_use_goes(start: Any, eventually: Any) -> None:
    async with start() as world:
        ada, sql = await world.new_user(), world.sql
        await add(sql, ada, "read and old", is_read=True)
        await add(sql, ada, "unlisted and old", listed=False)
        kept = {
            "unread": await add(sql, ada, "unread"),
            "recent": await add(sql, ada, "recent", created_at="now() - interval '89 days'", is_read=True),
            "waiting": await add(sql, ada, "waiting", is_read=True),
            "dead": await add(sql, ada, "dead", is_read=True),
            "fresh": await add(sql, ada, "fresh"),
        }
        for body, state in (("unread", "sent"), ("recent", "cancelled"), ("waiting", "pending"), ("dead", "dead")):
            await add_delivery(sql, kept[body], state)
        await add_delivery(sql, kept["fresh"], "sent", finished_at="now()")
        for name, expiry in (("gone", "now() - interval '1 second'"), ("good", "now() + interval '1 day'")):
            await sql.execute(
                "INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth, expires_at)"
                f" VALUES ($1, 'https://push.example/{name}', '', '', {expiry})",
                ada,
            )
    async with start(retention_days=90) as world:

        async def is_pruned() -> bool:
            return bool(await sql.fetchval("SELECT count(*) FROM push_subscriptions") == 1)

        await eventually(is_pruned)
        bodies = {row["body"] for row in await sql.fetch("SELECT body FROM notifications")}
        states = sorted(row["state"] for row in await sql.fetch("SELECT state FROM notification_deliveries"))
    assert bodies == set(kept)
    assert states == ["dead", "pending", "sent"]


async def test_the_queue_is_measured(mail_world: Any, mailbox: Mailbox, eventually: Any) -> None:
    ada = await mail_world.new_user()
    sent = {"channel": "email", "outcome": "sent"}
    before = gauge("delivery_attempts_total", **sent) or 0
    for state in ("pending", "dead"):
        await add_delivery(mail_world.sql, await add(mail_world.sql, ada, state), state)

    async def is_measured() -> bool:
        return (
            gauge("deliveries", channel="email", state="pending"),
            gauge("deliveries", channel="email", state="dead"),
        ) == (1, 1)

    await eventually(is_measured)
    assert (gauge("deliveries_oldest_seconds", channel="email") or 0) > 90 * 24 * 3600
    assert gauge("channel_enabled", channel="email") == 1
    await mail_world.deliver(mail_world.enrollment(ada))

    async def is_counted() -> bool:
        return gauge("delivery_attempts_total", **sent) == before + 1

    await eventually(is_counted)
    assert (gauge("delivery_seconds_count", channel="email") or 0) >= 1
