"""Both brokers in one shape, for tests that hold for either."""

import asyncio
import secrets
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.events.broker import Broker, BrokerUnavailableError
from shared.events.kafka import KafkaBroker, KafkaOptions
from shared.events.kafka.cluster import Cluster
from shared.events.kafka.message import decode
from shared.events.redis_streams import RedisBroker
from shared.testing.kafka import KafkaServer
from shared.testing.redis import RedisServer
from shared.testing.server import Server

LEADERS_SECONDS = 60


class Rig(Protocol):
    """A broker's server and what tests do with it."""

    @property
    def server(self) -> Server: ...

    def broker(self, name: str = "user-service") -> Broker:
        """A client, as a process of the service ``name`` has it."""
        ...

    async def entries(self, stream: str) -> list[dict[str, str]]:
        """What the stream holds; on Kafka partition by partition."""
        ...

    async def lose(self) -> None:
        """Lose all streams and what groups have acknowledged."""
        ...


class RedisRig:
    """Redis Streams. Use it after the server was flushed."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server

    def broker(self, name: str = "user-service") -> Broker:  # noqa: ARG002 - Redis does not care
        return RedisBroker(self.server.url)

    async def entries(self, stream: str) -> list[dict[str, str]]:
        from redis.asyncio import Redis

        async with Redis.from_url(self.server.url, decode_responses=True, protocol=2) as client:
            found: Any = await client.xrange(stream)
        return [fields for _, fields in found]

    async def lose(self) -> None:
        await self.server.flush()


class KafkaRig:
    """Kafka, under names of its own. One partition keeps the order of different subjects as Redis does."""

    def __init__(self, server: KafkaServer, *, partitions: int = 1) -> None:
        self.server = server
        self.prefix = f"test-{secrets.token_hex(4)}."
        self.partitions = partitions

    def options(self, name: str = "user-service") -> KafkaOptions:
        return KafkaOptions(
            self.server.servers, name, prefix=self.prefix, partitions=self.partitions, session_seconds=1.5
        )

    def broker(self, name: str = "user-service") -> Broker:
        return KafkaBroker(self.options(name))

    async def entries(self, stream: str) -> list[dict[str, str]]:
        parts, ends = await self._parts(self.options().topic(stream))
        if not parts:
            return []
        consumer = AIOKafkaConsumer(bootstrap_servers=self.server.servers, isolation_level="read_committed")
        consumer.assign(parts)
        found: dict[TopicPartition, list[dict[str, str]]] = {part: [] for part in parts}
        async with consumer:
            await consumer.seek_to_beginning()
            while any([await consumer.position(part) < end for part, end in zip(parts, ends, strict=True)]):
                for part, records in (await consumer.getmany(timeout_ms=100)).items():
                    found[part] += map(decode, records)
        return [entry for part in parts for entry in found[part]]

    async def _parts(self, topic: str) -> tuple[list[TopicPartition], list[int]]:
        """The topic's partitions and their ends, as soon as they have leaders: a started broker answers before."""
        cluster = Cluster(self.options())
        try:
            async with asyncio.timeout(LEADERS_SECONDS):
                while True:
                    try:
                        parts = await cluster.partitions(topic)
                        return parts, list(await cluster.ends(parts)) if parts else []
                    except (KafkaError, BrokerUnavailableError):
                        await cluster.aclose()
        finally:
            await cluster.aclose()

    async def lose(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.server.servers)
        await admin.start()
        try:
            topics = [name for name in await admin.list_topics() if name.startswith(self.prefix)]
            if topics:
                await admin.delete_topics(topics)
            while set(topics) & set(await admin.list_topics()):  # noqa: ASYNC110 - Kafka sets no asyncio.Event
                await asyncio.sleep(0.02)
        finally:
            await admin.close()
