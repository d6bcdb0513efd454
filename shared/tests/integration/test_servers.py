"""The servers that all members' tests run."""

import asyncio
import socket
import subprocess
import sys
import time

import asyncpg
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from shared.testing.brokers import KafkaRig
from shared.testing.processes import Process, ServerError, program


async def test_each_service_logs_in_to_postgres_with_its_own_role(postgres_server):
    for service in ("user", "course", "notification"):
        connection = await asyncpg.connect(postgres_server.url(service))
        assert await connection.fetchval("SELECT current_user") == f"{service}_a"
        await connection.close()


async def test_redis_asks_for_its_password_and_remembers_until_flushed(redis_server):
    async with Redis.from_url(redis_server.url) as client:
        await client.set("key", "value")
        await redis_server.flush()
        assert await client.get("key") is None


async def test_mongodb_knows_the_user_of_the_course_service(mongo_server):
    async with AsyncMongoClient(mongo_server.url) as client:
        await client.smartcourse.things.insert_one({"_id": 1})
        assert await client.smartcourse.things.count_documents({}) == 1
    await mongo_server.drop_database()


async def test_an_emptied_database_begins_ids_at_1_again(things) -> None:
    for _ in range(2):
        await things.truncate()
        connection = await asyncpg.connect(things.url("user"))
        assert await connection.fetchval("INSERT INTO things (name) VALUES ('x') RETURNING id") == 1
        await connection.close()


async def test_databases_of_two_members_do_not_mix(postgres_server, fresh) -> None:
    other = await postgres_server.fresh_database()
    assert other.name != fresh.name
    connection = await asyncpg.connect(fresh.admin_url)
    await connection.execute("CREATE TABLE only_here ()")
    await connection.close()
    connection = await asyncpg.connect(other.admin_url)
    assert await connection.fetchval("SELECT to_regclass('only_here')") is None
    await connection.close()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_server_does_not_outlive_a_test_run_that_is_killed() -> None:
    program = "from shared.testing.servers import RedisServer; s = RedisServer(); print(s.port, flush=True); input()"
    run = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = int(run.stdout.readline())
    with socket.create_connection(("127.0.0.1", port)):
        run.kill()
    run.communicate()
    deadline = time.monotonic() + 10
    while is_listening(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_that_is_not_installed_is_named_with_its_package() -> None:
    with pytest.raises(ServerError, match="apt-get install some-package"):
        program("no-such-program", package="some-package")


def test_a_server_that_does_not_start_shows_its_log(tmp_path) -> None:
    process = Process(["/bin/sh", "-c", "echo the port is taken; exit 3"], log=tmp_path / "log")
    with pytest.raises(ServerError, match="the port is taken"):
        process.wait_until(lambda: False)


async def test_kafka_keeps_what_it_acknowledged_when_it_is_killed(kafka_server):
    rig = KafkaRig(kafka_server)
    broker = rig.broker()
    await broker.append("smartcourse:events:user", [{"event": "{}"}] * 50)
    await broker.aclose()
    await asyncio.to_thread(kafka_server.kill)
    await asyncio.to_thread(kafka_server.start)
    assert len(await rig.entries("smartcourse:events:user")) == 50
