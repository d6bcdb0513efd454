"""Every error is a problem document (RFC 9457)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.middleware import body_limit
from shared.middleware.body_limit import BodyLimitMiddleware

MEMBERS = {"type", "title", "status", "detail", "instance", "trace_id"}


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [
        ("/api/example/broken/full", 409, "course-full"),
        ("/api/example/broken/limited", 429, "rate-limited"),
        ("/api/example/broken/away", 503, "unavailable"),
        ("/api/example/broken/teapot", 418, "i-m-a-teapot"),
        ("/api/example/broken/anyhow", 500, "internal-error"),
        ("/api/nowhere", 404, "not-found"),
        ("/api/example/raw", 405, "method-not-allowed"),
    ],
)
async def test_an_error_is_answered_with_all_members(client, path: str, status: int, slug: str) -> None:
    answer = await client().get(path)
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() >= MEMBERS
    assert problem["type"] == f"urn:smartcourse:problem:{slug}"
    assert problem["instance"] == path
    assert len(problem["trace_id"]) == 32


async def test_facts_of_an_error_are_added_but_replace_nothing(client) -> None:
    problem = (await client().get("/api/example/broken/full")).json()
    assert problem["capacity"] == 30
    assert problem["status"] == 409
    assert problem["detail"] == "Course 7 holds 30."


async def test_an_error_that_passes_says_when(client) -> None:
    assert (await client().get("/api/example/broken/limited")).headers["retry-after"] == "9"
    assert (await client().get("/api/example/broken/away")).headers["x-reason"] == "test"


async def test_an_unforeseen_error_keeps_its_details_inside(client) -> None:
    answer = await client().get("/api/example/broken/anyhow")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text


async def test_a_method_that_does_not_exist_names_those_that_do(client) -> None:
    assert (await client().get("/api/example/raw")).headers["allow"] == "POST"


async def test_validation_names_each_value_and_repeats_none(client) -> None:
    answer = await client().post("/api/example/things/x", json={"name": 5, "password": "hunter2", "role": "admin"})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:smartcourse:problem:validation-failed"
    errors = {each["loc"]: each["message"] for each in answer.json()["errors"]}
    assert errors.keys() == {"path.thing_id", "body.name", "body.password", "body.role"}
    assert "hunter2" not in answer.text


async def test_a_body_that_is_no_json_is_a_validation_problem(client) -> None:
    answer = await client().post("/api/example/things/1", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"].startswith("body")


async def chunks(total: int) -> AsyncIterator[bytes]:
    for _ in range(total // 100):
        yield b"x" * 100


@pytest.mark.parametrize("path", ["/api/example/raw", "/api/example/things/1", "/api/example/stubborn"])
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_body_over_the_limit_is_413(client, path: str, is_streamed: bool) -> None:
    body = chunks(1100) if is_streamed else b"x" * 1100
    answer = await client().post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:smartcourse:problem:payload-too-large"


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_route_may_declare_a_limit_of_its_own(client, is_streamed: bool) -> None:
    path = "/api/example/uploads/a"
    assert (await client().post(path, content=chunks(5000) if is_streamed else b"x" * 5000)).json() == 5000
    answer = await client().post(path, content=chunks(5100) if is_streamed else b"x" * 5100)
    assert answer.status_code == 413
    assert "5000 bytes" in answer.json()["detail"]
    assert (await client().post("/api/example/uploads/a/b", content=b"x" * 1100)).status_code == 413


async def answer_unread(message: dict[str, Any]) -> tuple[list[str], int]:
    """What an application that reads no body sends, and how often it is asked whether more has come."""
    sent: list[str] = []
    asked = 0

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked > 3 and message.get("more_body", True):
            await asyncio.sleep(60)
        assert sent == []  # the answer waits
        return message if asked == 3 else {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"900")]}
    await BodyLimitMiddleware(application, maximum_bytes=1000)(scope, receive, send)
    return sent, asked


@pytest.mark.parametrize(
    "last", [{"type": "http.request", "body": b"x", "more_body": False}, {"type": "http.disconnect"}]
)
async def test_an_answer_waits_until_the_body_is_over(last: dict[str, Any]) -> None:
    assert await answer_unread(last) == (["http.response.start", "http.response.body"], 3)


async def test_an_answer_does_not_wait_for_a_body_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "LINGER_SECONDS", 0.05)
    stalls = {"type": "http.request", "body": b"x", "more_body": True}
    assert await answer_unread(stalls) == (["http.response.start", "http.response.body"], 4)


async def test_a_body_at_the_limit_passes(client) -> None:
    assert (await client().post("/api/example/raw", content=b"x" * 1000)).json() == 1000
    assert (await client().post("/api/example/raw", content=chunks(1000))).json() == 1000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (rb'{"\ud800": 1}', 422),
        (rb'{"name": "\ud800", "password": "\ud800"}', 422),
        (b'{"name": NaN}', 422),
        (rb'"\ud800"', 422),
        (b"[" * 900, 422),
        (b'{"name": "\xff"}', 400),
    ],
)
async def test_a_body_that_is_broken_is_a_problem_of_the_clients(client, body: bytes, status: int) -> None:
    answer = await client().post("/api/example/things/1", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == answer.json()["status"] == status
