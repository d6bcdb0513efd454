"""What the broker asks Kafka about topics, offsets and groups."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from shared.events.broker import BrokerError, BrokerUnavailableError
from shared.events.cancellation import kept_cancellation

ANSWER_TIMEOUT_SECONDS = 8.0
CLOSE_TIMEOUT_SECONDS = 2.0
LEADER_POLL_SECONDS = 0.05
DAY_SECONDS = 86_400

UNKNOWN_TOPIC, LEADER_NOT_AVAILABLE, TOPIC_EXISTS = 3, 5, 36

# What does not pass by itself.
_LASTING = (
    kafka_errors.AuthenticationFailedError,
    kafka_errors.AuthenticationMethodNotSupported,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.SaslAuthenticationFailed,
    kafka_errors.TopicAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailed,
    kafka_errors.UnsupportedSaslMechanismError,
)


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to reach the cluster and what to make in it.

    ``name`` is the service's: its processes share one transactional id. ``prefix`` goes before the names of topics,
    groups and transactional ids, so that several installations can share a cluster. ``replication`` -1 is the
    cluster's default. ``session_seconds``: a member not heard of for so long is dead. ``security`` holds aiokafka's
    arguments for TLS and SASL.
    """

    bootstrap_servers: str
    name: str
    prefix: str = ""
    partitions: int = 3
    replication: int = -1
    retention_seconds: int = 7 * DAY_SECONDS
    session_seconds: float = 10.0
    security: Mapping[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> dict[str, Any]:
        """Arguments of each of aiokafka's clients."""
        return {"bootstrap_servers": self.bootstrap_servers, "request_timeout_ms": 5000, **self.security}

    def topic(self, stream: str) -> str:
        """``smartcourse:events:course`` is the topic ``smartcourse.events.course``."""
        return self.prefix + stream.replace(":", ".")

    def group(self, name: str) -> str:
        return f"{self.prefix}smartcourse.{name}"


class Cluster:
    """Questions to the cluster, asked over two clients that are made when they are needed and anew after a failure."""

    def __init__(self, options: KafkaOptions) -> None:
        self.options = options
        self._lock = asyncio.Lock()
        self._admin: AIOKafkaAdminClient | None = None
        self._inspector: AIOKafkaConsumer | None = None

    async def aclose(self) -> None:
        """Close the clients; the next question makes others."""
        admin, inspector, self._admin, self._inspector = self._admin, self._inspector, None, None
        await closed(*([admin.close()] if admin else []), *([inspector.stop()] if inspector else []))

    async def ping(self) -> None:
        await (await self._administrator()).describe_topics([])

    async def partitions(self, topic: str) -> list[TopicPartition]:
        """The topic's partitions by number, none if there is no such topic."""
        [found] = await (await self._administrator()).describe_topics([topic])
        if found["error_code"] == UNKNOWN_TOPIC:
            return []
        leaderless = [part for part in found["partitions"] if part["leader"] < 0]
        if found["error_code"] == LEADER_NOT_AVAILABLE or leaderless:
            raise BrokerUnavailableError(f"topic {topic} has partitions without a leader")
        if found["error_code"]:
            raise kafka_errors.for_code(found["error_code"])(f"topic {topic}")
        return [TopicPartition(topic, number) for number in sorted(part["partition"] for part in found["partitions"])]

    async def create(self, topic: str) -> list[TopicPartition]:
        """Make the topic, unless somebody does so meanwhile; return its partitions once they have leaders."""
        options = self.options
        wanted = NewTopic(
            topic,
            options.partitions,
            options.replication,
            replica_assignments={} if options.replication < 0 else None,
            topic_configs={"retention.ms": str(options.retention_seconds * 1000), "cleanup.policy": "delete"},
        )
        answer = await (await self._administrator()).create_topics([wanted])
        for name, code, message in answer.topic_errors:
            if code not in {0, TOPIC_EXISTS}:
                raise kafka_errors.for_code(code)(f"topic {name} could not be made: {message}")
        while True:
            with suppress(BrokerUnavailableError):
                if found := await self.partitions(topic):
                    return found
            await asyncio.sleep(LEADER_POLL_SECONDS)

    async def ends(self, partitions: Sequence[TopicPartition]) -> list[int]:
        """Of each partition the offset that its next message gets."""
        found = await (await self._looker()).end_offsets(list(partitions))
        return [found[partition] for partition in partitions]

    async def commits(
        self, group: str, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What the group has committed for each; the offset is -1 where it has not."""
        nothing = OffsetAndMetadata(-1, "")
        found = await (await self._administrator()).list_consumer_group_offsets(group, partitions=list(partitions))
        return {partition: found.get(partition, nothing) for partition in partitions}

    async def waiting(self, topic: str, group: str) -> int:
        """How many offsets lie between what the group has committed and the topic's end; markers of transactions, of
        which each batch leaves one or a few, are among them."""
        partitions = await self.partitions(topic)
        if not partitions:
            return 0
        ends, commits = await self.ends(partitions), await self.commits(group, partitions)
        begins = await (await self._looker()).beginning_offsets(partitions)
        spans = zip(partitions, ends, strict=True)
        return sum(max(0, end - max(begins[each], commits[each].offset)) for each, end in spans)

    async def _administrator(self) -> AIOKafkaAdminClient:
        async with self._lock:
            if self._admin is None:
                admin = AIOKafkaAdminClient(client_id=f"{self.options.name}-admin", **self.options.connection)
                self._admin = await started(admin, admin.close)
            return self._admin

    async def _looker(self) -> AIOKafkaConsumer:
        async with self._lock:
            if self._inspector is None:
                inspector = AIOKafkaConsumer(client_id=f"{self.options.name}-inspector", **self.options.connection)
                self._inspector = await started(inspector, inspector.stop)
            return self._inspector


async def started(client: Any, close: Callable[[], Awaitable[None]]) -> Any:
    """Start one of aiokafka's clients; one that does not start is closed."""
    try:
        await client.start()
    except BaseException:
        await closed(close())
        raise
    return client


async def closed(*closing: Awaitable[None]) -> None:
    """Wait a short while for clients to close. With the server away they need their time-outs for it: they may go on
    in the background, and their failures are of no interest."""
    tasks = [asyncio.ensure_future(each) for each in closing]
    for task in tasks:
        _closing.add(task)
        task.add_done_callback(_forget)
    if tasks:
        await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT_SECONDS)


_closing: set[asyncio.Future[None]] = set()  # the loop itself would let go of them


def _forget(task: asyncio.Future[None]) -> None:
    _closing.discard(task)
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def translated(*, seconds: float = ANSWER_TIMEOUT_SECONDS) -> AsyncIterator[None]:
    """Errors of aiokafka as errors of the port, all of it within ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            with kept_cancellation():
                yield
    except _LASTING as error:
        raise BrokerError(f"{type(error).__name__}: {error}") from error
    except (kafka_errors.KafkaError, OSError) as error:  # TimeoutError is an OSError
        raise BrokerUnavailableError(f"{type(error).__name__}: {error}".removesuffix(": ")) from error
