"""A pytest plugin: real servers on loopback, each started when a test first asks for it, once a session.

    # tests/conftest.py
    pytest_plugins = ["shared.testing.servers"]

    @pytest.fixture(scope="session")
    async def database(postgres_server):
        return await postgres_server.fresh_database("user")

    @pytest.fixture(autouse=True)
    async def _empty(database):
        await database.truncate()

``fresh_database`` gives each member a database of its own, so that the tests of all members run in one session too.
A server that is not installed fails the tests that need it, naming the package: nothing is skipped.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.testing.kafka import KafkaServer
from shared.testing.mongodb import MongoServer
from shared.testing.postgres import PostgresServer, TestDatabase
from shared.testing.processes import ServerError
from shared.testing.redis import RedisServer

__all__ = ["KafkaServer", "MongoServer", "PostgresServer", "RedisServer", "ServerError", "TestDatabase"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """PostgreSQL 15 with the database ``smartcourse`` and its roles."""
    with closing(PostgresServer()) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Redis 7 with a password, empty."""
    with closing(RedisServer()) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """A server of MongoDB's wire protocol with the users ``root`` and ``course``."""
    with closing(MongoServer()) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[KafkaServer]:
    """Kafka 4 without topics, which it does not make by itself."""
    with closing(KafkaServer()) as server:
        yield server
