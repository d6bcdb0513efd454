"""Publish to and consume from Kafka."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.events.broker import BrokerUnavailableError, Delivery, StreamBehindError, Trimmed
from shared.events.kafka.cluster import ANSWER_TIMEOUT_SECONDS, Cluster, KafkaOptions, closed, started, translated
from shared.events.kafka.member import Member
from shared.events.kafka.message import encode

SEPARATOR = ","


class KafkaBroker:
    """The port over Kafka 2.5 or newer.

    A position that ``append`` answers tells how far each partition reached with the entry (``12,7,33``); one that
    ``read`` delivers names partition and offset (``1:6``). Batches are transactions: all of it or nothing, and a
    process that was taken for dead can append no more. Retention is the topic's.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._cluster = Cluster(options)
        self._members: dict[str, Member] = {}
        self._producer: AIOKafkaProducer | None = None
        self._appending = asyncio.Lock()

    async def aclose(self) -> None:
        await self._drop_producer()
        for group in list(self._members):
            await self._members.pop(group).leave()
        await self._cluster.aclose()

    async def ping(self) -> None:
        async with self._asking():
            await self._cluster.ping()

    async def append(
        self,
        stream: str,
        entries: Sequence[Mapping[str, str]],
        *,
        after: str | None = None,
        keep_seconds: int | None = None,  # noqa: ARG002 - the topic's retention decides
    ) -> list[str]:
        topic = self._options.topic(stream)
        async with self._appending, self._asking():
            partitions = await self._cluster.partitions(topic)
            ends = await self._cluster.ends(partitions) if partitions else []
            if after is not None and not _has_reached(ends, after):
                raise StreamBehindError(stream, expected=after, found=_text(ends))
            if not entries:
                return []
            if not partitions:
                ends = [0] * len(await self._cluster.create(topic))
            return [_reached(ends, each) for each in await self._send(topic, entries)]

    async def trim(self, stream: str, *, keep_seconds: int, abandon_seconds: int) -> Trimmed:  # noqa: ARG002 - as above
        return Trimmed()

    async def subscribe(self, stream: str, group: str) -> None:  # noqa: ARG002 - Kafka makes a group by itself
        topic = self._options.topic(stream)
        async with self._asking():
            if not await self._cluster.partitions(topic):
                await self._cluster.create(topic)

    async def read(
        self, streams: Sequence[str], *, group: str, member: str, count: int, wait_seconds: float
    ) -> list[Delivery]:
        if group not in self._members:
            self._members[group] = Member(self._cluster, streams=streams, group=group, member=member)
        try:
            async with self._asking(seconds=wait_seconds + ANSWER_TIMEOUT_SECONDS):
                return await self._members[group].read(count=count, wait_seconds=wait_seconds)
        except BaseException:
            # It may have moved past entries that nobody got: the next one begins at what was committed.
            await self._members.pop(group).leave()
            raise

    async def claim(self, stream: str, *, group: str, member: str, idle_seconds: float, count: int) -> list[Delivery]:  # noqa: ARG002
        return []  # partitions of a dead member are assigned to others, whose `read` begins at what it had committed

    async def acknowledge(self, stream: str, group: str, positions: Sequence[str]) -> None:
        if group in self._members:
            async with self._asking():
                await self._members[group].acknowledge(stream, positions)

    async def waiting(self, stream: str, group: str) -> int:
        async with self._asking():
            return await self._cluster.waiting(self._options.topic(stream), self._options.group(group))

    async def leave(self, stream: str, group: str, member: str) -> None:  # noqa: ARG002 - it leaves all streams at once
        if found := self._members.pop(group, None):
            await found.leave()

    async def forget_absent(self, stream: str, group: str, *, idle_seconds: float) -> None:
        """Kafka does so itself."""

    async def _send(self, topic: str, entries: Sequence[Mapping[str, str]]) -> list[Any]:
        """Where each entry is now."""
        try:
            if self._producer is None:
                self._producer = await self._new_producer()
            async with self._producer.transaction():
                sent = []
                for entry in entries:
                    key, value, headers = encode(entry)
                    sent.append(await self._producer.send(topic, value, key=key, headers=headers))
                return [await each for each in sent]
        except BaseException:
            # Fenced, or with a transaction of unknown outcome: the next one begins by ending that transaction.
            await self._drop_producer()
            raise

    async def _new_producer(self) -> AIOKafkaProducer:
        options = self._options
        producer = AIOKafkaProducer(
            client_id=f"{options.name}-producer",
            transactional_id=f"{options.prefix}smartcourse.{options.name}",
            transaction_timeout_ms=int(ANSWER_TIMEOUT_SECONDS * 1000),
            acks="all",
            **options.connection,
        )
        return await started(producer, producer.stop)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await closed(producer.stop())

    @asynccontextmanager
    async def _asking(self, *, seconds: float = ANSWER_TIMEOUT_SECONDS) -> AsyncIterator[None]:
        """Errors as the port has them; after a failure the cluster is looked for anew."""
        try:
            async with translated(seconds=seconds):
                yield
        except BrokerUnavailableError:
            await self._cluster.aclose()
            raise


def _has_reached(ends: Sequence[int], position: str) -> bool:
    numbers = position.split(SEPARATOR)
    if not all(number.isdigit() for number in numbers) or len(numbers) > len(ends):
        return False
    return all(end >= int(number) for end, number in zip(ends, numbers, strict=False))


def _reached(ends: list[int], placed: Any) -> str:
    """Note in ``ends`` that an entry was placed; the position that the stream reached with it."""
    ends[placed.partition] = max(ends[placed.partition], placed.offset + 1)
    return _text(ends)


def _text(ends: Sequence[int]) -> str:
    return SEPARATOR.join(map(str, ends))
