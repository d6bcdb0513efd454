"""Repeating a POST with an `Idempotency-Key`, through the gateway."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from ..e2e.people import Platform, problem, unique
from .world import World


def test_a_request_sent_ten_times_at_once_is_carried_out_once(world: World) -> None:
    key = {"Idempotency-Key": f'"{uuid4()}"'}
    draft = {"title": unique("Once"), "description": "And never again."}

    def send(_: int) -> httpx.Response:
        return world.instructor.post("/api/courses", draft, headers=key)

    with ThreadPoolExecutor(10) as senders:
        answers = list(senders.map(send, range(10)))
    assert {(each.status_code, each.content, each.headers["Location"]) for each in answers} == {
        (201, answers[0].content, answers[0].headers["Location"])
    }
    assert [each.headers.get("Idempotency-Replayed") for each in answers].count("true") == 9
    assert len({each.headers["X-Request-ID"] for each in answers}) == 10, "each is a request of its own"
    other = world.instructor.post("/api/courses", draft | {"title": "Another"}, headers=key)
    assert problem(other, 422)["type"].endswith("idempotency-key-reused")


def test_what_is_no_key_is_refused_and_what_takes_none_ignores_it(platform: Platform, world: World) -> None:
    bad = {"Idempotency-Key": "not a key"}
    refused = world.instructor.post("/api/courses", {"title": "No", "description": ""}, headers=bad)
    assert problem(refused, 400)["type"].endswith("idempotency-key-invalid")
    newcomer = {"email": f"{unique('twice')}@example.org", "password": "a long pass phrase", "full_name": "Twice"}
    answers = [platform.client.post("/api/auth/register", json=newcomer, headers=bad) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 409]
