"""One's own account: reading it, changing it, logging out."""

import asyncio
from typing import Any

import pytest


async def test_me_is_the_person_the_gateway_vouches_for(service: Any) -> None:
    person = await service.newly(role="instructor", full_name="Grace")
    me = (await service.call("GET", "/api/auth/me", by=person)).json()
    assert (me["id"], me["email"], me["full_name"], me["role"]) == (person.id, person.email, "Grace", "instructor")
    assert "password" not in str(me)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/auth/me"), ("POST", "/api/auth/logout"), ("PATCH", "/api/users/me"), ("GET", "/api/users")],
)
async def test_nobody_in_particular_has_no_account(service: Any, problem: Any, method: str, path: str) -> None:
    answer = await service.call(method, path, **({"json": {"full_name": "X"}} if method == "PATCH" else {}))
    problem(answer, 401, "authentication-required")


async def test_a_deactivated_person_is_told_so(service: Any, problem: Any) -> None:
    person = await service.newly()
    await service.sql.execute("UPDATE users SET is_active = false")
    problem(await service.call("GET", "/api/auth/me", by=person), 401, "account-deactivated")
    renamed = await service.call("PATCH", "/api/users/me", by=person, json={"full_name": "Somebody"})
    problem(renamed, 401, "account-deactivated")


async def test_people_change_their_name_and_nothing_else(service: Any, problem: Any) -> None:
    person = await service.newly()
    service.clock.advance(seconds=60)
    answer = await service.call("PATCH", "/api/users/me", by=person, json={"full_name": "  New Name "})
    assert (answer.status_code, answer.json()["full_name"]) == (200, "New Name")
    assert answer.json()["updated_at"] > answer.json()["created_at"]
    for forbidden in ({"role": "admin"}, {"is_active": True}, {"email": "other@example.org"}):
        refused = await service.call("PATCH", "/api/users/me", by=person, json={"full_name": "X"} | forbidden)
        assert problem(refused, 422, "validation-failed")["errors"][0]["loc"] == f"body.{next(iter(forbidden))}"


async def test_logout_ends_this_session_and_no_other(service: Any, problem: Any) -> None:
    person = await service.newly()
    elsewhere = await service.log_in(person)
    answer = await service.call("POST", "/api/auth/logout", by=person)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await service.revoked_sids() == [{person.sid}]
    problem(await service.refresh(person.tokens["refresh_token"]), 401, "invalid-refresh-token")
    assert (await service.refresh(elsewhere.tokens["refresh_token"])).status_code == 200


async def test_the_revocation_and_its_outbox_row_are_one_transaction(service: Any) -> None:
    person = await service.newly()
    await service.call("POST", "/api/auth/logout", by=person)
    session_row = await service.sql.fetchval("SELECT xmin::text FROM sessions")
    assert await service.sql.fetchval("SELECT xmin::text FROM user_outbox") == session_row


async def test_logging_out_again_is_fine_and_revokes_nothing_more(service: Any) -> None:
    person = await service.newly()
    answers = await asyncio.gather(*(service.call("POST", "/api/auth/logout", by=person) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [204] * 3
    assert len(await service.outbox()) == 1


async def test_nobody_ends_another_persons_session(service: Any) -> None:
    victim, attacker = await service.newly(), await service.newly()
    attacker.tokens = attacker.tokens | {"access_token": victim.tokens["access_token"]}
    assert attacker.sid == victim.sid
    await service.call("POST", "/api/auth/logout", by=attacker)
    assert (await service.refresh(victim.tokens["refresh_token"])).status_code == 200


async def test_logout_needs_to_know_the_session(service: Any, problem: Any) -> None:
    person = await service.person()
    problem(await service.call("POST", "/api/auth/logout", by=person), 401, "authentication-required")


async def change_password(service: Any, person: Any, current: str, new: str = "a brand new password") -> Any:
    body = {"current_password": current, "new_password": new}
    return await service.call("POST", "/api/auth/change-password", by=person, json=body)


async def test_a_new_password_takes_the_olds_place_and_ends_the_other_sessions(service: Any, problem: Any) -> None:
    person = await service.newly()
    elsewhere = await service.log_in(person)
    assert (await change_password(service, person, person.password)).status_code == 204
    assert await service.revoked_sids() == [{elsewhere.sid}]
    problem(await service.refresh(elsewhere.tokens["refresh_token"]), 401, "invalid-refresh-token")
    assert (await service.refresh(person.tokens["refresh_token"])).status_code == 200
    old = {"email": person.email, "password": person.password}
    problem(await service.call("POST", "/api/auth/login", json=old), 401, "invalid-credentials")
    person.password = "a brand new password"
    await service.log_in(person)


async def test_a_wrong_current_password_changes_nothing_and_counts_as_a_failure(service: Any, problem: Any) -> None:
    person = await service.newly()
    for _ in range(10):
        problem(await change_password(service, person, "wrong"), 401, "invalid-credentials")
    problem(await change_password(service, person, person.password), 429, "too-many-login-attempts")
    assert await service.sql.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 1


async def test_a_new_password_of_more_than_72_bytes_is_refused(service: Any, problem: Any) -> None:
    person = await service.newly()
    problem(await change_password(service, person, person.password, "x" * 73), 422, "validation-failed")
