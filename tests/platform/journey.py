"""One person's way through the platform: well-behaved, mistaken and refused, so that every part writes about them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import httpx

from ..e2e.people import Person, Platform
from .collector import Collector
from .processes import RunningPlatform


@dataclass(frozen=True)
class Traveller:
    """What nobody may find out from logs, spans or metrics: each value is unique to this person."""

    secrets: dict[str, str]


def travel(platform: Platform, running: RunningPlatform, collector: Collector) -> Traveller:
    """Register, log in, learn, fail, leave; return when the last of it is consumed."""
    mark = secrets.token_hex(6)
    email, name, password = f"zoe.{mark}@journey.example", f"Zoe Wanderer-{mark}", f"pass phrase {mark}"
    trace_id = secrets.token_hex(16)
    answer = platform.client.post(
        "/api/auth/register",
        json={"email": email, "password": password, "full_name": name},
        headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
    )
    assert answer.status_code == 201, answer.text
    person = platform.log_in(email, password)
    tokens = {f"first {kind}": value for kind, value in person.tokens.items() if kind.endswith("_token")}
    made = person.post("/api/users/me/api-keys", {"name": name, "scopes": ["course:read", "user:read"]})
    assert made.status_code == 201, made.text
    key: str = made.json()["key"]
    _err(platform, email, name, password)
    _learn(platform, person)
    _automate(platform, key, trace_id)
    renewed = person.refresh().raise_for_status().json()
    tokens |= {f"second {kind}": value for kind, value in renewed.items() if kind.endswith("_token")}
    person.refresh()  # again: theft, the family is revoked
    last = {"X-Request-ID": f"last-{secrets.token_hex(8)}"}
    platform.client.post("/api/auth/logout", json={"refresh_token": renewed["refresh_token"]}, headers=last)
    collector.wait_for(
        lambda _: any(span.name.startswith("consume ") for span in collector.trace(trace_id)), what="the welcome"
    )
    collector.wait_for(lambda _: last["X-Request-ID"] in running.log("nginx"), what="the access log's last line")
    hidden = {"email": email, "name": name, "password": password, "mark": mark, "API key": key.split("_", 2)[2]}
    return Traveller(hidden | tokens)


def _err(platform: Platform, email: str, name: str, password: str) -> None:
    """Requests that are refused, with personal things in every place where a client might put them."""
    again = {"email": email, "password": password, "full_name": name}
    refused = [
        platform.client.post("/api/auth/register", json=again),
        platform.client.post("/api/auth/register", json=again | {"role": name}),
        platform.client.post("/api/auth/login", json={"email": email, "password": f"{password}!"}),
        platform.client.post("/api/auth/login", content=f"{{{email} {password}".encode()),
        platform.client.get("/api/auth/me", headers={"Authorization": f"Bearer {password.replace(' ', '')}.{email}"}),
        platform.client.get("/api/auth/me", headers={"Cookie": f"session={password}", "X-User-ID": email}),
        platform.client.get("/api/courses/x", params={"q": email, "token": password}),
    ]
    assert all(400 <= answer.status_code < 500 for answer in refused), [each.status_code for each in refused]


def _learn(platform: Platform, person: Person) -> None:
    """What any member does: look at themselves, at courses and at their notifications, and take a course."""
    instructor = platform.new_instructor(platform.log_in(**platform.admin))
    course = platform.author_course(instructor)
    answers: list[httpx.Response] = [
        person.get("/api/auth/me"),
        platform.client.get("/api/courses", params={"q": person.email, "search": person.password}),
        person.get(f"/api/courses/{course['id']}"),
        person.post("/api/enrollments", {"course_id": course["id"]}),
        person.get("/api/enrollments/my-courses"),
        person.get("/api/notifications"),
        person.post(f"/api/courses/{course['id']}/publish"),
    ]
    assert all(answer.status_code < 500 for answer in answers), [each.text for each in answers]


def _automate(platform: Platform, key: str, trace_id: str) -> None:
    """What a script does with an API key, and where it should not have put it."""
    headers = {"Authorization": f"Bearer {key}", "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    answers = [
        platform.client.get("/api/auth/me", headers=headers),
        platform.client.get("/api/courses", headers=headers, params={"key": key}),
        platform.client.post("/api/enrollments", headers=headers, json={"course_id": key}),
        platform.client.get("/api/auth/me", headers={"X-API-Key": key, "Authorization": f"Bearer {key}{key}"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 403, 401], [each.text for each in answers]
