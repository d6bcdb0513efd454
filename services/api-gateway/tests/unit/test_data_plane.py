"""What other data planes are told. What they make of it is tested with the real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from api_gateway.data_plane import envoy, traefik
from api_gateway.data_plane.headers import REMOVED, REPLACED
from api_gateway.data_plane.prefixes import checkout_table, prefixes
from api_gateway.routing import Route, RouteTableError
from shared import identity

ROOT = Path(__file__).resolve().parents[4]


def route(service: str, path: str) -> Route:
    names = re.findall(r"{(\w+)}", path)
    return Route(service, "GET", path, ("public",), "public", dict.fromkeys(names, "integer"))


def test_a_prefix_is_as_short_as_two_services_allow() -> None:
    routes = [
        route("course", "/api/courses"),
        route("course", "/api/courses/{id}/modules"),
        route("user", "/api/me/sessions/{id}"),
        route("course", "/api/me/courses"),
        route("course", "/api/me/courses/{id}"),
    ]
    assert prefixes(routes) == {"/api/courses": "course", "/api/me/courses": "course", "/api/me/sessions": "user"}


@pytest.mark.parametrize(
    "paths",
    [
        [("user", "/api/me"), ("course", "/api/me/courses")],
        [("user", "/api/courses/{id}/owner"), ("course", "/api/courses/{id}/modules")],
        [("user", "/api/{id}")],
    ],
)
def test_services_that_no_prefix_tells_apart_are_refused(paths: list[tuple[str, str]]) -> None:
    with pytest.raises(RouteTableError, match="can't choose"):
        prefixes([route(*each) for each in paths])


def test_every_route_of_this_checkout_is_below_exactly_one_prefix_and_it_is_its_services() -> None:
    routes = checkout_table().routes
    found = prefixes(routes)
    assert len(routes) > 50
    for each in routes:
        owners = [service for prefix, service in found.items() if f"{each.path}/".startswith(f"{prefix}/")]
        assert owners == [each.service], each.path


def test_every_header_that_the_gateway_vouches_for_is_replaced_and_no_secret_is_kept() -> None:
    vouched = {getattr(identity, name) for name in dir(identity) if name.endswith("_HEADER")}
    assert vouched <= set(REPLACED)
    assert {"Authorization", "Cookie", "Proxy-Authorization"} <= set(REMOVED)
    assert not {name.lower() for name in REPLACED} & {name.lower() for name in REMOVED}
    told = traefik.middlewares("http://decision")["decide"]["forwardAuth"]
    assert set(told["authResponseHeaders"]) == {*REPLACED, *REMOVED}
    assert not any(re.search(traefik.ALIASES, name) for name in told["authResponseHeaders"])


def test_the_committed_files_are_current() -> None:
    table = checkout_table()
    chart = json.loads((ROOT / "charts/smartcourse/files/traefik.json").read_text(encoding="utf-8"))
    assert chart == json.loads(json.dumps(traefik.document(table.routes)))
    example = json.loads((ROOT / "docs/data-plane/envoy.json").read_text(encoding="utf-8"))
    assert example == json.loads(json.dumps(envoy.example()))
