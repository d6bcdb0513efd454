"""A script with an API key, through the whole platform."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from ..e2e.people import Person, Platform, created, problem
from .processes import Stores
from .world import World

MINE = "/api/users/me/api-keys"
SOON_SECONDS = 1.0


def make(person: Person, *scopes: str) -> dict[str, Any]:
    return created(person.post(MINE, {"name": "nightly report", "scopes": [*scopes]}))


def call(platform: Platform, key: dict[str, Any], path: str, method: str = "GET", **options: Any) -> httpx.Response:
    return platform.client.request(method, path, headers={"Authorization": f"Bearer {key['key']}"}, **options)


def soon(condition: Callable[[], bool]) -> None:
    """Wait until something is so; it must not take longer than a second from now."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < SOON_SECONDS, "did not take effect within a second"


@pytest.fixture
def student(platform: Platform) -> Person:
    return platform.new_student()


def test_a_script_reads_in_its_owners_name_and_no_more(platform: Platform, student: Person) -> None:
    key = make(student, "user:read", "course:read")
    assert call(platform, key, "/api/auth/me").json()["id"] == student.id
    assert call(platform, key, "/api/enrollments/my-courses").status_code == 200
    assert "notification:read" in problem(call(platform, key, "/api/notifications"), 403)["detail"]
    renaming = call(platform, key, "/api/users/me", "PATCH", json={"full_name": "Mallory"})
    assert "user:write" in problem(renaming, 403)["detail"]
    assert student.get(f"{MINE}/{key['id']}").json()["last_used_at"] is not None


def test_a_scope_does_not_exceed_the_role(platform: Platform, student: Person, world: World) -> None:
    course = {"title": "By a script", "description": "From A to Z."}
    refused = call(platform, make(student, "course:write"), "/api/courses", "POST", json=course)
    assert "instructor" in problem(refused, 403)["detail"]
    key = make(world.instructor, "course:write")
    made = created(call(platform, key, "/api/courses", "POST", json=course))
    assert made["instructor"]["id"] == world.instructor.id


def test_a_key_can_do_nothing_about_keys_sessions_passwords_or_roles(platform: Platform, world: World) -> None:
    key = make(world.admin, "user:read", "user:write")
    attempts = [
        ("GET", MINE, None),
        ("POST", MINE, {"name": "another", "scopes": ["user:read"]}),
        ("DELETE", f"{MINE}/{key['id']}", None),
        ("GET", f"/api/users/{world.student.id}/api-keys", None),
        ("POST", "/api/auth/logout", None),
        ("POST", "/api/auth/change-password", {"current_password": "x", "new_password": "a long phrase"}),
        ("PATCH", f"/api/users/{world.student.id}", {"role": "admin"}),
        ("POST", f"/api/users/{world.student.id}/anonymise", None),
    ]
    for method, path, body in attempts:
        assert "not accepted" in problem(call(platform, key, path, method, json=body), 403)["detail"], path
    assert call(platform, key, "/api/users").status_code == 200


def test_a_revoked_key_is_refused_within_a_second(platform: Platform, student: Person) -> None:
    key, other = make(student, "user:read"), make(student, "user:read")
    assert call(platform, key, "/api/auth/me").status_code == 200
    assert student.request("DELETE", f"{MINE}/{key['id']}").status_code == 204
    soon(lambda: call(platform, key, "/api/auth/me").status_code == 401)
    assert call(platform, other, "/api/auth/me").status_code == 200


def test_an_administrator_revokes_a_key_for_its_owner(platform: Platform, student: Person, world: World) -> None:
    key = make(student, "user:read")
    assert call(platform, key, "/api/auth/me").status_code == 200
    assert world.admin.request("DELETE", f"/api/users/{student.id}/api-keys/{key['id']}").status_code == 204
    soon(lambda: call(platform, key, "/api/auth/me").status_code == 401)


def test_a_key_has_its_owners_new_role_within_a_second(platform: Platform, world: World) -> None:
    person = platform.new_instructor(world.admin)
    key = make(person, "course:read", "course:write")
    assert call(platform, key, "/api/courses/mine").status_code == 200
    demoted = world.admin.request("PATCH", f"/api/users/{person.id}", json={"role": "student"})
    assert demoted.status_code == 200
    soon(lambda: call(platform, key, "/api/courses/mine").status_code == 403)
    assert call(platform, key, "/api/enrollments/my-courses").status_code == 200


def test_a_deactivated_persons_key_is_refused_within_a_second(
    platform: Platform, student: Person, world: World
) -> None:
    key = make(student, "user:read")
    assert call(platform, key, "/api/auth/me").status_code == 200
    world.admin.request("PATCH", f"/api/users/{student.id}", json={"is_active": False}).raise_for_status()
    soon(lambda: call(platform, key, "/api/auth/me").status_code == 401)


async def test_an_expired_key_is_refused(platform: Platform, student: Person, stores: Stores) -> None:
    key = make(student, "user:read")
    connection = await asyncpg.connect(stores.databases["user"])
    try:
        await connection.execute("UPDATE api_keys SET expires_at = now() WHERE id = $1", key["id"])
    finally:
        await connection.close()
    problem(call(platform, key, "/api/auth/me"), 401)
    assert student.get(MINE).json()["items"] == []


def test_a_key_in_a_query_or_cookie_is_ignored(platform: Platform, student: Person) -> None:
    key = make(student, "user:read")["key"]
    problem(platform.client.get("/api/auth/me", params={"access_token": key, "api_key": key}), 401)
    problem(platform.client.get("/api/auth/me", headers={"Cookie": f"token={key}", "X-API-Key": key}), 401)


def test_a_key_of_another_making_is_refused(platform: Platform, student: Person) -> None:
    key = make(student, "user:read")["key"]
    for wrong in (key[:-1], key[:-1] + ("0" if key[-1] != "0" else "1"), "sck_", key.replace("sck_", "sck_x")):
        problem(platform.client.get("/api/auth/me", headers={"Authorization": f"Bearer {wrong}"}), 401)


def test_the_lookup_of_keys_is_not_reached_from_outside(platform: Platform, world: World) -> None:
    target = f"/internal/api-keys/{'0' * 16}?digest={'0' * 64}"
    problem(platform.client.get(target), 404)
    problem(world.admin.get(target), 404)
