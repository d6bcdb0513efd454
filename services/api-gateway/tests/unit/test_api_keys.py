"""What is remembered about API keys, for how long, and how often user-service is asked."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from api_gateway.middleware import api_keys
from api_gateway.middleware.api_keys import ApiKeys, KeysUnavailableError
from api_gateway.middleware.auth import Principal
from api_gateway.middleware.revocation import Revocations
from shared.api_keys import ApiKey, new_api_key


class Time:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class UserService:
    """Answers about keys: with the holders it is given, once it is let to."""

    def __init__(self, clock: Time) -> None:
        self.clock, self.asked = clock, 0
        self.holders: dict[bytes, Principal] = {}
        self.failure: Exception | None = None
        self.was_asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    def hold(self, key: ApiKey, session: str = "k1-1", *, seconds: float = 900) -> None:
        self.holders[key.digest] = Principal("7", "student", session, self.clock() + seconds, frozenset({"user:read"}))

    async def __call__(self, key: ApiKey) -> Principal | None:
        self.asked += 1
        found = self.holders.get(key.digest)
        self.was_asked.set()
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return found


@pytest.fixture
async def user_service() -> UserService:
    return UserService(Time())


@pytest.fixture
async def revocations() -> Revocations:
    return Revocations()


@pytest.fixture
async def keys(user_service: UserService, revocations: Revocations) -> ApiKeys:
    return ApiKeys(user_service, revocations, capacity=3, clock=user_service.clock)


def a_key() -> ApiKey:
    return new_api_key()[1]


async def test_a_holder_is_remembered_until_told_otherwise(keys: ApiKeys, user_service: UserService) -> None:
    key = a_key()
    user_service.hold(key, seconds=60)
    assert keys.find_known(key.digest) is None
    holder = await keys.find(key)
    assert holder is not None
    assert keys.find_known(key.digest) == holder
    user_service.clock.now += 60
    assert keys.find_known(key.digest) is None
    keys.forget_expired()
    assert len(keys) == 0


async def test_requests_with_one_key_ask_once(keys: ApiKeys, user_service: UserService) -> None:
    key = a_key()
    user_service.hold(key)
    user_service.may_answer.clear()
    requests = [asyncio.create_task(keys.find(key)) for _ in range(20)]
    await user_service.was_asked.wait()
    user_service.may_answer.set()
    assert {holder.user_id for holder in await asyncio.gather(*requests) if holder} == {"7"}
    assert user_service.asked == 1


async def test_an_answer_that_came_before_the_question_was_put_is_taken(
    keys: ApiKeys, user_service: UserService
) -> None:
    key = a_key()
    user_service.hold(key)
    late = keys.find(key)
    assert await keys.find(key) == await late
    assert user_service.asked == 1


async def test_a_key_that_is_no_good_is_asked_about_once_in_a_while(keys: ApiKeys, user_service: UserService) -> None:
    key = a_key()
    for _ in range(5):
        assert await keys.find(key) is None
    assert user_service.asked == 1
    user_service.hold(key)
    user_service.clock.now += 6
    assert await keys.find(key) is not None


async def test_memory_is_bounded_for_good_keys_and_bad(keys: ApiKeys, user_service: UserService) -> None:
    for _ in range(10):
        key = a_key()
        user_service.hold(key)
        await keys.find(key)
        await keys.find(a_key())
    assert len(keys) == 3
    assert len(keys._refused_until) == 3
    user_service.clock.now += 1000
    keys.forget_expired()
    assert (len(keys), len(keys._refused_until)) == (0, 0)


async def test_a_key_whose_session_ended_is_asked_about_anew(
    keys: ApiKeys, user_service: UserService, revocations: Revocations
) -> None:
    key = a_key()
    user_service.hold(key, "k1-1")
    await keys.find(key)
    revocations.add({"sids": "k1-1", "until": "9999999999"})
    user_service.hold(key, "k1-2")
    assert keys.find_known(key.digest) is None
    renewed = await keys.find(key)
    assert renewed is not None
    assert renewed.session_id == "k1-2"
    assert keys.find_known(key.digest) == renewed


async def test_an_answer_overtaken_by_a_revocation_is_not_used(
    keys: ApiKeys, user_service: UserService, revocations: Revocations
) -> None:
    key = a_key()
    user_service.hold(key, "k1-1")
    user_service.may_answer.clear()
    request = asyncio.create_task(keys.find(key))
    await user_service.was_asked.wait()
    revocations.add({"sids": "k1-1", "until": "9999999999"})
    del user_service.holders[key.digest]
    user_service.may_answer.set()
    assert await request is None
    assert user_service.asked == 2


async def test_what_user_service_keeps_calling_revoked_is_not_believed(
    keys: ApiKeys, user_service: UserService, revocations: Revocations
) -> None:
    key = a_key()
    user_service.hold(key, "k1-1")
    revocations.add({"sids": "k1-1", "until": "9999999999"})
    with pytest.raises(KeysUnavailableError):
        await keys.find(key)


@pytest.mark.parametrize("failure", [ConnectionRefusedError(), ValueError("user-service answered 500"), TimeoutError()])
async def test_a_failure_is_no_verdict(keys: ApiKeys, user_service: UserService, failure: Exception) -> None:
    key = a_key()
    user_service.hold(key)
    user_service.failure = failure
    with pytest.raises(KeysUnavailableError):
        await keys.find(key)
    user_service.failure = None
    assert await keys.find(key) is not None


async def test_a_slow_answer_serves_the_next_request(
    keys: ApiKeys, user_service: UserService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api_keys, "_PATIENCE_SECONDS", 0.01)
    key = a_key()
    user_service.hold(key)
    user_service.may_answer.clear()
    with pytest.raises(KeysUnavailableError):
        await keys.find(key)
    user_service.may_answer.set()
    monkeypatch.undo()
    holder = await keys.find(key)
    assert keys.find_known(key.digest) == holder is not None
    assert user_service.asked == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_only_so_many_keys_are_asked_about_at_once(keys: ApiKeys, user_service: UserService) -> None:
    user_service.may_answer.clear()
    waiting = [asyncio.create_task(keys.find(a_key())) for _ in range(api_keys._MOST_QUESTIONS)]
    await user_service.was_asked.wait()
    with pytest.raises(KeysUnavailableError):
        await keys.find(a_key())
    user_service.may_answer.set()
    assert await asyncio.gather(*waiting) == [None] * len(waiting)
    assert user_service.asked == len(waiting)
