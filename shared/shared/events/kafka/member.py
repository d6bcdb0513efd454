"""One process's part in a consumer group."""

import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import errors as kafka_errors
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from shared.events.broker import BrokerUnavailableError, Delivery, NoSuchGroupError
from shared.events.kafka.cluster import Cluster, closed, started
from shared.events.kafka.message import decode

METADATA_SECONDS = 5  # how long a topic that was made anew goes unnoticed by whom it left without partitions

# The group gave the partition to another member meanwhile.
_DISPOSSESSED = (
    kafka_errors.CommitFailedError,
    kafka_errors.IllegalStateError,
    kafka_errors.IllegalGenerationError,
    kafka_errors.RebalanceInProgressError,
    kafka_errors.UnknownMemberIdError,
)


class Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Reads the partitions that the group assigns to it.

    Kafka counts no deliveries. The first one from a partition after it was assigned is counted in the metadata of the
    committed offset: who dies of it leaves the count to the next owner. From a partition that was left like this
    entries are delivered one at a time, so that only the one that ends processes is counted up to its burial.
    """

    def __init__(self, cluster: Cluster, *, streams: Sequence[str], group: str, member: str) -> None:
        self._cluster, self._member = cluster, member
        self._streams = {cluster.options.topic(stream): stream for stream in streams}
        self._group = cluster.options.group(group)
        self._consumer: AIOKafkaConsumer | None = None
        self._unmet: set[TopicPartition] = set()  # assigned, and nothing delivered from it yet
        self._cautious: dict[TopicPartition, int] = {}  # how many more to deliver singly
        self._delivered: dict[TopicPartition, int] = {}  # offset after the last delivery
        self._committed: dict[TopicPartition, int] = {}
        self._behind: dict[TopicPartition, int] = {}  # where more could be read, when nothing came
        self._behind_since = 0.0

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002 - all are, each time
        for memory in (self._cautious, self._delivered, self._committed):
            memory.clear()
        self._unmet.clear()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._unmet = set(assigned)

    async def read(self, *, count: int, wait_seconds: float) -> list[Delivery]:
        """New entries. Raises NoSuchGroupError if the group's offsets vanished, as they do with a deleted topic."""
        consumer = await self._joined()
        found = await consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=count)
        if not found:
            await self._look_around(consumer)
            return []
        commits = await self._cluster.commits(self._group, list(found))
        taken = [await self._take(each, found[each], commits[each], count=count) for each in found]
        return [delivery for deliveries in taken for delivery in deliveries]

    async def acknowledge(self, stream: str, positions: Sequence[str]) -> None:
        """Commit past these positions, except in partitions that belong to another member by now."""
        if self._consumer is None:
            return
        offsets: dict[TopicPartition, int] = {}
        for position in positions:
            number, offset = map(int, position.split(":"))
            partition = TopicPartition(self._cluster.options.topic(stream), number)
            offsets[partition] = max(offsets.get(partition, 0), offset + 1)
        for partition, after in offsets.items():
            if after > self._committed.get(partition, -1):
                await self._commit(partition, after)

    async def leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await closed(_stop(consumer))

    async def _take(
        self, partition: TopicPartition, records: list[ConsumerRecord], committed: OffsetAndMetadata, *, count: int
    ) -> list[Delivery]:
        if committed.offset < 0 and partition in self._committed:
            raise NoSuchGroupError(f"{partition.topic} lost what {self._group} had committed: it was made anew")
        attempt = 1
        owes = self._delivered.get(partition, -1) > self._committed.get(partition, -1)
        if partition in self._unmet or (partition in self._cautious and not owes):
            attempt = int(committed.metadata or 0) + 1
            if not await self._commit(partition, records[0].offset, attempt=attempt):
                return []
            self._unmet.discard(partition)
            if attempt > 1:
                self._cautious[partition] = count
        if partition in self._cautious:
            records = self._only_first(partition, records)
        self._delivered[partition] = records[-1].offset + 1
        stream = self._streams[partition.topic]
        places = [f"{partition.partition}:{record.offset}" for record in records]
        attempts = [attempt] + [1] * (len(records) - 1)
        return [Delivery(stream, *each) for each in zip(places, map(decode, records), attempts, strict=True)]

    def _only_first(self, partition: TopicPartition, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        self._cautious[partition] -= 1
        if not self._cautious[partition]:
            del self._cautious[partition]
        if len(records) > 1 and self._consumer is not None:
            self._consumer.seek(partition, records[1].offset)
        return records[:1]

    async def _commit(self, partition: TopicPartition, offset: int, *, attempt: int | None = None) -> bool:
        """Commit, with the number of the attempt that is about to be made; False if the partition is another's."""
        if self._consumer is None:
            return False
        try:
            await self._consumer.commit({partition: OffsetAndMetadata(offset, str(attempt or ""))})
        except _DISPOSSESSED:
            return False
        self._committed[partition] = offset
        return True

    async def _look_around(self, consumer: AIOKafkaConsumer) -> None:
        """Find out why nothing came: aiokafka tells neither that its broker is away nor that its own fetching died."""
        partitions = sorted(consumer.assignment())
        if not partitions:
            await self._cluster.ping()
            return
        ends = await self._cluster.ends(partitions)
        positions = {partition: await consumer.position(partition) for partition in partitions}
        await self._pass_what_is_no_entry(positions)
        behind = {each: positions[each] for each, end in zip(partitions, ends, strict=True) if end > positions[each]}
        if not behind or behind != self._behind:
            self._behind, self._behind_since = behind, time.monotonic()
        elif time.monotonic() - self._behind_since > self._cluster.options.session_seconds:
            raise BrokerUnavailableError(f"reading stands still at {behind}")

    async def _pass_what_is_no_entry(self, positions: dict[TopicPartition, int]) -> None:
        """Commit past transactions' markers, so that nothing seems to wait when everything is acknowledged."""
        for partition, position in positions.items():
            offset = self._committed.get(partition, position)
            owes_nothing = self._delivered.get(partition) == offset
            if owes_nothing and position > offset and await self._commit(partition, position):
                self._delivered[partition] = position

    async def _joined(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            options = self._cluster.options
            session_ms = int(options.session_seconds * 1000)
            consumer = AIOKafkaConsumer(
                client_id=f"{options.name}-{self._member}",
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                session_timeout_ms=session_ms,
                heartbeat_interval_ms=session_ms // 3,
                metadata_max_age_ms=METADATA_SECONDS * 1000,
                **options.connection,
            )
            self._consumer = await started(consumer, lambda: _stop(consumer))
            self._consumer.subscribe(list(self._streams), listener=self)
        return self._consumer


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.stop()
    finally:
        # Where a fetch fails while it stops, its connections and their upkeep would remain.
        await consumer._client.close()  # noqa: SLF001
