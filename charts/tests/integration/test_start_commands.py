"""What pods run at their start, taken from the rendered objects and run here on real servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError

from shared.testing.processes import free_port, program
from shared.testing.servers import PostgresServer

Document = dict[str, Any]
Render = Callable[..., list[Document]]


def container(objects: list[Document], owner: str, name: str) -> Document:
    """The container `name` of what is called `owner`, or `owner-<hash>`."""
    for each in objects:
        if each["kind"] in {"StatefulSet", "Job"} and each["metadata"]["name"].startswith(owner):
            pod = each["spec"]["template"]["spec"]
            for found in [*pod.get("initContainers", []), *pod["containers"]]:
                if found["name"] == name:
                    return dict(found)
    raise LookupError(f"{owner} has no container {name}")


@pytest.fixture
def waiting(render: Render, postgres_server: PostgresServer) -> Callable[[str, str], subprocess.Popen[str]]:
    """Start the container that waits for the database before a service's migration."""

    def start(service: str, url: str) -> subprocess.Popen[str]:
        found = container(render(), f"academy-{service}-migrate", "wait-for-database")
        query = next(each["value"] for each in found["env"] if each["name"] == "WAIT_FOR")
        environment = os.environ | {"DATABASE_URL": url, "WAIT_FOR": query}
        return subprocess.Popen(
            [sys.executable, "-c", *found["args"]], env=environment, stderr=subprocess.PIPE, text=True
        )

    return start


async def test_a_migration_waits_until_its_role_exists(
    waiting: Callable[[str, str], subprocess.Popen[str]], postgres_server: PostgresServer
) -> None:
    process = waiting("user", postgres_server.url("user", database="later"))
    await asyncio.sleep(1.5)
    assert process.poll() is None, "the database is not there yet"
    await asyncio.to_thread(postgres_server.provision, "later")
    assert await asyncio.to_thread(process.wait, 20) == 0


async def test_courses_migration_waits_until_it_may_refer_to_users(
    waiting: Callable[[str, str], subprocess.Popen[str]], postgres_server: PostgresServer
) -> None:
    await asyncio.to_thread(postgres_server.provision, "refer")
    process = waiting("course", postgres_server.url("course", database="refer"))
    user = await asyncpg.connect(postgres_server.url("user", database="refer"))
    try:
        await user.execute("SET ROLE user_owner; CREATE TABLE users (id int PRIMARY KEY)")
        await asyncio.sleep(1.5)
        assert process.poll() is None, "nothing is granted yet"
        await user.execute("GRANT REFERENCES (id) ON users TO course_owner")
    finally:
        await user.close()
    assert await asyncio.to_thread(process.wait, 20) == 0


def test_redis_starts_with_its_password_which_its_arguments_do_not_show(
    render: Render, charts: Path, tmp_path: Path
) -> None:
    password, port = r"""pa"ss\wo'rd $x #1""", free_port()
    [script] = container(render(), "academy-redis", "redis")["args"]
    [mounted] = [each for each in render() if each["metadata"]["name"] == "academy-redis-config"]
    (tmp_path / "redis.conf").write_text(
        mounted["data"]["redis.conf"].replace("dir /data", f"dir {tmp_path}").replace("port 6379", f"port {port}")
    )
    script = script.replace("/etc/redis-config", str(tmp_path)).replace("/tmp/redis.conf", f"{tmp_path}/made.conf")
    program("redis-server", package="redis-server")
    process = subprocess.Popen(
        ["sh", "-ec", script], env=os.environ | {"REDIS_PASSWORD": password}, stdout=subprocess.DEVNULL
    )
    try:
        client = Redis(port=port, password=password, socket_timeout=5, decode_responses=True)
        wait_for(client)
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("appendonly")["appendonly"] == "yes"
        with pytest.raises(AuthenticationError):
            Redis(port=port, socket_timeout=5).ping()
        assert password not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert (tmp_path / "made.conf").stat().st_mode & 0o077 == 0
        assert b"redis-server" in Path(f"/proc/{process.pid}/cmdline").read_bytes(), "signals must reach the server"
    finally:
        process.terminate()
        assert process.wait(20) == 0


def wait_for(client: Redis) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
        except RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
