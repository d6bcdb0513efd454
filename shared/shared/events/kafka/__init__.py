"""The broker port over Apache Kafka. ADR 0012 says how it keeps the port's promises."""

from shared.events.kafka.broker import KafkaBroker
from shared.events.kafka.cluster import KafkaOptions

__all__ = ["KafkaBroker", "KafkaOptions"]
