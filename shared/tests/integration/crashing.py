"""A process that publishes and consumes, and stops at a named step: `python crashing.py '{…}'`.

At the step it says so and waits to be told to go on, which it may never be.
"""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from shared.database import Database, WriteSession
from shared.events.broker import Broker, Delivery
from shared.events.consumer import ConsumerSettings, EventConsumer
from shared.events.envelope import Event
from shared.events.handling import Handler
from shared.events.kafka import KafkaBroker, KafkaOptions
from shared.events.redis_streams import RedisBroker
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered

POISONOUS = 3
# What a transaction does, by a statement in it.
TRANSACTIONS = {"UPDATE user_outbox": "mark", "INTO effects": "effect", "INTO notification_dead_letters": "burial"}

effects = sa.Table("effects", sa.MetaData(), sa.Column("user_id", sa.Integer))


class Steps:
    """Stops the whole process at one of them, the first time."""

    def __init__(self, chosen: str | None) -> None:
        self._chosen = chosen

    def reach(self, step: str) -> None:
        if step == self._chosen:
            self._chosen = None
            print(step, flush=True)
            sys.stdin.readline()


class Stepping:
    """A broker whose calls are steps."""

    def __init__(self, broker: Broker, steps: Steps) -> None:
        self._broker, self._steps = broker, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def append(self, stream: str, entries: Sequence[Mapping[str, str]], **options: Any) -> list[str]:
        if entries:
            self._steps.reach("before append")
        positions = await self._broker.append(stream, entries, **options)
        if entries:
            self._steps.reach("after append")
        return positions

    async def read(self, *args: Any, **options: Any) -> list[Delivery]:
        deliveries = await self._broker.read(*args, **options)
        if deliveries:
            self._steps.reach("after read")
        return deliveries

    async def acknowledge(self, *args: Any) -> None:
        self._steps.reach("before acknowledgement")
        await self._broker.acknowledge(*args)
        self._steps.reach("after acknowledgement")


def watch_transactions(database: Database, steps: Steps) -> None:
    """Make the commits steps: before it is ordered, and after it is done."""
    engine = database.engine.sync_engine

    def note(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        for text, name in TRANSACTIONS.items():
            if text in statement:
                connection.info["transaction"] = name

    def before(connection: sa.Connection) -> None:
        if name := connection.info.get("transaction"):
            steps.reach(f"before {name}")

    def after(_raw: Any, record: Any) -> None:
        if name := record.info.pop("transaction", None):
            steps.reach(f"after {name}")

    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "commit", before)
    sa.event.listen(engine, "checkin", after)


async def welcome(session: WriteSession, event: Event[UserRegistered]) -> None:
    await session.execute(sa.insert(effects).values(user_id=event.data.user_id))
    if event.data.user_id == POISONOUS:
        raise ValueError("never")


def make_broker(kind: str, options: dict[str, Any]) -> Broker:
    return KafkaBroker(KafkaOptions(**options)) if kind == "kafka" else RedisBroker(**options)


async def main(kind: str, options: dict[str, Any], database_url: str, step: str | None) -> None:
    steps, database = Steps(step), Database(database_url)
    watch_transactions(database, steps)
    broker: Any = Stepping(make_broker(kind, options), steps)
    consumer = EventConsumer(
        database=database,
        broker=broker,
        service="notification",
        handlers=[Handler(UserRegistered, welcome)],
        settings=ConsumerSettings(
            wait_seconds=0.1, attempts=2, first_backoff_seconds=0.02, longest_backoff_seconds=0.3,
            claim_seconds=0.1, claim_idle_seconds=0.5,
        ),
    )  # fmt: skip
    relay = OutboxRelay(
        engine=database.engine,
        broker=broker,
        service="user",
        settings=RelaySettings(
            batch_size=3, lease_seconds=1.5, poll_seconds=0.1, first_backoff_seconds=0.05, longest_backoff_seconds=0.3
        ),
    )
    await asyncio.gather(relay.run(), consumer.run())


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # steps are told on the other
    asyncio.run(main(**json.loads(sys.argv[1])))
