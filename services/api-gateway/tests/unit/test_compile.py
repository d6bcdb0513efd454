"""From the services' OpenAPI documents to the gateway's two files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api_gateway.compile import compile_files, main
from api_gateway.openapi import with_rates
from api_gateway.rates import Policies, Policy
from api_gateway.routing import Carriage, CompiledTable, RouteTableError
from shared.api_keys import Scope

ROOT = Path(__file__).resolve().parents[4]
PUBLIC = {"allow": ["public"], "rate": "public"}
ADMIN = {"allow": ["admin"]}
POLICIES = Policies(
    default=Policy("user", 50), public=Policy("public", 40), login=Policy("login", 30), heavy=Policy("heavy", 20)
)


def operation(access: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "OK"}}, **({"x-smartcourse-access": access} if access else {}), **more}


def compiled(tmp_path: Path, **services: dict[str, Any]) -> int:
    sources = []
    for name, content in services.items():
        file = tmp_path / f"{name}-service" / "openapi.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"openapi": "3.1.0", **content}))
        sources.append(str(file))
    return main(["--openapi", *sources, "--out", str(tmp_path / "out")])


def merged(tmp_path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((tmp_path / "out" / "openapi.json").read_text())
    return document


def test_both_files_say_what_the_services_declare(tmp_path: Path) -> None:
    user = {"paths": {"/api/users": {"get": operation(ADMIN, operationId="list_users")}}}
    course = {"paths": {"/api/courses": {"get": operation(PUBLIC), "post": operation(ADMIN)}}}
    assert compiled(tmp_path, user=user, course=course) == 0
    table = CompiledTable.load(tmp_path / "out" / "routes.json")
    assert [(r.service, r.method, r.path, r.allow, r.rate) for r in table.routes] == [
        ("course", "GET", "/api/courses", ("public",), "public"),
        ("course", "POST", "/api/courses", ("admin",), "default"),
        ("user", "GET", "/api/users", ("admin",), "default"),
    ]
    document = merged(tmp_path)
    courses = document["paths"]["/api/courses"]
    assert "security" not in courses["get"]
    assert courses["post"]["security"] == [{"bearerAuth": []}, {"apiKeyAuth": ["course:write"]}]
    assert courses["get"]["tags"] == ["course"]
    assert document["components"]["schemas"]["Problem"]["required"][:3] == ["type", "title", "status"]
    assert {scheme["scheme"] for scheme in document["components"]["securitySchemes"].values()} == {"bearer"}


def test_a_route_says_which_scope_a_key_needs_or_that_keys_are_not_accepted(tmp_path: Path) -> None:
    item = {"get": operation({"allow": ["student"]}), "post": operation({"allow": ["student"], "apiKeys": False})}
    assert compiled(tmp_path, notification={"paths": {"/api/a": item}}) == 0
    reading, writing = CompiledTable.load(tmp_path / "out" / "routes.json").routes
    assert (reading.api_keys, reading.scope, writing.api_keys) == (True, "notification:read", False)
    described = merged(tmp_path)["paths"]["/api/a"]
    assert described["get"]["security"] == [{"bearerAuth": []}, {"apiKeyAuth": ["notification:read"]}]
    assert "API keys need the scope `notification:read`." in described["get"]["description"]
    assert described["post"]["security"] == [{"bearerAuth": []}]
    assert "API keys are not accepted." in described["post"]["description"]


def test_the_gateways_own_answers_are_added_by_who_may_call(tmp_path: Path) -> None:
    user = {"allow": ["authenticated"]}
    told = {"409": {"description": "Taken"}, "503": {"description": "Away, as the service puts it"}}
    post = operation(ADMIN) | {"responses": told}
    paths = {"/api/a": {"get": operation(PUBLIC), "post": operation(PUBLIC), "put": operation(user)}}
    assert compiled(tmp_path, course={"paths": paths | {"/api/b": {"post": post}}}) == 0
    answers = {
        f"{method} {path}": operation["responses"]
        for path, item in merged(tmp_path)["paths"].items()
        for method, operation in item.items()
    }
    everywhere = {"400", "429", "500", "502", "503", "504"}
    assert answers["post /api/a"].keys() == {"200"} | everywhere  # a token that is sent along is not looked at
    assert answers["get /api/a"].keys() == answers["put /api/a"].keys() == {"200", "401", "403"} | everywhere
    assert answers["post /api/b"].keys() == {"401", "403", "409"} | everywhere
    assert answers["post /api/b"]["503"] == told["503"]
    assert "Retry-After" in answers["post /api/b"]["429"]["headers"]
    assert "application/problem+json" in answers["post /api/b"]["429"]["content"]


RATES: dict[str, tuple[str, dict[str, Any], list[tuple[str, int, str]]]] = {
    "a person's": ("get", ADMIN, [("default", 50, "user")]),
    "anybody's": ("get", PUBLIC, [("default", 50, "user"), ("public", 40, "address")]),
    "anybody's that looks at no token": ("post", PUBLIC, [("public", 40, "address")]),
    "to log in": ("post", {"allow": ["public"], "rate": "login"}, [("login", 30, "address")]),
    "what costs a person much": ("post", ADMIN | {"rate": "heavy"}, [("heavy", 20, "user")]),
    "what anybody costs much": ("get", PUBLIC | {"rate": "heavy"}, [("heavy", 20, "user"), ("heavy", 20, "address")]),
}


@pytest.mark.parametrize("what", RATES)
def test_an_operation_tells_what_its_requests_count_in(tmp_path: Path, what: str) -> None:
    method, access, counted = RATES[what]
    assert compiled(tmp_path, user={"paths": {"/api/a": {method: operation(access, description="What it does.")}}}) == 0
    plain = merged(tmp_path)
    told = with_rates(plain, POLICIES)["paths"]["/api/a"][method]
    assert [(rate["class"], rate["limit"], rate["per"]) for rate in told["x-smartcourse-rate"]] == counted
    assert {rate["windowSeconds"] for rate in told["x-smartcourse-rate"]} == {60}
    assert told["description"].startswith("What it does.")
    assert all(f"{limit} in 60 s per {per} (class {name})" in told["description"] for name, limit, per in counted)
    assert plain == merged(tmp_path), "what was given stays as it was"


def test_good_answers_and_refusals_for_haste_declare_the_limits_headers(tmp_path: Path) -> None:
    assert compiled(tmp_path, user={"paths": {"/api/a": {"get": operation(ADMIN)}}}) == 0
    told = with_rates(merged(tmp_path), POLICIES)
    answers = told["paths"]["/api/a"]["get"]["responses"]
    declaring = {status for status, answer in answers.items() if "RateLimit-Policy" in answer.get("headers", {})}
    assert declaring == {"200", "429"}
    assert answers["429"]["headers"].keys() == {"Retry-After", "RateLimit", "RateLimit-Policy"}
    for header in answers["200"]["headers"].values():
        assert told["components"]["headers"][header["$ref"].rpartition("/")[2]]["description"]


def test_a_limit_of_a_paths_own_is_the_largest_of_its_methods(tmp_path: Path) -> None:
    parameters = [{"in": "path", "name": "id", "schema": {"type": "integer"}}]
    item = {
        "get": operation(PUBLIC),
        "post": operation({"allow": ["admin"], "maxBodyBytes": 9}),
        "put": operation({"allow": ["admin"], "maxBodyBytes": 7}),
        "parameters": parameters,
    }
    assert (
        compiled(tmp_path, course={"paths": {"/api/things/{id}/files": item, "/api/things": {"get": item["get"]}}}) == 0
    )
    assert CompiledTable.load(tmp_path / "out" / "routes.json").carriages == {"/api/things/[0-9]+/files": Carriage(9)}


def test_a_stream_and_a_limit_of_one_path_are_carried_together(tmp_path: Path) -> None:
    item = {"get": operation(ADMIN | {"stream": "sse"}), "post": operation(ADMIN | {"maxBodyBytes": 9})}
    assert compiled(tmp_path, course={"paths": {"/api/things": item}}) == 0
    assert CompiledTable.load(tmp_path / "out" / "routes.json").carriages == {"/api/things": Carriage(9, "sse")}
    assert "server-sent events" in merged(tmp_path)["paths"]["/api/things"]["get"]["description"]


REFUSED: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "a route that declares nothing": (
        {"user": {"paths": {"/api/users": {"get": operation(None)}}}},
        "user: GET /api/users declares no x-smartcourse-access",
    ),
    "an empty list of who may": (
        {"user": {"paths": {"/api/users": {"get": operation({"allow": []})}}}},
        "'allow' must name",
    ),
    "an unknown rate": (
        {"user": {"paths": {"/api/users": {"get": operation({"allow": ["admin"], "rate": "x"})}}}},
        "'rate' must be",
    ),
    "a limit that lets no body pass": (
        {"user": {"paths": {"/api/users": {"post": operation({"allow": ["admin"], "maxBodyBytes": 0})}}}},
        "'maxBodyBytes' must be positive",
    ),
    "an answer about keys that is neither": (
        {"user": {"paths": {"/api/users": {"get": operation({"allow": ["admin"], "apiKeys": "no"})}}}},
        "'apiKeys' must be true or false",
    ),
    "a service that keys have no scopes for": (
        {"billing": {"paths": {"/api/bills": {"get": operation(ADMIN)}}}},
        "'billing:read' is not a valid Scope: give the service its scopes in shared.api_keys",
    ),
    "a stream of an unknown kind": (
        {"user": {"paths": {"/api/users": {"get": operation(ADMIN | {"stream": "river"})}}}},
        "'stream' must be one of sse, websocket, of a GET",
    ),
    "a stream that a body begins": (
        {"user": {"paths": {"/api/users": {"post": operation(ADMIN | {"stream": "sse"})}}}},
        "'stream' must be one of sse, websocket, of a GET",
    ),
    "an ordinary path that a stream's template matches": (
        {
            "user": {
                "paths": {
                    "/api/{name}": {
                        "get": operation(ADMIN | {"stream": "websocket"}),
                        "parameters": [{"in": "path", "name": "name", "schema": {"type": "string"}}],
                    },
                    "/api/plain": {"get": operation(ADMIN)},
                }
            }
        },
        "match the same path but differ in access",
    ),
    "a method that nginx would not pass": (
        {"user": {"paths": {"/api/users": {"trace": operation(ADMIN)}}}},
        "the method must be one of",
    ),
    "a path outside of /api": (
        {"user": {"paths": {"/health": {"get": operation(PUBLIC)}}}},
        "begins with /api/",
    ),
    "an operation of two services": (
        {
            "user": {"paths": {"/api/x": {"get": operation(ADMIN)}}},
            "course": {"paths": {"/api/x": {"get": operation(ADMIN)}}},
        },
        "GET /api/x is declared by",
    ),
    "an operationId of two services": (
        {
            "user": {"paths": {"/api/x": {"get": operation(ADMIN, operationId="read")}}},
            "course": {"paths": {"/api/y": {"get": operation(ADMIN, operationId="read")}}},
        },
        "operationId read is declared by user and by course",
    ),
    "templates that match one path under different rules": (
        {
            "user": {
                "paths": {
                    "/api/{name}": {
                        "get": operation(PUBLIC),
                        "parameters": [{"in": "path", "name": "name", "schema": {"type": "string"}}],
                    },
                    "/api/secret": {"get": operation(ADMIN)},
                }
            }
        },
        "match the same path but differ in access",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_contradictions_are_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    services, message = REFUSED[what]
    assert compiled(tmp_path, **services) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "routes.json").exists()


def test_a_gateway_of_no_service_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RouteTableError, match="no service"):
        compile_files([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_schemas_of_one_name_keep_apart_and_equal_ones_are_shared(tmp_path: Path) -> None:
    def service(path: str, schema: dict[str, Any]) -> dict[str, Any]:
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
        responses = {"200": {"description": "OK", "content": content}}
        shared = {"Same": {"type": "string"}, "Problem": {"type": "object", "title": path}}
        paths = {path: {"get": operation(ADMIN) | {"responses": responses}}}
        return {"paths": paths, "components": {"schemas": {"Item": schema, **shared}}}

    assert (
        compiled(tmp_path, user=service("/api/a", {"type": "object"}), course=service("/api/b", {"type": "null"})) == 0
    )
    document = merged(tmp_path)
    assert document["components"]["schemas"].keys() == {"Problem", "FieldProblem", "Same", "UserItem", "CourseItem"}
    answer = document["paths"]["/api/a"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/UserItem"


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--openapi", str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 1
    (tmp_path / "broken.json").write_text("{")
    assert main(["--openapi", str(tmp_path / "broken.json"), "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "none.json" in error
    assert "broken.json is not JSON" in error


def test_the_projects_own_documents_compile(tmp_path: Path) -> None:
    sources = [str(path) for path in sorted((ROOT / "services").glob("*-service/openapi.json"))]
    assert len(sources) == 3
    assert main(["--openapi", *sources, "--out", str(tmp_path)]) == 0
    documents = [json.loads(Path(source).read_text()) for source in sources]
    declared = sum(len(item.keys() - {"parameters"}) for document in documents for item in document["paths"].values())
    routes = CompiledTable.load(tmp_path / "routes.json").routes
    assert len(routes) == declared
    assert {route.scope for route in routes if route.api_keys and route.reads_token} == set(Scope)
