"""Refresh tokens: rotation, parallel use, theft, and the end of a session."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from user_service.main import build

SECOND_KEY = SecretStr("another-signing-key-of-at-least-32-bytes")


async def refreshed(service: Any, token: str) -> dict[str, Any]:
    answer = await service.refresh(token)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


async def assert_ended(service: Any, problem: Any, *tokens: str) -> None:
    for token in tokens:
        problem(await service.refresh(token), 401, "invalid-refresh-token")


async def test_a_refresh_token_is_exchanged_for_its_successor(service: Any) -> None:
    person = await service.newly()
    tokens = await refreshed(service, person.tokens["refresh_token"])
    assert tokens["refresh_token"] != person.tokens["refresh_token"]
    assert service.claims(tokens["access_token"])["sid"] == person.sid
    assert (await refreshed(service, tokens["refresh_token"]))["refresh_token"] != tokens["refresh_token"]


async def test_presented_again_within_ten_seconds_it_gives_the_same_successor(service: Any) -> None:
    person = await service.newly()
    first = await refreshed(service, person.tokens["refresh_token"])
    service.clock.advance(seconds=10)
    again = await refreshed(service, person.tokens["refresh_token"])
    assert again["refresh_token"] == first["refresh_token"]
    assert again["access_token"] != first["access_token"]
    assert await service.sql.fetchval("SELECT count(*) FROM refresh_tokens") == 2


async def test_parallel_refreshes_all_get_one_successor(service: Any) -> None:
    person = await service.newly()
    answers = await asyncio.gather(*(service.refresh(person.tokens["refresh_token"]) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    await refreshed(service, answers[0].json()["refresh_token"])


async def test_presented_after_ten_seconds_it_is_theft_and_ends_the_session(service: Any, problem: Any) -> None:
    person = await service.newly()
    tokens = await refreshed(service, person.tokens["refresh_token"])
    service.clock.advance(seconds=10.001)
    await assert_ended(service, problem, person.tokens["refresh_token"], tokens["refresh_token"])
    assert await service.sql.fetchval("SELECT revoked_reason FROM sessions") == "refresh_reuse"
    assert await service.revoked_sids() == [{person.sid}]


async def test_presented_once_its_successor_was_used_it_is_theft(service: Any, problem: Any) -> None:
    person = await service.newly()
    second = await refreshed(service, person.tokens["refresh_token"])
    third = await refreshed(service, second["refresh_token"])
    await assert_ended(
        service, problem, person.tokens["refresh_token"], second["refresh_token"], third["refresh_token"]
    )


async def test_theft_is_told_to_the_gateways_by_the_outbox_too(service: Any, problem: Any) -> None:
    person = await service.newly()
    await refreshed(service, person.tokens["refresh_token"])
    service.clock.advance(seconds=60)
    await assert_ended(service, problem, person.tokens["refresh_token"])
    [row] = await service.outbox()
    assert row["stream"] == "smartcourse:revocations"
    assert person.sid in row["payload"]


async def test_theft_ends_only_the_session_it_happened_in(service: Any, problem: Any) -> None:
    person = await service.newly()
    elsewhere = await service.log_in(person)
    await refreshed(service, person.tokens["refresh_token"])
    service.clock.advance(seconds=60)
    await assert_ended(service, problem, person.tokens["refresh_token"])
    await refreshed(service, elsewhere.tokens["refresh_token"])


async def test_a_session_ends_seven_days_after_the_login_however_often_it_is_refreshed(
    service: Any, problem: Any
) -> None:
    person = await service.newly()
    login_at, token = service.clock.now(), person.tokens["refresh_token"]
    end = service.claims(token)["exp"]
    for _ in range(6):
        service.clock.advance(timedelta(days=1))
        token = (await refreshed(service, token))["refresh_token"]
        assert service.claims(token)["exp"] == end
    service.clock.set(login_at + timedelta(days=7) - timedelta(minutes=5))
    last = await refreshed(service, token)
    assert service.claims(last["access_token"])["exp"] <= end
    assert last["expires_in"] <= 300
    service.clock.set(login_at + timedelta(days=7))
    await assert_ended(service, problem, last["refresh_token"])


async def test_an_access_token_does_not_refresh(service: Any, problem: Any) -> None:
    person = await service.newly()
    await assert_ended(service, problem, person.tokens["access_token"], "not.a.token", "x")


async def test_a_refresh_carries_the_role_of_now(service: Any) -> None:
    person = await service.newly()
    await service.sql.execute("UPDATE users SET role = 'instructor'")
    tokens = await refreshed(service, person.tokens["refresh_token"])
    assert service.claims(tokens["access_token"])["role"] == "instructor"


async def test_a_deactivated_persons_token_is_refused(service: Any, problem: Any) -> None:
    person = await service.newly()
    await service.sql.execute("UPDATE users SET is_active = false")
    await assert_ended(service, problem, person.tokens["refresh_token"])


async def test_a_signed_token_that_was_never_issued_is_refused(service: Any, problem: Any) -> None:
    person = await service.newly()
    await service.sql.execute("UPDATE refresh_tokens SET token_hash = sha256('other')")
    await assert_ended(service, problem, person.tokens["refresh_token"])
    await service.sql.execute("DELETE FROM refresh_tokens")
    await assert_ended(service, problem, person.tokens["refresh_token"])


@pytest.mark.parametrize("body", [{}, {"refresh_token": ""}, {"refresh_token": 5}, {"refresh_token": "x" * 4097}])
async def test_a_request_without_a_token_is_malformed(service: Any, problem: Any, body: dict[str, Any]) -> None:
    problem(await service.call("POST", "/api/auth/refresh", json=body), 422, "validation-failed")


async def test_sessions_outlive_a_rotation_of_the_signing_key_until_the_old_one_is_gone(
    service: Any, settings: Any, problem: Any
) -> None:
    person = await service.newly()
    overlap = settings.model_copy(
        update={"jwt_secret_key": SECOND_KEY, "jwt_secret_key_previous": settings.jwt_secret_key}
    )
    rotated = _with(service, overlap)
    after = _with(service, settings.model_copy(update={"jwt_secret_key": SECOND_KEY}))
    await assert_ended(after, problem, person.tokens["refresh_token"])
    tokens = await refreshed(rotated, person.tokens["refresh_token"])
    await refreshed(after, tokens["refresh_token"])
    for each in (rotated, after):
        await each.app.state.database.dispose()


async def test_a_replica_that_lacks_the_new_key_asks_to_try_again_rather_than_cry_theft(
    service: Any, settings: Any, problem: Any
) -> None:
    person = await service.newly()
    overlap = settings.model_copy(
        update={"jwt_secret_key": SECOND_KEY, "jwt_secret_key_previous": settings.jwt_secret_key}
    )
    rotated = _with(service, overlap)
    tokens = await refreshed(rotated, person.tokens["refresh_token"])
    problem(await service.refresh(person.tokens["refresh_token"]), 503, "unavailable")
    assert (await refreshed(rotated, person.tokens["refresh_token"]))["refresh_token"] == tokens["refresh_token"]
    await rotated.app.state.database.dispose()


def _with(service: Any, settings: Any) -> Any:
    app = build(settings, clock=service.clock)
    return type(service)(app, settings, service.clock, sql=service.sql, redis=service.redis, cheap_hash="")
