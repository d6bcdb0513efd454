"""The API's description: committed, current, and the source of the gateway's access table."""

from pathlib import Path

from shared.access import API_KEYS, EXTENSION
from shared.openapi import describe, document, dump
from user_service.api.router import DESCRIPTION, ROUTERS, TITLE

COMMITTED = Path(__file__).parents[2] / "openapi.json"


def allowed() -> dict[str, tuple[list[str], str]]:
    paths = document(describe(title=TITLE, routers=ROUTERS))["paths"]
    return {
        f"{method.upper()} {path}": (operation[EXTENSION]["allow"], operation[EXTENSION]["rate"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


def test_the_committed_description_is_current() -> None:
    described = dump(describe(title=TITLE, description=DESCRIPTION, routers=ROUTERS))
    assert COMMITTED.read_text(encoding="utf-8") == described, "run `python -m user_service.openapi > openapi.json`"


def test_every_route_is_open_to_those_it_is_meant_for_and_no_others() -> None:
    assert allowed() == {
        "POST /api/auth/register": (["public"], "login"),
        "POST /api/auth/login": (["public"], "login"),
        "POST /api/auth/refresh": (["public"], "public"),
        "POST /api/auth/logout": (["authenticated"], "default"),
        "POST /api/auth/change-password": (["authenticated"], "heavy"),
        "GET /api/auth/me": (["authenticated"], "default"),
        "PATCH /api/users/me": (["authenticated"], "default"),
        "GET /api/users/me/api-keys": (["authenticated"], "default"),
        "POST /api/users/me/api-keys": (["authenticated"], "default"),
        "GET /api/users/me/api-keys/{key_id}": (["authenticated"], "default"),
        "DELETE /api/users/me/api-keys/{key_id}": (["authenticated"], "default"),
        "GET /api/users/{user_id}/api-keys": (["admin"], "default"),
        "DELETE /api/users/{user_id}/api-keys/{key_id}": (["admin"], "default"),
        "GET /api/users": (["admin"], "default"),
        "GET /api/users/{user_id}": (["admin"], "default"),
        "PATCH /api/users/{user_id}": (["admin"], "default"),
        "POST /api/users/{user_id}/anonymise": (["admin"], "default"),
        "GET /api/instructors": (["public"], "public"),
        "GET /api/instructors/{user_id}": (["public"], "public"),
        "PUT /api/instructors/me": (["instructor"], "default"),
    }


def test_keys_are_not_accepted_where_sessions_passwords_roles_or_keys_are_at_stake() -> None:
    paths = document(describe(title=TITLE, routers=ROUTERS))["paths"]
    refused = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if operation[EXTENSION].get(API_KEYS) is False
    }
    assert refused == {each for each in allowed() if "/api-keys" in each} | {
        "POST /api/auth/logout",
        "POST /api/auth/change-password",
        "PATCH /api/users/{user_id}",
        "POST /api/users/{user_id}/anonymise",
    }
