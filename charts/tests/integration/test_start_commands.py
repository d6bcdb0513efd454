"""What pods run at their start, taken from the rendered objects and run here on real servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

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
