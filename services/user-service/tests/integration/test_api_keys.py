"""API keys: made, shown once, looked up by the gateway, ended."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from shared.api_keys import LOOKUP_PATH, ApiKey, lookup_target, new_api_key
from user_service.core.revocations import CLOCK_SKEW, KEY_MEMORY, STREAM, RevocationStream
from user_service.services.revocations import RevocationKeeper

MINE = "/api/users/me/api-keys"
WANTED = {"name": "nightly report", "scopes": ["course:read", "user:read"]}


async def make(service: Any, person: Any, **wanted: Any) -> dict[str, Any]:
    answer = await service.call("POST", MINE, by=person, json=WANTED | wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def parsed(text: str) -> ApiKey:
    key = ApiKey.parse(text)
    assert key is not None
    return key


async def look_up(service: Any, made: dict[str, Any]) -> Any:
    return await service.call("GET", lookup_target(parsed(made["key"])))


async def listed(service: Any, person: Any, **params: Any) -> list[int]:
    answer = await service.call("GET", MINE, by=person, params=params)
    return [each["id"] for each in answer.json()["items"]]


async def test_a_key_is_shown_once_and_kept_as_a_hash(service: Any) -> None:
    person = await service.newly()
    answer = await service.call("POST", MINE, by=person, json=WANTED)
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{MINE}/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert made["key"].startswith(f"{made['prefix']}_")
    row = dict(await service.sql.fetchrow("SELECT * FROM api_keys"))
    assert row["secret_hash"] == hashlib.sha256(made["key"].encode()).digest()
    secret = made["key"].split("_", 2)[2]
    assert secret not in str(row)
    for path in (MINE, f"{MINE}/{made['id']}"):
        shown = (await service.call("GET", path, by=person)).text
        assert made["prefix"] in shown
        assert secret not in shown


async def test_a_key_lasts_90_days_unless_told_otherwise(service: Any) -> None:
    person = await service.newly()
    for wanted, days in (({}, 90), ({"expires_in_days": 365}, 365)):
        made = await make(service, person, **wanted)
        assert datetime.fromisoformat(made["expires_at"]) == service.clock.now() + timedelta(days=days)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": " "},
        {"name": "x" * 101},
        {"scopes": []},
        {"scopes": ["course:admin"]},
        {"scopes": ["*"]},
        {"scopes": "course:read"},
        {"expires_in_days": 0},
        {"expires_in_days": 366},
        {"expires_in_days": None},
        {"user_id": 1},
        {"secret_hash": "00"},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(service: Any, problem: Any, wrong: dict[str, Any]) -> None:
    person = await service.newly()
    problem(await service.call("POST", MINE, by=person, json=WANTED | wrong), 422, "validation-failed")


async def test_the_gateway_is_told_whom_a_key_speaks_for(service: Any) -> None:
    person = await service.newly(role="instructor")
    made = await make(service, person)
    answer = await look_up(service, made)
    assert answer.json() == {
        "user_id": person.id,
        "role": "instructor",
        "session_id": f"k{made['id']}-1",
        "scopes": ["course:read", "user:read"],
        "good_for_seconds": 900,
    }
    assert "key" not in answer.text


async def test_an_answer_is_good_for_no_longer_than_the_key(service: Any, problem: Any) -> None:
    made = await make(service, await service.newly(), expires_in_days=1)
    service.clock.advance(timedelta(days=1, seconds=-40))
    assert (await look_up(service, made)).json()["good_for_seconds"] == 40
    service.clock.advance(seconds=40)
    problem(await look_up(service, made), 404, "api-key-not-found")


async def test_a_lookup_notes_when_the_key_was_used(service: Any) -> None:
    person = await service.newly()
    made = await make(service, person)
    assert made["last_used_at"] is None
    service.clock.advance(seconds=100)
    await look_up(service, made)
    shown = (await service.call("GET", f"{MINE}/{made['id']}", by=person)).json()
    assert datetime.fromisoformat(shown["last_used_at"]) == service.clock.now()


async def test_what_is_no_key_of_ours_is_not_found_and_not_told_apart(service: Any, problem: Any) -> None:
    made = await make(service, await service.newly())
    _, unknown = new_api_key()
    forged = ApiKey(parsed(made["key"]).public_id, unknown.digest)
    for key in (unknown, forged):
        problem(await service.call("GET", lookup_target(key)), 404, "api-key-not-found")
    for target in (
        f"{LOOKUP_PATH}/zz?digest={'0' * 64}",
        f"{LOOKUP_PATH}/{'0' * 16}",
        f"{LOOKUP_PATH}/{'0' * 16}?digest=0",
    ):
        problem(await service.call("GET", target), 422, "validation-failed")
    assert await service.sql.fetchval("SELECT last_used_at FROM api_keys") is None


async def test_nobody_looks_a_key_up_without_the_gateways_signature(service: Any, problem: Any) -> None:
    made = await make(service, await service.newly())
    target = lookup_target(parsed(made["key"]))
    async with service.client() as client:
        client.auth = None
        problem(await client.get(target), 401, "identity-not-verified")
        elsewhere = (await service.call("GET", "/api/instructors")).request.headers
        problem(await client.get(target, headers=elsewhere), 401, "identity-not-verified")


async def test_the_lookup_is_no_part_of_the_described_api(service: Any) -> None:
    assert not [path for path in service.app.openapi()["paths"] if not path.startswith("/api/")]


async def test_a_revoked_key_is_not_found_and_its_session_is_told_to_the_gateways(service: Any, problem: Any) -> None:
    person = await service.newly()
    made = await make(service, person)
    for _ in range(2):
        assert (await service.call("DELETE", f"{MINE}/{made['id']}", by=person)).status_code == 204
    problem(await look_up(service, made), 404, "api-key-not-found")
    assert await service.revoked_sids() == [{f"k{made['id']}-1"}]
    [row] = await service.outbox()
    assert f"k{made['id']}-1" in row["payload"]


async def test_keys_that_have_ended_stay_and_are_listed_on_demand(service: Any) -> None:
    person = await service.newly()
    short, revoked, live = [await make(service, person, expires_in_days=days) for days in (1, 9, 9)]
    await service.call("DELETE", f"{MINE}/{revoked['id']}", by=person)
    service.clock.advance(timedelta(days=2))
    assert await listed(service, person) == [live["id"]]
    assert await listed(service, person, include_ended=True) == [live["id"], revoked["id"], short["id"]]
    shown = (await service.call("GET", f"{MINE}/{revoked['id']}", by=person)).json()
    assert shown["revoked_at"] is not None


async def test_keys_are_their_owners_affair(service: Any, problem: Any) -> None:
    owner, other = await service.newly(), await service.newly()
    made = await make(service, owner)
    path = f"{MINE}/{made['id']}"
    for method in ("GET", "DELETE"):
        problem(await service.call(method, path, by=other), 404, "api-key-not-found")
    assert await listed(service, other) == []
    for method, theirs in (("GET", f"/api/users/{owner.id}/api-keys"), ("DELETE", f"/api/users/{owner.id}/api-keys/1")):
        problem(await service.call(method, theirs, by=other), 403, "forbidden")
    assert (await look_up(service, made)).status_code == 200


async def test_an_administrator_sees_and_revokes_anybodys_keys(service: Any, problem: Any) -> None:
    admin, owner = await service.newly(role="admin"), await service.newly()
    made = await make(service, owner)
    keys = f"/api/users/{owner.id}/api-keys"
    [shown] = (await service.call("GET", keys, by=admin)).json()["items"]
    assert (shown["id"], "key" in shown) == (made["id"], False)
    problem(
        await service.call("DELETE", f"/api/users/{admin.id}/api-keys/{made['id']}", by=admin), 404, "api-key-not-found"
    )
    assert (await service.call("DELETE", f"{keys}/{made['id']}", by=admin)).status_code == 204
    problem(await look_up(service, made), 404, "api-key-not-found")
    problem(await service.call("GET", "/api/users/999999/api-keys", by=admin), 404, "user-not-found")


async def test_of_keys_made_at_once_no_more_than_allowed_are_made(service: Any, problem: Any) -> None:
    person, limit = await service.newly(), service.settings.api_keys_per_user
    made = [await make(service, person) for _ in range(limit - 2)]
    answers = await asyncio.gather(*(service.call("POST", MINE, by=person, json=WANTED) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    problem(next(each for each in answers if each.status_code == 409), 409, "too-many-api-keys")
    await service.call("DELETE", f"{MINE}/{made[0]['id']}", by=person)
    await make(service, person)


async def test_a_closed_account_gets_no_key(service: Any, problem: Any) -> None:
    person = await service.newly()
    await service.sql.execute("UPDATE users SET is_active = false WHERE id = $1", person.id)
    problem(await service.call("POST", MINE, by=person, json=WANTED), 401, "account-deactivated")


async def change(service: Any, person: Any, **wanted: Any) -> None:
    admin = await service.newly(role="admin")
    answer = await service.call("PATCH", f"/api/users/{person.id}", by=admin, json=wanted)
    assert answer.status_code == 200, answer.text


async def test_a_new_role_is_a_new_generation_of_every_live_key(service: Any) -> None:
    person = await service.newly()
    ended, first, second = [await make(service, person) for _ in range(3)]
    await service.call("DELETE", f"{MINE}/{ended['id']}", by=person)
    await change(service, person, role="instructor")
    holder = (await look_up(service, first)).json()
    assert (holder["role"], holder["session_id"]) == ("instructor", f"k{first['id']}-2")
    assert await service.revoked_sids() == [
        {f"k{ended['id']}-1"},
        {person.sid, f"k{first['id']}-1", f"k{second['id']}-1"},
    ]


async def test_a_deactivated_persons_keys_rest_until_they_are_back(service: Any, problem: Any) -> None:
    person = await service.newly()
    made = await make(service, person)
    await change(service, person, is_active=False)
    problem(await look_up(service, made), 404, "api-key-not-found")
    assert {person.sid, f"k{made['id']}-1"} in await service.revoked_sids()
    await change(service, person, is_active=True)
    assert (await look_up(service, made)).json()["session_id"] == f"k{made['id']}-2"


async def test_a_new_password_leaves_keys_alone(service: Any) -> None:
    person = await service.newly()
    made = await make(service, person)
    passwords = {"current_password": person.password, "new_password": "another long phrase"}
    assert (await service.call("POST", "/api/auth/change-password", by=person, json=passwords)).status_code == 204
    assert (await look_up(service, made)).json()["session_id"] == f"k{made['id']}-1"


async def test_a_forgotten_persons_keys_are_revoked_and_nameless(service: Any, problem: Any) -> None:
    person, admin = await service.newly(), await service.newly(role="admin")
    made = await make(service, person, name="Ada's laptop")
    assert (await service.call("POST", f"/api/users/{person.id}/anonymise", by=admin)).status_code == 200
    row = await service.sql.fetchrow("SELECT name, revoked_at FROM api_keys")
    assert row["name"] == "forgotten"
    assert row["revoked_at"] is not None
    problem(await look_up(service, made), 404, "api-key-not-found")


async def test_a_lost_stream_is_refilled_with_the_ended_sessions_of_keys(service: Any) -> None:
    keeper = RevocationKeeper(
        database=service.app.state.database, stream=RevocationStream(service.redis), clock=service.clock
    )
    person = await service.newly()
    old, revoked, live = [await make(service, person) for _ in range(3)]
    await service.call("DELETE", f"{MINE}/{old['id']}", by=person)
    service.clock.advance(KEY_MEMORY + CLOCK_SKEW + timedelta(seconds=1))
    await change(service, person, role="instructor")
    await change(service, person, role="student")
    await service.call("DELETE", f"{MINE}/{revoked['id']}", by=person)
    await service.redis.delete(STREAM)
    assert await keeper.ensure() is True
    refilled = {sid for sids in await service.revoked_sids() for sid in sids if sid.startswith("k")}
    assert refilled == {f"k{revoked['id']}-{number}" for number in (1, 2, 3)} | {
        f"k{live['id']}-{number}" for number in (1, 2)
    }


async def test_a_revocation_reaches_the_gateways_while_redis_is_away(service: Any, redis_server: Any) -> None:
    person = await service.newly()
    made = await make(service, person)
    redis_server.stop()
    try:
        assert (await service.call("DELETE", f"{MINE}/{made['id']}", by=person)).status_code == 204
    finally:
        redis_server.start()
    [row] = await service.outbox()
    assert f"k{made['id']}-1" in row["payload"]


async def test_the_database_holds_a_key_to_its_rules(sql: asyncpg.Connection, service: Any) -> None:
    person = await service.person()
    insert = (
        "INSERT INTO api_keys (user_id, name, public_id, secret_hash, scopes, generation, expires_at)"
        " VALUES ($1, 'n', 'p', 'h', $2, $3, now())"
    )
    for scopes, generation in (([], 1), (["user:read"], 0)):
        with pytest.raises(asyncpg.CheckViolationError):
            await sql.execute(insert, person.id, scopes, generation)
    await sql.execute(insert, person.id, ["user:read"], 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql.execute(insert, person.id, ["user:read"], 1)
