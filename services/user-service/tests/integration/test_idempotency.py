"""Requests with an `Idempotency-Key`: what is repeated, and what is never kept."""

from typing import Any

KEY = {"Idempotency-Key": "one-key"}


async def test_anonymising_twice_with_a_key_is_answered_alike(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    path = f"/api/users/{person.id}/anonymise"
    first, again = [await service.call("POST", path, by=admin, headers=KEY) for _ in range(2)]
    assert first.status_code < 300, first.text
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_logging_in_and_registering_ignore_a_key(service: Any, problem: Any) -> None:
    person = await service.person()
    credentials = {"email": person.email, "password": person.password}
    tokens = [(await service.call("POST", "/api/auth/login", json=credentials, headers=KEY)).json() for _ in range(2)]
    assert tokens[0]["refresh_token"] != tokens[1]["refresh_token"]
    newcomer = {"email": "new@example.org", "password": "a long pass phrase", "full_name": "New"}
    assert (await service.call("POST", "/api/auth/register", json=newcomer, headers=KEY)).status_code == 201
    problem(await service.call("POST", "/api/auth/register", json=newcomer, headers=KEY), 409, "email-taken")
    assert await service.sql.fetchval("SELECT count(*) FROM user_idempotency_keys") == 0


async def test_a_password_leaves_nothing_behind(service: Any) -> None:
    person = await service.newly()
    change = {"current_password": person.password, "new_password": "another pass phrase"}
    statuses = [
        (await service.call("POST", "/api/auth/change-password", by=person, json=change, headers=KEY)).status_code
        for _ in range(2)
    ]
    assert statuses == [204, 401]
    assert await service.sql.fetchval("SELECT count(*) FROM user_idempotency_keys") == 0
