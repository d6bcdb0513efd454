"""A person's list, as its owner and as others see it."""

from typing import Any

import pytest


async def test_the_newest_come_first_and_page_by_page(world: Any) -> None:
    [ada] = await world.welcomed()
    await world.deliver(*(world.registration(ada) for _ in range(4)))  # four more events, so four more notifications
    await world.settled()
    async with world.client(ada) as client:
        pages = [(await client.get("/api/notifications", params={"page": n, "size": 2})).json() for n in (1, 2, 3)]
    ids = [item["id"] for page in pages for item in page["items"]]
    assert ids == sorted(ids, reverse=True)
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert {key: pages[0][key] for key in ("total", "total_is_exact", "page", "size", "pages")} == {
        "total": 5,
        "total_is_exact": True,
        "page": 1,
        "size": 2,
        "pages": 3,
    }


async def test_a_notification_is_marked_as_read_and_unread(world: Any) -> None:
    [ada] = await world.welcomed()
    async with world.client(ada) as client:
        [welcome] = (await client.get("/api/notifications", params={"unread": True})).json()["items"]
        assert (welcome["is_read"], welcome["read_at"]) == (False, None)
        url = f"/api/notifications/{welcome['id']}"

        read = (await client.patch(url, json={"is_read": True})).json()
        assert read == welcome | {"is_read": True, "read_at": read["read_at"]}
        assert read["read_at"] is not None
        assert (await client.patch(url, json={"is_read": True})).json() == read, "the first reading counts"
        assert (await client.get("/api/notifications", params={"unread": True})).json()["items"] == []
        assert (await client.get("/api/notifications")).json()["items"] == [read]

        assert (await client.patch(url, json={"is_read": False})).json() == welcome


async def test_all_of_ones_own_are_marked_as_read_at_once(world: Any) -> None:
    ada, bob = await world.welcomed(2)
    async with world.client(ada) as client:
        assert (await client.post("/api/notifications/read-all")).json() == {"marked": 1}
        assert (await client.post("/api/notifications/read-all")).json() == {"marked": 0}
        assert (await client.get("/api/notifications")).json()["items"][0]["is_read"]
    async with world.client(bob) as client:
        assert not (await client.get("/api/notifications")).json()["items"][0]["is_read"]


async def test_marking_all_again_with_the_same_key_is_answered_as_before(world: Any) -> None:
    [ada] = await world.welcomed()
    async with world.client(ada) as client:
        key = {"Idempotency-Key": "one-key"}
        first, again = [await client.post("/api/notifications/read-all", headers=key) for _ in range(2)]
        assert first.json() == again.json() == {"marked": 1}
        assert again.headers["Idempotency-Replayed"] == "true"


async def test_the_badge_counts_what_is_unread(world: Any) -> None:
    ada, bob = await world.welcomed(2)
    await world.deliver(*(world.enrollment(ada) for _ in range(2)))
    await world.settled()
    async with world.client(ada) as client:
        assert (await client.get("/api/notifications/unread-count")).json() == {"unread": 3, "is_exact": True}
        [newest, *_] = (await client.get("/api/notifications")).json()["items"]
        await client.patch(f"/api/notifications/{newest['id']}", json={"is_read": True})
        assert (await client.get("/api/notifications/unread-count")).json() == {"unread": 2, "is_exact": True}
    async with world.client(bob) as client:
        assert (await client.get("/api/notifications/unread-count")).json() == {"unread": 1, "is_exact": True}


async def test_a_badge_over_a_thousand_says_that_there_are_more(world: Any) -> None:
    ada = await world.new_user()
    await world.sql.execute(
        "INSERT INTO notifications (user_id, event_id, type, title, body)"
        " SELECT $1, gen_random_uuid(), 'welcome', '', '' FROM generate_series(1, 1001)",
        ada,
    )
    async with world.client(ada) as client:
        assert (await client.get("/api/notifications/unread-count")).json() == {"unread": 1000, "is_exact": False}


@pytest.mark.parametrize("role", ["student", "instructor", "admin"])
async def test_another_persons_notification_does_not_exist(world: Any, role: str) -> None:
    ada, bob = await world.welcomed(2)
    async with world.client(ada) as client:
        [hers] = (await client.get("/api/notifications")).json()["items"]
    async with world.client(bob, role) as client:
        assert hers["id"] not in [item["id"] for item in (await client.get("/api/notifications")).json()["items"]]
        refused = await client.patch(f"/api/notifications/{hers['id']}", json={"is_read": True})
        absent = await client.patch("/api/notifications/999999", json={"is_read": True})
    assert refused.status_code == absent.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == absent.json()["type"], "whether it exists is not told"
    async with world.client(ada) as client:
        assert (await client.get("/api/notifications")).json()["items"] == [hers]


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/api/notifications", None),
        ("PATCH", "/api/notifications/1", {"is_read": True}),
        ("POST", "/api/notifications/read-all", None),
        ("GET", "/api/notifications/unread-count", None),
        ("GET", "/api/notifications/preferences", None),
        ("PATCH", "/api/notifications/preferences", {"preferences": [{"type": "welcome", "email": False}]}),
        ("GET", "/api/notifications/push/key", None),
        ("GET", "/api/notifications/push/subscriptions", None),
        ("DELETE", "/api/notifications/push/subscriptions/1", None),
        ("GET", "/api/notifications/dead-letters/events", None),
        ("DELETE", "/api/notifications/dead-letters/events/1", None),
        ("GET", "/api/notifications/dead-letters/deliveries", None),
    ],
)
async def test_requests_around_the_gateway_and_anonymous_ones_are_refused(
    world: Any, method: str, target: str, body: dict[str, Any] | None
) -> None:
    spoofed = {"X-User-ID": "1", "X-User-Role": "admin"}
    async with world.stranger() as client:
        unsigned = await client.request(method, target, json=body, headers=spoofed)
    async with world.client() as client:
        anonymous = await client.request(method, target, json=body)
    assert (unsigned.status_code, unsigned.json()["type"]) == (401, "urn:smartcourse:problem:identity-not-verified")
    assert anonymous.status_code == 401


@pytest.mark.parametrize(
    ("method", "target", "body", "field"),
    [
        ("PATCH", "/api/notifications/1", {"is_read": True, "title": "Mine"}, "body.title"),
        ("PATCH", "/api/notifications/1", {}, "body.is_read"),
        ("PATCH", "/api/notifications/0", {"is_read": True}, "path.notification_id"),
        ("PATCH", f"/api/notifications/{2**63}", {"is_read": True}, "path.notification_id"),
        ("GET", "/api/notifications?size=101", None, "query.size"),
        ("GET", "/api/notifications?unread=perhaps", None, "query.unread"),
    ],
)
async def test_what_cannot_be_understood_is_named(
    world: Any, method: str, target: str, body: dict[str, Any] | None, field: str
) -> None:
    async with world.client(1) as client:
        answer = await client.request(method, target, json=body)
    assert answer.status_code == 422
    assert field in [error["loc"] for error in answer.json()["errors"]]
