"""Rate limits, through each door, over one process and over several."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from real_gateway import DOORS, Gateway, problem, running
from redis.asyncio import Redis

from api_gateway.middleware.rate_limit import RateLimiter
from api_gateway.rates import Policy
from shared.testing.servers import RedisServer

LIMITS = {
    "RATE_LIMIT_DEFAULT_PER_MINUTE": "40",
    "RATE_LIMIT_PUBLIC_PER_MINUTE": "25",
    "RATE_LIMIT_LOGIN_PER_MINUTE": "10",
    "RATE_LIMIT_HEAVY_PER_MINUTE": "8",
    "TRUSTED_PROXIES": "127.0.0.1/32",
}


@pytest.fixture(scope="module")
def strict_doors(redis_server: RedisServer) -> Iterator[Gateway]:
    with running(redis_server.url, LIMITS) as gateway:
        yield gateway


@pytest.fixture(params=DOORS)
def strict(strict_doors: Gateway, request: pytest.FixtureRequest) -> Gateway:
    return strict_doors.behind(request.param)


def own(gateway: Gateway, number: int) -> int:
    """A number that no case asks with through another door: they count together."""
    return number + 100 * DOORS.index(gateway.door)


async def statuses(gateway: Gateway, count: int, method: str, path: str, headers: dict[str, str]) -> list[int]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=20) as client:
        answers = await asyncio.gather(*(client.request(method, path, headers=headers) for _ in range(count)))
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("GET", "/api/me", 40),
        ("GET", "/api/courses", 25),
        ("POST", "/api/auth/login", 10),
        ("POST", "/api/notifications/digest", 8),
    ],
)
async def test_exactly_the_limit_passes_of_many_parallel_requests(
    strict: Gateway, method: str, path: str, limit: int
) -> None:
    address = f"203.0.113.{own(strict, limit) % 256}"
    headers = {"X-Forwarded-For": address}
    if path in ("/api/me", "/api/notifications/digest"):
        headers |= strict.bearer(sub=str(own(strict, 1001)))
    answers = await statuses(strict, limit + 30, method, path, headers)
    assert (answers.count(200), answers.count(429)) == (limit, 30)


async def test_a_limited_client_is_told_when_to_come_back_and_others_are_not_touched(strict: Gateway) -> None:
    limited = strict.bearer(sub=str(own(strict, 1002)))
    await statuses(strict, 45, "GET", "/api/me", limited)
    answer = strict.client.get("/api/me", headers=limited)
    document = problem(answer, 429)
    assert document["type"] == "urn:smartcourse:problem:rate-limited"
    assert 1 <= int(answer.headers["retry-after"]) <= 66
    assert answer.headers["ratelimit-policy"] == '"user";q=40;w=60'
    assert answer.headers["ratelimit"].startswith('"user";r=0;t=')
    assert strict.client.get("/api/me", headers=strict.bearer(sub=str(own(strict, 1003)))).status_code == 200


async def test_what_costs_much_is_counted_apart(strict: Gateway) -> None:
    user = strict.bearer(sub=str(own(strict, 1004)))
    assert (await statuses(strict, 9, "POST", "/api/notifications/digest", user)).count(429) == 1
    answer = strict.client.post("/api/notifications/digest", headers=user)
    assert answer.headers["ratelimit-policy"] == '"heavy";q=8;w=60'
    assert strict.client.get("/api/me", headers=user).status_code == 200
    digest = "/api/notifications/digest"
    assert (await statuses(strict, 9, "GET", digest, {"X-Forwarded-For": f"203.0.113.{own(strict, 77) % 256}"})).count(
        429
    ) == 1
    assert strict.client.get(digest, headers={"X-Forwarded-For": "203.0.113.78"}).status_code == 200


async def test_a_client_cannot_choose_its_address(strict: Gateway) -> None:
    answers = [
        strict.client.get(
            "/api/courses", headers={"X-Forwarded-For": f"10.9.8.{i}, 198.51.100.{own(strict, 7) % 256}"}
        ).status_code
        for i in range(26)
    ]
    assert answers[-1] == 429


def test_who_is_no_trusted_proxy_is_known_by_the_address_it_has(strict_doors: Gateway) -> None:
    """Through nginx: whom the other doors trust is their own configuration."""
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(base_url=strict_doors.url, transport=transport) as stranger:
        told = stranger.get("/api/courses", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"})
    headers = dict(told.json()["headers"])
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.3", "http")


async def test_addresses_of_one_ipv6_network_share_a_limit(strict: Gateway) -> None:
    answers = [
        strict.client.get(
            "/api/courses", headers={"X-Forwarded-For": f"2001:db8:0:{own(strict, 1)}::{i:x}"}
        ).status_code
        for i in range(1, 27)
    ]
    assert answers[-1] == 429


async def test_a_limit_holds_over_all_doors_together(strict_doors: Gateway) -> None:
    bearer = strict_doors.bearer(sub="1500")
    through = [statuses(strict_doors.behind(door), 25, "GET", "/api/me", bearer) for door in DOORS]
    answers = [status for each in await asyncio.gather(*through) for status in each]
    assert (answers.count(200), answers.count(429)) == (40, 35)


@pytest.fixture
async def limiters(redis_server: RedisServer) -> AsyncIterator[list[RateLimiter]]:
    clients = [Redis.from_url(redis_server.url, decode_responses=True) for _ in range(3)]
    limiters = [RateLimiter(client, processes=3) for client in clients]
    tasks = [asyncio.create_task(limiter.run()) for limiter in limiters]
    await asyncio.sleep(0.1)
    yield limiters
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for client in clients:
        await client.aclose()


@pytest.mark.parametrize("policy", [Policy("user", 100), Policy("login", 100, is_exact=True), Policy("user", 7)])
async def test_processes_together_grant_exactly_the_limit(limiters: list[RateLimiter], policy: Policy) -> None:
    key = secrets.token_hex(4)
    granted = 0
    for _ in range(8):
        verdicts = await asyncio.gather(*(limiters[i % 3].take(key, policy) for i in range(policy.limit // 2 + 3)))
        granted += sum(verdict.is_allowed for verdict in verdicts)
        await asyncio.sleep(0.06)
    assert granted == policy.limit


async def test_a_leased_block_saves_calls(limiters: list[RateLimiter]) -> None:
    before = limiters[0].redis_calls
    key = secrets.token_hex(4)
    for _ in range(300):
        assert (await limiters[0].take(key, Policy("user", 10_000))).is_allowed
    assert limiters[0].redis_calls - before <= 3


async def test_idle_permits_go_back_to_the_others(limiters: list[RateLimiter], redis_server: RedisServer) -> None:
    key = secrets.token_hex(4)
    await limiters[0].take(key, Policy("user", 100))
    await asyncio.sleep(0.7)
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        spent = await redis.hvals(f"smartcourse:limit:{key}")
    assert sum(map(int, spent)) == 1


async def test_permits_of_a_part_that_ended_are_not_lost(redis_server: RedisServer) -> None:
    """One process spends its whole limit although a part of the window ends while it holds a lease."""
    key, policy = secrets.token_hex(4), Policy("user", 40)
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        limiter = RateLimiter(redis, processes=1)
        first = [await limiter.take(key, policy) for _ in range(34)]
        limiter._leases[key].ends = 0.0  # as if its part had ended with permits unspent
        rest = [await limiter.take(key, policy) for _ in range(9)]
    assert [verdict.is_allowed for verdict in first + rest] == [True] * 40 + [False] * 3
