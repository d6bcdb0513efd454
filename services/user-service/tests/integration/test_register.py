"""Making an account."""

import asyncio
import json
from typing import Any

import pytest

from shared.events.user import UserRegistered

NEWCOMER = {"email": "ada@example.org", "password": "correct horse", "full_name": "Ada"}
PATH = "/api/auth/register"


async def test_a_newcomer_becomes_a_student(service: Any) -> None:
    answer = await service.call("POST", PATH, json=NEWCOMER | {"email": "Ada@Example.ORG"})
    assert answer.status_code == 201, answer.text
    account = answer.json()
    assert account.keys() == {"id", "email", "full_name", "role", "is_active", "created_at", "updated_at"}
    assert (account["email"], account["role"], account["is_active"]) == ("ada@example.org", "student", True)
    stored = await service.sql.fetchrow("SELECT * FROM users")
    assert stored["hashed_password"].startswith("$2b$12$")


async def test_registration_and_its_event_are_one_transaction(service: Any) -> None:
    account = (await service.call("POST", PATH, json=NEWCOMER)).json()
    user_row, event_row = (
        await service.sql.fetchval("SELECT xmin::text FROM users"),
        await service.sql.fetchrow("SELECT xmin::text, stream, payload::text FROM user_outbox"),
    )
    assert event_row["xmin"] == user_row
    assert event_row["stream"] == "smartcourse:events:user"
    event = json.loads(json.loads(event_row["payload"])["event"])
    assert event["type"] == "user.registered"
    data = UserRegistered.model_validate(event["data"])
    assert data == UserRegistered(user_id=account["id"], email="ada@example.org", full_name="Ada", role="student")


@pytest.mark.parametrize("extra", [{"role": "admin"}, {"is_active": True}, {"id": 1}])
async def test_extra_fields_are_refused_by_name(service: Any, problem: Any, extra: dict[str, Any]) -> None:
    document = problem(await service.call("POST", PATH, json=NEWCOMER | extra), 422, "validation-failed")
    assert [error["loc"] for error in document["errors"]] == [f"body.{next(iter(extra))}"]
    assert await service.sql.fetchval("SELECT count(*) FROM users") == 0


async def test_a_taken_address_is_a_conflict_and_announces_nothing(service: Any, problem: Any) -> None:
    await service.call("POST", PATH, json=NEWCOMER)
    again = await service.call("POST", PATH, json=NEWCOMER | {"email": "ADA@example.org", "password": "another one"})
    document = problem(again, 409, "email-taken")
    assert "ada@" not in json.dumps(document)
    assert len(await service.outbox()) == 1


async def test_of_parallel_registrations_with_one_address_one_succeeds(service: Any) -> None:
    answers = await asyncio.gather(*(service.call("POST", PATH, json=NEWCOMER) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert len(await service.outbox()) == 1


async def test_a_refused_password_is_not_repeated(service: Any, problem: Any) -> None:
    password = "x" * 73
    answer = await service.call("POST", PATH, json=NEWCOMER | {"password": password})
    problem(answer, 422, "validation-failed")
    assert password not in answer.text
