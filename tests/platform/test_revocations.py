"""What ends a person's sessions reaches every gateway within a second of its answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import httpx
import pytest

from ..e2e.people import Person, Platform, problem
from .processes import RunningPlatform
from .world import World

LONGEST_SECONDS = 1.0


def deactivated(world: World, person: Person) -> httpx.Response:
    return world.admin.request("PATCH", f"/api/users/{person.id}", json={"is_active": False})


def demoted(world: World, person: Person) -> httpx.Response:
    return world.admin.request("PATCH", f"/api/users/{person.id}", json={"role": "student"})


def password_changed_elsewhere(world: World, person: Person) -> httpx.Response:
    other = world.platform.log_in(person.email, person.password)
    change = {"current_password": person.password, "new_password": "another pass phrase"}
    return other.post("/api/auth/change-password", change)


@pytest.mark.parametrize("happens", [deactivated, demoted, password_changed_elsewhere])
def test_a_token_is_dead_at_each_gateway_within_a_second(
    platform: Platform,
    world: World,
    running: RunningPlatform,
    happens: Callable[[World, Person], httpx.Response],
) -> None:
    person = platform.new_instructor(world.admin)
    sent = {"Authorization": f"Bearer {person.tokens['access_token']}"}
    with contextlib.ExitStack() as stack:
        gateways = [stack.enter_context(httpx.Client(base_url=url, headers=sent, timeout=30)) for url in running.urls]
        assert [each.get("/api/auth/me").status_code for each in gateways] == [200, 200], "both know the token"
        answer = happens(world, person)
        ended = time.monotonic()
        assert answer.status_code in (200, 204), answer.text
        while 200 in {(refusal := each.get("/api/auth/me")).status_code for each in gateways}:
            assert time.monotonic() - ended < LONGEST_SECONDS, "the token is still good"
        problem(refusal, 401)
    problem(person.refresh(), 401)
