"""The broker that the settings name."""

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from shared.config.settings import BrokerSettings
from shared.events.broker import Broker
from shared.events.envelope import STREAM_PREFIX
from shared.events.kafka import KafkaBroker, KafkaOptions
from shared.events.redis_streams import RedisBroker


def make_broker(settings: BrokerSettings) -> Broker:
    """The broker for one process; it connects when it is first used."""
    redis = RedisBroker(settings.redis_url.get_secret_value())
    return KafkaBesideRedis(kafka_options(settings), redis) if settings.events_broker == "kafka" else redis


def kafka_options(settings: BrokerSettings) -> KafkaOptions:
    """Kafka's part of the settings, which must be complete."""
    return KafkaOptions(
        bootstrap_servers=settings.kafka_bootstrap_servers or "",
        name=settings.service_name,
        prefix=settings.kafka_prefix,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
        retention_seconds=settings.kafka_retention_hours * 3600,
        security=_security(settings),
    )


def _security(settings: BrokerSettings) -> dict[str, Any]:
    protocol = settings.kafka_protocol
    security: dict[str, Any] = {"security_protocol": protocol.upper()}
    if protocol.endswith("ssl"):
        security["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if protocol.startswith("sasl_") and settings.kafka_password is not None:
        security |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return security


class KafkaBesideRedis(KafkaBroker):
    """Kafka for events. Other streams, such as the gateway's of revocations, are read from Redis by whoever needs
    them, whatever carries the events."""

    def __init__(self, options: KafkaOptions, redis: RedisBroker) -> None:
        super().__init__(options)
        self._redis = redis

    async def append(
        self,
        stream: str,
        entries: Sequence[Mapping[str, str]],
        *,
        after: str | None = None,
        keep_seconds: int | None = None,
    ) -> list[str]:
        append = super().append if stream.startswith(STREAM_PREFIX) else self._redis.append
        return await append(stream, entries, after=after, keep_seconds=keep_seconds)

    async def aclose(self) -> None:
        await super().aclose()
        await self._redis.aclose()
