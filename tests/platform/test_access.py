"""Who may call what: each operation that the gateway publishes, by each class of caller."""

from __future__ import annotations

import httpx
import pytest

from ..e2e.people import Platform, problem
from .operations import CALLERS, DOCUMENT, METHODS, OPERATIONS, Operation, may
from .world import World

LAST = "POST /api/auth/logout"  # it ends its caller's session


def test_the_gateway_publishes_what_the_services_declare(platform: Platform) -> None:
    assert platform.client.get("/openapi.json").json() == DOCUMENT
    assert len(OPERATIONS) > 70


def is_as_declared(answer: httpx.Response, operation: Operation, caller: str) -> bool:
    if may(caller, operation.allow):
        return answer.status_code < 500 and answer.status_code not in (401, 403, 405)
    if answer.headers["Content-Type"] != "application/problem+json":
        return False
    if caller == "anonymous":
        return answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    return answer.status_code == 403


@pytest.mark.parametrize("caller", CALLERS)
def test_an_operation_is_open_to_those_it_declares_and_to_nobody_else(
    platform: Platform, world: World, caller: str
) -> None:
    wrong = {}
    for operation in sorted(OPERATIONS, key=lambda each: each.label == LAST):
        answer = platform.client.request(operation.method, operation.unused_path, headers=world.headers(caller))
        if not is_as_declared(answer, operation, caller):
            wrong[operation.label] = answer.status_code
    assert wrong == {}
    if caller != "anonymous":
        world.log_in_again(caller)


def test_a_token_that_is_no_good_is_refused_wherever_tokens_are_looked_at(platform: Platform) -> None:
    for operation in (each for each in OPERATIONS if each.reads_token):
        for token in ("Bearer x.y.z", "Basic cm9vdDpyb290", "Bearer"):
            sent = {"Authorization": token}
            problem(platform.client.request(operation.method, operation.unused_path, headers=sent), 401)


def test_a_refresh_token_that_was_given_out_opens_nothing(platform: Platform) -> None:
    person = platform.new_student()
    sent = {"Authorization": f"Bearer {person.tokens['refresh_token']}"}
    for operation in (each for each in OPERATIONS if each.reads_token):
        problem(platform.client.request(operation.method, operation.unused_path, headers=sent), 401)
    assert person.refresh().status_code == 200, "what it is for it still did"


def test_no_service_takes_another_method_from_a_query_or_form(platform: Platform, world: World) -> None:
    """Each is told a method that its path does not have: who believed it would answer 405."""
    declared: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        declared.setdefault(operation.path, set()).add(operation.method)
    for operation in sorted(OPERATIONS, key=lambda each: each.label == LAST):
        for method in sorted({each.upper() for each in METHODS} - declared[operation.path]):
            told = dict.fromkeys(("_method", "method", "_http_method", "X-HTTP-Method-Override"), method)
            form = told if operation.method != "GET" else None
            answer = platform.client.request(
                operation.method, operation.unused_path, params=told, data=form, headers=world.headers("admin")
            )
            assert answer.status_code < 500, operation.label
            assert answer.status_code != 405, operation.label
    world.log_in_again("admin")


def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(platform: Platform, world: World) -> None:
    declared: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        declared.setdefault(operation.unused_path, set()).add(operation.method)
    for path, methods in declared.items():
        for method in sorted({*(each.upper() for each in METHODS), "OPTIONS", "TRACE"} - methods):
            answer = platform.client.request(method, path, headers=world.headers("admin"))
            problem(answer, 405)
            if method != "TRACE":  # refused before anybody looks at the path
                allowed = set(answer.headers["Allow"].split(", "))
                assert allowed - {"HEAD"} == methods, path


@pytest.mark.parametrize("caller", ["anonymous", "admin"])
def test_a_path_that_no_operation_has_is_not_found_by_anybody(platform: Platform, world: World, caller: str) -> None:
    known = {operation.unused_path for operation in OPERATIONS}
    near = {f"{path}{end}" for path in known for end in ("/", "x/y/z")} | {
        path.replace("/api/", f"/{prefix}/") for path in known for prefix in ("API", "internal", "api/v1")
    }
    missing = [*sorted(near - known), "/", "/api", "/metrics", "/health/ready", "/openapi.yaml", "/_decide"]
    found = {
        path: answer.status_code
        for path in missing
        for answer in [platform.client.get(path, headers=world.headers(caller))]
        if answer.status_code != 404
    }
    assert found == {}
