"""Accounts that an installation starts with."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from shared.database import Database
from shared.testing.servers import TestDatabase
from shared.utils.datetime import SystemClock
from shared.utils.hashing import verify_password
from user_service.events.producer import AccountProducer
from user_service.seed.accounts import AddressTakenError, Seeder
from user_service.services.account import AccountService

ADMIN = {"email": "admin@academy.local", "password": SecretStr("the first password")}


@pytest.fixture
async def seeder(service: Any, database: TestDatabase) -> AsyncIterator[Seeder]:
    connected = Database(database.url("user"))
    yield Seeder(database=connected, accounts=AccountService(publisher=AccountProducer(), clock=SystemClock()))
    await connected.dispose()


async def test_the_administrator_is_made_and_can_log_in(seeder: Seeder, service: Any) -> None:
    assert await seeder.ensure_admin(**ADMIN) is True
    credentials = {"email": "admin@academy.local", "password": "the first password"}
    answer = await service.call("POST", "/api/auth/login", json=credentials)
    assert service.claims(answer.json()["access_token"])["role"] == "admin"
    assert len(await service.outbox()) == 1


async def test_seeding_again_never_overwrites_a_changed_password(seeder: Seeder, service: Any) -> None:
    await seeder.ensure_admin(**ADMIN)
    await service.sql.execute("UPDATE users SET hashed_password = 'changed'")
    assert await seeder.ensure_admin(**ADMIN) is False
    assert await service.sql.fetchval("SELECT hashed_password FROM users") == "changed"


async def test_seeding_twice_at_once_makes_one_administrator(seeder: Seeder, service: Any) -> None:
    assert sorted(await asyncio.gather(seeder.ensure_admin(**ADMIN), seeder.ensure_admin(**ADMIN))) == [False, True]
    assert await service.sql.fetchval("SELECT count(*) FROM users") == 1


async def test_who_took_the_administrators_address_is_not_made_one(seeder: Seeder, service: Any) -> None:
    squatter = await service.person()
    await service.sql.execute("UPDATE users SET email = $1 WHERE id = $2", ADMIN["email"], squatter.id)
    with pytest.raises(AddressTakenError):
        await seeder.ensure_admin(**ADMIN)
    assert await service.sql.fetchval("SELECT role FROM users") == "student"
    await service.person(role="admin")
    assert await seeder.ensure_admin(**ADMIN) is False


async def test_demo_people_are_made_once_with_profiles_and_unusable_passwords(seeder: Seeder, service: Any) -> None:
    assert await seeder.ensure_demo_people() == 8
    assert await seeder.ensure_demo_people() == 0
    rows = await service.sql.fetch("SELECT email, role, hashed_password FROM users ORDER BY email")
    assert [(row["email"], row["role"]) for row in rows] == [
        ("instructor1@demo.smartcourse.example", "instructor"),
        ("instructor2@demo.smartcourse.example", "instructor"),
        *((f"student{number}@demo.smartcourse.example", "student") for number in range(1, 7)),
    ]
    assert len({row["hashed_password"] for row in rows}) == 8
    assert not await verify_password("password", rows[0]["hashed_password"])
    page = (await service.call("GET", "/api/instructors")).json()
    assert [bool(item["headline"]) for item in page["items"]] == [True, True]


async def test_learners_for_load_tests_are_made_up_to_the_number_wanted(seeder: Seeder, service: Any) -> None:
    assert await seeder.ensure_load_learners(3) == 3
    assert await seeder.ensure_load_learners(5) == 2
    rows = await service.sql.fetch("SELECT email, role FROM users ORDER BY email")
    assert [tuple(row) for row in rows] == [
        (f"learner-{number:07}@load.smartcourse.example", "student") for number in range(1, 6)
    ]


async def run(*arguments: str, **variables: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments,
        env={"PATH": os.environ["PATH"]} | variables,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_command_makes_the_administrator_and_the_demo_people(service: Any, database: TestDatabase) -> None:
    variables = {
        "DATABASE_URL": database.url("user"), "ADMIN_EMAIL": "admin@example.org", "ADMIN_PASSWORD": "a password",
    }  # fmt: skip
    status, output = await run("user_service.seed", "--demo", **variables)
    assert status == 0, output
    assert "a password" not in output
    assert await service.sql.fetchval("SELECT count(*) FROM users") == 9


async def test_the_command_names_what_is_missing(service: Any) -> None:
    status, output = await run("user_service.seed")
    assert status != 0
    for name in ("DATABASE_URL", "ADMIN_EMAIL", "ADMIN_PASSWORD"):
        assert name in output
