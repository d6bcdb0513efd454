"""Logging in, and being kept from it."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from shared.testing.servers import RedisServer
from shared.utils.hashing import hash_password
from user_service.main import build

PATH = "/api/auth/login"


async def attempt(service: Any, email: str, password: str = "wrong password") -> Any:
    return await service.call("POST", PATH, json={"email": email, "password": password})


async def test_a_login_gives_both_tokens_of_one_session(service: Any) -> None:
    person = await service.newly(role="instructor")
    assert person.tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (person.tokens["token_type"], person.tokens["expires_in"]) == ("bearer", 900)
    access, refresh = (service.claims(person.tokens[name]) for name in ("access_token", "refresh_token"))
    assert access["sid"] == refresh["sid"]
    assert (access["sub"], access["role"], access["type"]) == (str(person.id), "instructor", "access")
    assert refresh["exp"] - refresh["iat"] == timedelta(days=7).total_seconds()


async def test_the_address_may_be_written_in_any_case(service: Any) -> None:
    person = await service.person()
    assert (await attempt(service, f" {person.email.upper()} ", person.password)).status_code == 200


async def test_tokens_are_stored_as_hashes_only(service: Any) -> None:
    person = await service.newly()
    row = await service.sql.fetchrow("SELECT * FROM refresh_tokens")
    assert len(row["token_hash"]) == 32
    assert person.tokens["refresh_token"].split(".")[2] not in str(dict(row))


async def test_unknown_address_and_wrong_password_get_the_same_answer(service: Any, problem: Any) -> None:
    person = await service.person()
    wrong = problem(await attempt(service, person.email), 401, "invalid-credentials")
    unknown = problem(await attempt(service, "nobody@example.org"), 401, "invalid-credentials")
    assert wrong | {"trace_id": ""} == unknown | {"trace_id": ""}


async def test_unknown_address_and_wrong_password_take_the_same_work(service: Any) -> None:
    person = await service.person()
    await service.sql.execute("UPDATE users SET hashed_password = $1", await hash_password("its real cost"))

    async def cpu_seconds(email: str) -> float:
        # Of this process, threads included: other load on the machine does not count.
        started = time.process_time()
        await attempt(service, email)
        return time.process_time() - started

    await cpu_seconds("warm-up@example.org")
    pairs = [(await cpu_seconds(person.email), await cpu_seconds("nobody@example.org")) for _ in range(4)]
    wrong, unknown = (min(measured) for measured in zip(*pairs, strict=True))
    assert 0.7 < unknown / wrong < 1.4


async def test_a_deactivated_account_is_refused_and_says_so_only_to_its_owner(service: Any, problem: Any) -> None:
    person = await service.person(is_active=False)
    problem(await attempt(service, person.email, person.password), 401, "account-deactivated")
    problem(await attempt(service, person.email), 401, "invalid-credentials")
    assert await service.sql.fetchval("SELECT count(*) FROM sessions") == 0


async def test_an_overlong_or_odd_password_is_simply_wrong(service: Any, problem: Any) -> None:
    person = await service.person()
    for password in (person.password + "x" * 100, "\x00", "é" * 80):
        problem(await attempt(service, person.email, password), 401, "invalid-credentials")


@pytest.mark.parametrize("is_known", [True, False])
async def test_the_eleventh_failure_is_refused_with_the_time_to_wait(
    service: Any, problem: Any, is_known: bool
) -> None:
    person = await service.person()
    email = person.email if is_known else "nobody@example.org"
    await asyncio.gather(*(attempt(service, email) for _ in range(10)))
    refused = await attempt(service, email, person.password)
    problem(refused, 429, "too-many-login-attempts")
    assert 200 <= int(refused.headers["Retry-After"]) <= 300


async def test_one_accounts_failures_do_not_close_another(service: Any) -> None:
    victim, other = await service.person(), await service.person()
    await asyncio.gather(*(attempt(service, victim.email) for _ in range(10)))
    assert (await attempt(service, other.email, other.password)).status_code == 200


async def test_of_parallel_guesses_over_replicas_exactly_ten_are_looked_at(service: Any, settings: Any) -> None:
    person = await service.person()
    replica = build(settings, clock=service.clock)
    here, there = (
        service,
        type(service)(replica, settings, service.clock, sql=service.sql, redis=service.redis, cheap_hash=""),
    )
    answers = await asyncio.gather(*(attempt(each, person.email) for each in (here, there) for _ in range(12)))
    await replica.state.database.dispose()
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (10, 14)


async def test_successful_logins_are_not_counted(service: Any) -> None:
    person = await service.person()
    for _ in range(12):
        await service.log_in(person)


async def test_the_account_opens_again_once_the_failures_are_old(settings: Any, service: Any, problem: Any) -> None:
    person = await service.person()
    impatient = build(
        settings.model_copy(update={"login_failures_per_account": 2, "login_failure_window_seconds": 1}),
        clock=service.clock,
    )
    short = type(service)(impatient, settings, service.clock, sql=service.sql, redis=service.redis, cheap_hash="")
    for _ in range(2):
        await attempt(short, person.email)
    problem(await attempt(short, person.email, person.password), 429, "too-many-login-attempts")
    await asyncio.sleep(1.1)
    assert (await attempt(short, person.email, person.password)).status_code == 200
    await impatient.state.database.dispose()


async def test_without_redis_nobody_logs_in_but_sessions_go_on(
    service: Any, redis_server: RedisServer, problem: Any
) -> None:
    person = await service.newly()
    redis_server.stop()
    try:
        refused = await attempt(service, person.email, person.password)
        problem(refused, 503, "unavailable")
        assert "Retry-After" in refused.headers
        assert (await service.refresh(person.tokens["refresh_token"])).status_code == 200
        assert (await service.call("POST", "/api/auth/logout", by=person)).status_code == 204
    finally:
        redis_server.start()
    assert (await attempt(service, person.email, person.password)).status_code == 200


async def test_a_request_without_the_gateways_signature_is_refused(service: Any, problem: Any) -> None:
    async with service.client() as client:
        client.auth = None
        answer = await client.post(PATH, json={"email": "a@example.org", "password": "x"})
    problem(answer, 401, "identity-not-verified")
