"""A request with an `Idempotency-Key` has its effect once and one answer, whatever happens. Real PostgreSQL."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
import things_service
from fastapi import FastAPI
from things_service import KEY, keys, metadata, things

from shared.database import Database
from shared.idempotency import store as store_module
from shared.idempotency.store import LIFETIME, IdempotencyStore
from shared.middleware import idempotency as middleware
from shared.testing.identity import GatewayAuth
from shared.testing.servers import PostgresServer
from shared.utils.datetime import FixedClock

SHORT_LEASE_SECONDS = 1.0
Client = Callable[..., httpx.AsyncClient]


@pytest.fixture(scope="module")
async def url(postgres_server: PostgresServer) -> str:
    return (await postgres_server.fresh_database()).url("user")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_timeout_seconds=30)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    yield database
    await database.dispose()


@pytest.fixture
async def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def app(database: Database, clock: FixedClock) -> FastAPI:
    return things_service.build(database, clock=clock)


@pytest.fixture
async def client(app: FastAPI, clock: FixedClock) -> AsyncIterator[Client]:
    """Somebody's client: `client(user_id=8)`; `of` another instance of the service."""
    made = []

    def make(user_id: int | None = 7, of: FastAPI = app) -> httpx.AsyncClient:
        auth = GatewayAuth(KEY, user_id=user_id, role="student" if user_id else "anonymous", clock=clock)
        transport = httpx.ASGITransport(of, raise_app_exceptions=False)
        made.append(httpx.AsyncClient(transport=transport, base_url="http://things", auth=auth))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
def me(client: Client) -> httpx.AsyncClient:
    return client()


@pytest.fixture
def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def names(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(things.c.name).order_by(things.c.id)))


async def count_keys(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(sa.select(sa.func.count()).select_from(keys)) or 0


def is_same(one: httpx.Response, other: httpx.Response) -> bool:
    mine = {name: value for name, value in one.headers.items() if name not in ("idempotency-replayed", "set-cookie")}
    its = {name: value for name, value in other.headers.items() if name not in ("idempotency-replayed", "set-cookie")}
    return (one.status_code, one.content, mine) == (other.status_code, other.content, its)


def is_replayed(answer: httpx.Response) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


async def test_a_repeat_gets_the_same_answer_and_has_no_effect(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    first = await me.post("/api/things", json={"name": "one"}, headers=key)
    again = await me.post("/api/things", json={"name": "one"}, headers=key)
    assert first.status_code == 201
    assert is_same(first, again)
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert again.headers["Location"] == first.headers["Location"]
    assert "Set-Cookie" in first.headers
    assert "Set-Cookie" not in again.headers
    assert await names(database) == ["one"]


async def test_a_key_in_quotes_is_the_same_key(me: httpx.AsyncClient, database: Database) -> None:
    for value in ("a-key", '"a-key"'):
        answer = await me.post("/api/things", json={"name": "one"}, headers={"Idempotency-Key": value})
        assert answer.status_code == 201
    assert is_replayed(answer)


async def test_fifty_at_once_have_one_effect_and_one_answer(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    answers = await asyncio.gather(
        *(me.post("/api/things", json={"name": "one"}, headers=key, timeout=60) for _ in range(50))
    )
    assert await names(database) == ["one"]
    assert all(is_same(answers[0], answer) for answer in answers)
    assert [is_replayed(answer) for answer in answers].count(False) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"json": {"name": "two"}},
        {"content": b'{"name":"one"} '},
        {"content": b'{"name":"one"}', "headers": {"Content-Type": "application/merge-patch+json"}},
    ],
    ids=["another body", "another byte", "another type"],
)
async def test_another_request_with_the_key_is_refused(
    me: httpx.AsyncClient, database: Database, key: dict[str, str], other: dict[str, Any]
) -> None:
    await me.post("/api/things", content=b'{"name":"one"}', headers=key | {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/json"} | key | other.pop("headers", {})
    assert kind(await me.post("/api/things", headers=headers, **other)) == (422, "idempotency-key-reused")
    assert await names(database) == ["one"]


async def test_the_same_key_is_another_one_for_another_user_path_or_query(
    client: Client, database: Database, key: dict[str, str]
) -> None:
    answers = [
        await client(user_id).post(path, json={"name": "one"}, headers=key)
        for user_id, path in ((7, "/api/things"), (8, "/api/things"), (7, "/api/things?x=1"), (7, "/api/things/large"))
    ]
    assert not any(map(is_replayed, answers))
    assert await names(database) == ["one", "one", "one", "large"]


async def test_without_a_key_every_request_has_its_effect(me: httpx.AsyncClient, database: Database) -> None:
    for headers in ({}, {"Idempotency-Key": ""}):
        await me.post("/api/things", json={"name": "one"}, headers=headers)
    assert await names(database) == ["one", "one"]
    assert await count_keys(database) == 0


@pytest.mark.parametrize(
    ("user_id", "path"), [(7, "/api/things/secrets"), (7, "/api/things/public"), (None, "/api/things/public")]
)
async def test_what_takes_no_key_ignores_it_even_a_bad_one(
    client: Client, database: Database, user_id: int | None, path: str
) -> None:
    for value in ("a-key", "a-key", "not a key"):
        answer = await client(user_id).post(path, headers={"Idempotency-Key": value})
        assert answer.status_code == 200
    assert len(await names(database)) == 3
    assert await count_keys(database) == 0


@pytest.mark.parametrize(
    "headers", [[("Idempotency-Key", "a b")], [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]]
)
async def test_what_is_no_key_is_refused(
    me: httpx.AsyncClient, database: Database, headers: list[tuple[str, str]]
) -> None:
    answer = await me.post("/api/things", json={"name": "one"}, headers=headers)
    assert kind(answer) == (400, "idempotency-key-invalid")
    assert "Idempotency-Key" in answer.json()["detail"]
    assert await names(database) == []


async def test_an_unsigned_request_is_refused_before_its_key_is_looked_at(app: FastAPI, key: dict[str, str]) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://things", headers=key) as stranger:
        assert kind(await stranger.post("/api/things", json={"name": "one"})) == (401, "identity-not-verified")
    assert await count_keys(app.state.database) == 0


@pytest.mark.parametrize(
    ("status", "times"), [(400, 1), (404, 1), (422, 1), (401, 2), (403, 2), (409, 2), (429, 2), (503, 2)]
)
async def test_a_refusal_is_kept_unless_a_repeat_may_overcome_it(
    me: httpx.AsyncClient, app: FastAPI, key: dict[str, str], status: int, times: int
) -> None:
    first, again = [await me.post(f"/api/things/refused/{status}", headers=key) for _ in range(2)]
    assert first.status_code == again.status_code == status
    assert app.state.refusals == times
    assert is_replayed(again) == (times == 1)


async def test_a_request_that_was_invalid_is_so_again(me: httpx.AsyncClient, key: dict[str, str]) -> None:
    first, again = [await me.post("/api/things", json={"title": "one"}, headers=key) for _ in range(2)]
    assert first.status_code == 422
    assert is_same(first, again)
    assert is_replayed(again)


async def test_what_failed_before_its_commit_may_be_tried_again(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    for _ in range(2):
        assert kind(await me.post("/api/things/broken/before", headers=key)) == (500, "internal-error")
    assert await names(database) == []
    assert await count_keys(database) == 0


async def test_what_failed_after_its_commit_is_known_to_be_carried_out(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    assert kind(await me.post("/api/things/broken/after", headers=key)) == (500, "internal-error")
    assert kind(await me.post("/api/things/broken/after", headers=key)) == (409, "idempotency-outcome-unknown")
    assert await names(database) == ["broken"]


async def test_a_refusal_that_was_committed_is_kept(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    first, again = [await me.post("/api/things/broken/refused", headers=key) for _ in range(2)]
    assert kind(first) == (409, "conflict")
    assert is_same(first, again)
    assert await names(database) == ["broken"]


async def test_what_only_looked_was_not_carried_out(me: httpx.AsyncClient, key: dict[str, str]) -> None:
    for _ in range(2):
        assert kind(await me.post("/api/things/look", headers=key)) == (503, "unavailable")


async def test_an_answer_too_large_to_keep_goes_out_once(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    assert len((await me.post("/api/things/large", headers=key)).content) == things_service.LARGE_BYTES
    assert kind(await me.post("/api/things/large", headers=key)) == (409, "idempotency-outcome-unknown")
    assert await names(database) == ["large"]


async def test_an_upload_is_streamed_once_and_told_from_another_by_its_bytes(
    me: httpx.AsyncClient, app: FastAPI, database: Database, key: dict[str, str]
) -> None:
    async def file(last: bytes = b"z") -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"y" * 100_000
        async with asyncio.timeout(60):  # the route has the beginning before the end is sent
            await app.state.gate.reached.wait()
        yield last

    first = await me.post("/api/things/uploads", content=file(), headers=key)
    again = await me.post("/api/things/uploads", content=file(), headers=key)
    other = await me.post("/api/things/uploads", content=file(b"Z"), headers=key)
    assert first.json() == 3_000_001
    assert is_same(first, again)
    assert kind(other) == (422, "idempotency-key-reused")
    assert await names(database) == ["3000001 bytes"]


async def test_a_body_over_the_limit_is_refused_and_nothing_is_kept(
    me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    for content in (body(), b"x" * 2_000_000):
        assert (await me.post("/api/things", content=content, headers=key)).status_code == 413
    assert await count_keys(database) == 0


async def test_a_key_lasts_a_day_and_is_then_swept(
    app: FastAPI, me: httpx.AsyncClient, database: Database, clock: FixedClock, key: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(store_module, "SWEEP_BATCH", 2)
    store = IdempotencyStore(database, "user", clock=clock)
    await me.post("/api/things", json={"name": "one"}, headers=key)
    clock.advance(LIFETIME - timedelta(seconds=1))
    assert is_replayed(await me.post("/api/things", json={"name": "one"}, headers=key))
    assert await store.sweep() == 0
    clock.advance(seconds=1)
    anew = await me.post("/api/things", json={"name": "two"}, headers=key)
    assert (anew.status_code, is_replayed(anew)) == (201, False)
    assert await names(database) == ["one", "two"]
    for number in range(2):
        await me.post("/api/things", json={"name": "more"}, headers={"Idempotency-Key": str(number)})
    clock.advance(LIFETIME)
    assert [await store.sweep() for _ in range(3)] == [2, 1, 0]


async def test_a_service_sweeps_by_itself(
    app: FastAPI, me: httpx.AsyncClient, database: Database, clock: FixedClock, key: dict[str, str], eventually: Any
) -> None:
    await me.post("/api/things", json={"name": "one"}, headers=key)
    clock.advance(LIFETIME)

    async def is_swept() -> bool:
        return await count_keys(database) == 0

    async with app.router.lifespan_context(app):
        await eventually(is_swept)


async def test_a_repeat_of_what_takes_long_is_told_to_come_back_and_the_first_goes_on(
    client: Client, database: Database, clock: FixedClock, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a lease lasts: it is renewed."""
    app = things_service.build(database, clock=clock, lease_seconds=3)
    monkeypatch.setattr(middleware, "WAIT_SECONDS", 5)
    me, gate = client(of=app), app.state.gate
    first = asyncio.create_task(me.post("/api/things/slowly", json={"name": "one"}, headers=key))
    await gate.reached.wait()
    for body, wanted in (("one", (409, "idempotency-in-progress")), ("two", (422, "idempotency-key-reused"))):
        refused = await me.post("/api/things/slowly", json={"name": body}, headers=key, timeout=60)
        assert kind(refused) == wanted
        assert ("Retry-After" in refused.headers) == (wanted[0] == 409)
    gate.opened.set()
    assert (await first).status_code == 201
    assert is_same(await first, await me.post("/api/things/slowly", json={"name": "one"}, headers=key))
    assert await names(database) == ["one"]


async def test_whoever_lost_the_lease_can_commit_nothing(
    client: Client, database: Database, clock: FixedClock, key: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process that was frozen and wakes up."""
    frozen, quick = (things_service.build(database, clock=clock, lease_seconds=0.1) for _ in range(2))

    async def never(*_: Any) -> None:
        await asyncio.sleep(600)

    with monkeypatch.context() as patch:
        patch.setattr(middleware.IdempotencyMiddleware, "_renew", never)
        first = asyncio.create_task(client(of=frozen).post("/api/things/slowly", json={"name": "one"}, headers=key))
        await frozen.state.gate.reached.wait()
    quick.state.gate.opened.set()
    second = await client(of=quick).post("/api/things/slowly", json={"name": "one"}, headers=key)
    frozen.state.gate.opened.set()
    assert second.status_code == 201
    assert kind(await first) == (409, "idempotency-superseded")
    assert await names(database) == ["one"]


async def test_a_client_that_leaves_while_it_sends_leaves_nothing(
    app: FastAPI, database: Database, clock: FixedClock, key: dict[str, str]
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield b'{"name":'
        raise ConnectionError

    auth = GatewayAuth(KEY, user_id=7, role="student", clock=clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://things", auth=auth) as client:
        with suppress(ConnectionError):
            await client.post("/api/things", content=half(), headers=key)
    assert await count_keys(database) == 0


async def test_a_request_that_is_cancelled_may_be_tried_again(
    app: FastAPI, me: httpx.AsyncClient, database: Database, key: dict[str, str]
) -> None:
    first = asyncio.create_task(me.post("/api/things/slowly", json={"name": "one"}, headers=key))
    await app.state.gate.reached.wait()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    app.state.gate.opened.set()
    again = await me.post("/api/things/slowly", json={"name": "one"}, headers=key)
    assert (again.status_code, is_replayed(again)) == (201, False)
    assert await names(database) == ["one"]


async def kill_at(step: str, url: str, key: dict[str, str]) -> None:
    """A process carries the request out and is killed at this step."""
    arguments = {
        "url": url,
        "step": step,
        "lease_seconds": SHORT_LEASE_SECONDS,
        "headers": key,
        "body": {"name": "one"},
    }
    script = Path(__file__).with_name("dying.py")
    environment = os.environ | {"PYTHONPATH": str(script.parents[1] / "support")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), json.dumps(arguments), env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("claimed", 201),
        ("before commit", 201),
        ("after commit", (409, "idempotency-outcome-unknown")),
        ("answered", 201),
    ],
)
async def test_wherever_a_process_is_killed_there_is_one_effect(
    me: httpx.AsyncClient, database: Database, url: str, key: dict[str, str], step: str, wanted: Any
) -> None:
    await kill_at(step, url, key)
    assert await names(database) == (["one"] if step in ("after commit", "answered") else [])
    again = await me.post("/api/things", json={"name": "one"}, headers=key, timeout=60)
    assert (kind(again) if again.status_code >= 400 else again.status_code) == wanted
    assert is_replayed(again) == (step == "answered")
    assert await names(database) == ["one"]
