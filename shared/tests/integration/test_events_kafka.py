"""What only Kafka does: partitions, transactions, groups, security; and events switched to it from Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import SecretStr

from shared.config.settings import BrokerSettings
from shared.database import Database
from shared.events.broker import (
    Broker,
    BrokerError,
    BrokerUnavailableError,
    Delivery,
    NoSuchGroupError,
    StreamBehindError,
)
from shared.events.brokers import make_broker
from shared.events.envelope import Event
from shared.events.outbox import EVENT_FIELD, add, add_stream_entry, outbox_tables
from shared.events.relay import OutboxRelay, RelaySettings
from shared.events.user import UserRegistered
from shared.testing.brokers import KafkaRig, RedisRig
from shared.testing.kafka import USER
from shared.testing.servers import KafkaServer, PostgresServer, RedisServer

STREAM = UserRegistered.event_type.stream
GROUP = "notification"
PARTITIONS = 3

metadata = sa.MetaData()
outbox, _ = outbox_tables(metadata, "user")


@pytest.fixture
def rig(kafka_server: KafkaServer) -> KafkaRig:
    return KafkaRig(kafka_server, partitions=PARTITIONS)


@pytest.fixture
async def broker(rig: KafkaRig) -> AsyncIterator[Broker]:
    broker = rig.broker()
    yield broker
    await broker.aclose()


@pytest.fixture
async def consumer(rig: KafkaRig) -> AsyncIterator[Broker]:
    """A client of the service that consumes."""
    consumer = rig.broker("notification-service")
    await consumer.subscribe(STREAM, GROUP)
    yield consumer
    await consumer.aclose()


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    database = Database((await postgres_server.fresh_database()).url("user"))
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield database
    await database.dispose()


def registration(user_id: int) -> Event[UserRegistered]:
    return Event.of(UserRegistered(user_id=user_id, email=f"{user_id}@x.example", full_name="N", role="student"))


def entries(*user_ids: int) -> list[dict[str, str]]:
    return [{EVENT_FIELD: registration(user_id).model_dump_json()} for user_id in user_ids]


def user_of(fields: Any) -> int:
    return Event[UserRegistered].model_validate_json(fields[EVENT_FIELD]).data.user_id


async def take(broker: Broker, count: int, *, member: str = "m", at_once: int = 100) -> list[Delivery]:
    """Read until there are so many."""
    found: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            with suppress(BrokerUnavailableError):  # the first group's coordinator takes its time
                found += await broker.read([STREAM], group=GROUP, member=member, count=at_once, wait_seconds=0.2)
    return found


async def settings_of(rig: KafkaRig, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=rig.server.servers)
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    return {name: value for name, value, *_ in answer.resources[0][4]}


async def test_events_of_one_subject_keep_their_order_over_several_partitions(broker: Broker, rig: KafkaRig) -> None:
    for _ in range(3):
        await broker.append(STREAM, [{**each, "n": str(n)} for n, each in enumerate(entries(*range(1, 10)), start=1)])
    by_user: dict[int, list[str]] = {}
    for fields in await rig.entries(STREAM):
        by_user.setdefault(user_of(fields), []).append(fields["n"])
    assert by_user == {user_id: [str(user_id)] * 3 for user_id in range(1, 10)}


async def test_a_topic_is_made_with_its_partitions_and_retention(broker: Broker, rig: KafkaRig) -> None:
    [position] = await broker.append(STREAM, entries(1))
    assert len(position.split(",")) == PARTITIONS
    topic = rig.options().topic(STREAM)
    assert topic == f"{rig.prefix}smartcourse.events.user"
    assert (await settings_of(rig, topic))["retention.ms"] == str(7 * 86_400_000)


async def test_a_position_tells_how_far_every_partition_reached(broker: Broker, rig: KafkaRig) -> None:
    *_, last = await broker.append(STREAM, entries(*range(1, 21)))
    await broker.append(STREAM, [], after=last)
    for behind in ("1000,0,0", "0,0,1000", "0,0,0,1", "1790000000000-0"):
        with pytest.raises(StreamBehindError):
            await broker.append(STREAM, entries(21), after=behind)
    await rig.lose()
    with pytest.raises(StreamBehindError, match="ends at nothing"):
        await broker.append(STREAM, [], after=last)


async def test_a_batch_that_fails_leaves_nothing_of_itself(broker: Broker, rig: KafkaRig) -> None:
    await broker.append(STREAM, entries(1))
    too_large = {EVENT_FIELD: "x" * 2_000_000}
    with pytest.raises(BrokerError):
        await broker.append(STREAM, [*entries(2, 3), too_large])
    await broker.append(STREAM, entries(4))
    assert sorted(map(user_of, await rig.entries(STREAM))) == [1, 4]


async def test_whoever_was_taken_for_dead_appends_no_more_but_may_begin_anew(rig: KafkaRig, broker: Broker) -> None:
    await broker.append(STREAM, entries(1))
    successor = rig.broker()
    await successor.append(STREAM, entries(2))
    with pytest.raises(BrokerUnavailableError):
        await broker.append(STREAM, entries(3))
    await broker.append(STREAM, entries(4))
    await successor.aclose()
    assert sorted(map(user_of, await rig.entries(STREAM))) == [1, 2, 4]


async def test_two_members_share_the_partitions_and_one_takes_over_the_others(
    broker: Broker, rig: KafkaRig, consumer: Broker, eventually: Any
) -> None:
    other = rig.broker("notification-service")
    seen: dict[str, set[int]] = {"first": set(), "second": set()}

    async def read(of: Broker, member: str) -> None:
        with suppress(BrokerUnavailableError):
            got = await of.read([STREAM], group=GROUP, member=member, count=10, wait_seconds=0.2)
            await of.acknowledge(STREAM, GROUP, [each.position for each in got])
            seen[member] |= {user_of(each.fields) for each in got}

    async def both_have_some() -> bool:
        await broker.append(STREAM, entries(*range(1, 13)))
        await asyncio.gather(read(consumer, "first"), read(other, "second"))
        return all(seen.values())

    async def the_rest_has_all() -> bool:
        await read(consumer, "first")
        return seen["first"] == set(range(1, 13))

    await eventually(both_have_some)
    await other.aclose()
    seen["first"].clear()
    await broker.append(STREAM, entries(*range(1, 13)))
    await eventually(the_rest_has_all)


async def test_only_the_entry_that_ends_processes_is_counted(broker: Broker, rig: KafkaRig) -> None:
    await broker.append(STREAM, [{EVENT_FIELD: registration(7).model_dump_json()} for _ in range(6)])
    counted = []
    for member in map(str, range(6)):  # each settles what is harmless and dies of the fourth
        victim = rig.broker("notification-service")
        alive = True
        while alive:
            for delivery in await take(victim, 1, member=member):
                if delivery.position.endswith(":3"):
                    counted.append(delivery.attempt)
                    alive = False
                    break
                await victim.acknowledge(STREAM, GROUP, [delivery.position])
        await victim.aclose()
    assert counted == [1, 1, 2, 3, 4, 5], "of the first time nobody could know"
    last = rig.broker("notification-service")
    [poison] = await take(last, 1)
    await last.acknowledge(STREAM, GROUP, [poison.position])
    rest = [*await take(last, 1), *await take(last, 1)]
    await last.aclose()
    assert [each.attempt for each in rest] == [1, 1]


async def test_acknowledged_entries_are_not_delivered_again_and_others_are(
    broker: Broker, rig: KafkaRig, consumer: Broker
) -> None:
    await broker.append(STREAM, [{EVENT_FIELD: registration(7).model_dump_json()} for _ in range(5)])
    deliveries = await take(consumer, 5)
    await consumer.acknowledge(STREAM, GROUP, [each.position for each in deliveries[:2]])
    await consumer.leave(STREAM, GROUP, "m")
    await consumer.acknowledge(STREAM, GROUP, [deliveries[4].position])  # not its own any more
    again = await take(consumer, 3)
    assert [each.position for each in again] == [each.position for each in deliveries[2:]]


async def test_a_member_notices_that_its_topic_was_made_anew_before_it_misses_entries(
    broker: Broker, rig: KafkaRig, consumer: Broker
) -> None:
    await broker.append(STREAM, entries(*[7] * 5))
    await consumer.acknowledge(STREAM, GROUP, [each.position for each in await take(consumer, 5)])
    await rig.lose()
    await broker.append(STREAM, entries(*[7] * 9))  # it has more than the member has read of the old one

    found: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(found) < 9:
            with suppress(NoSuchGroupError, BrokerUnavailableError):
                found += await consumer.read([STREAM], group=GROUP, member="m", count=100, wait_seconds=0.2)
    assert [int(each.position.split(":")[1]) for each in found] == list(range(9))


async def test_what_anybody_put_into_the_topic_can_be_read(rig: KafkaRig, broker: Broker, consumer: Broker) -> None:
    from aiokafka import AIOKafkaProducer

    async with AIOKafkaProducer(bootstrap_servers=rig.server.servers) as stranger:
        topic = rig.options().topic(STREAM)
        await stranger.send_and_wait(topic, b"\xff\xfe", headers=[("why", b"\xff"), ("none", None)])
        await stranger.send_and_wait(topic, None, key=b"tombstone")
    found = [each.fields for each in await take(consumer, 2)]
    assert {EVENT_FIELD: "\ufffd\ufffd", "why": "\ufffd"} in found
    assert {} in found


async def test_events_go_over_tls_with_a_password(kafka_server: KafkaServer, rig: KafkaRig) -> None:
    def settings(password: str) -> BrokerSettings:
        return BrokerSettings(
            service_name="user-service",
            redis_url=SecretStr("redis://localhost"),
            events_broker="kafka",
            kafka_bootstrap_servers=kafka_server.secure_servers,
            kafka_sasl_mechanism="PLAIN",
            kafka_username=USER,
            kafka_password=SecretStr(password),
            kafka_ca_file=kafka_server.ca_file,
            kafka_prefix=rig.prefix,
        )

    broker = make_broker(settings(kafka_server.password))
    await broker.append(STREAM, entries(1))
    await broker.aclose()
    assert [user_of(fields) for fields in await rig.entries(STREAM)] == [1]
    stranger = make_broker(settings("wrong"))
    with pytest.raises(BrokerError):
        await stranger.ping()
    await stranger.aclose()


async def test_revocations_stay_on_redis_and_events_switched_to_kafka_are_published_there_again(
    database: Database, kafka_server: KafkaServer, redis_server: RedisServer, rig: KafkaRig, eventually: Any
) -> None:
    await redis_server.flush()
    redis = RedisRig(redis_server)

    def broker(kind: str) -> Broker:
        return make_broker(
            BrokerSettings(
                service_name="user-service",
                redis_url=SecretStr(redis_server.url),
                events_broker=kind,
                kafka_bootstrap_servers=kafka_server.servers,
                kafka_prefix=rig.prefix,
            )
        )

    async def is_published() -> bool:
        async with database.read() as session:
            return not await session.scalar(sa.select(sa.func.count()).where(outbox.c.published_at.is_(None)))

    async def publish(kind: str, *, expected: int, held: KafkaRig | RedisRig) -> None:
        async def is_there() -> bool:
            return await is_published() and len(await held.entries(STREAM)) == expected

        using = broker(kind)
        relay = OutboxRelay(
            engine=database.engine, broker=using, service="user", settings=RelaySettings(poll_seconds=0.1)
        )
        task = asyncio.create_task(relay.run())
        await eventually(is_there)
        task.cancel()
        await asyncio.wait([task])
        await using.aclose()

    async with database.begin() as session:
        await add(session, registration(1))
        await add_stream_entry(session, service="user", stream="smartcourse:revocations", fields={"sids": "a"})
    await publish("redis", expected=1, held=redis)
    async with database.begin() as session:
        await add(session, registration(2))
        await add_stream_entry(session, service="user", stream="smartcourse:revocations", fields={"sids": "b"})
    await publish("kafka", expected=2, held=rig)
    assert sorted(map(user_of, await rig.entries(STREAM))) == [1, 2]
    assert await redis.entries("smartcourse:revocations") == [{"sids": "a"}, {"sids": "b"}]
    await publish("redis", expected=3, held=redis)  # and back: what Redis has not seen, and what it has
