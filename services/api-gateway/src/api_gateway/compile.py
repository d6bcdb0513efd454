"""Compile the services' OpenAPI documents into the gateway's route table and its merged OpenAPI document.

Usage: python -m api_gateway.compile --openapi services/user-service/openapi.json ... --out DIRECTORY

Writes `routes.json` and `openapi.json`. Every operation must carry `x-smartcourse-access: {allow: [...], rate: ...}`,
with `maxBodyBytes` if it takes larger bodies than usual, `apiKeys: false` if it takes no API keys, and `stream` (of a
GET: `sse` or `websocket`) if its answer goes on; a document with one that doesn't is refused, so that nothing is
reachable by omission. A service is named after the directory of its document (`user` for `user-service/openapi.json`),
or explicitly: `--openapi user=some/file.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from api_gateway.openapi import merge
from api_gateway.routing import CompiledTable, Route, RouteTable, RouteTableError, may_overlap

ACCESS_EXTENSION: Final = "x-smartcourse-access"
_OPERATIONS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_PREFIX: Final = "/api/"
_NEVER_PASSED: Final = (
    "authorization", "baggage", "connection", "content-length", "cookie", "expect", "forwarded", "host", "keep-alive",
    "te", "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "x-forwarded-", "x-gateway-",
    "sec-websocket-", "x-real-", "x-request-id", "x-session-", "x-user-",
)  # fmt: skip


def read_documents(sources: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return each service's OpenAPI document by the service's short name.

    Raises:
        OSError: a file can't be read.
        RouteTableError: a file is not a JSON object, or two files are of one service.
    """
    documents: dict[str, dict[str, Any]] = {}
    for source in sources:
        name, _, file = source.rpartition("=")
        path = Path(file)
        service = name or path.resolve().parent.name.removesuffix("-service")
        if service in documents:
            raise RouteTableError(f"{path}: a document for the service {service!r} was already given")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RouteTableError(f"{path} is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise RouteTableError(f"{path} is not an OpenAPI document: it holds no object")
        documents[service] = document
    return documents


def compile_table(documents: dict[str, dict[str, Any]]) -> CompiledTable:
    """Return the table of all routes.

    Raises:
        RouteTableError: an operation declares no access, or an impossible one; two routes are in each other's way.
    """
    routes: list[Route] = []
    headers: set[str] = set()
    for service, document in documents.items():
        for path, item in document.get("paths", {}).items():
            for method in sorted(_OPERATIONS & item.keys()):
                parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                routes.append(_route(service, method.upper(), path, item[method], parameters))
                headers |= {entry["name"].lower() for entry in parameters if entry.get("in") == "header"}
    table = RouteTable(routes)
    _refuse_ambiguity(table.routes)
    return CompiledTable(
        routes=table.routes, request_headers=sorted(name for name in headers if not name.startswith(_NEVER_PASSED))
    )


def _route(service: str, method: str, path: str, operation: dict[str, Any], parameters: list[dict[str, Any]]) -> Route:
    access = operation.get(ACCESS_EXTENSION)
    if not isinstance(access, dict) or not isinstance(access.get("allow"), list):
        raise RouteTableError(f"{service}: {method} {path} declares no {ACCESS_EXTENSION}: who may call it?")
    if not path.startswith(_PREFIX):
        raise RouteTableError(f"{service}: {method} {path}: a service's path begins with {_PREFIX}")
    return Route(
        service=service,
        method=method,
        path=path,
        allow=tuple(access["allow"]),
        rate=access.get("rate", "default"),
        parameters={entry["name"]: _kind(entry.get("schema", {})) for entry in parameters if entry.get("in") == "path"},
        max_body_bytes=access.get("maxBodyBytes"),
        api_keys=access.get("apiKeys", True),
        stream=access.get("stream"),
    )


def _kind(schema: dict[str, Any]) -> str:
    if schema.get("type") == "integer":
        return "integer"
    return "uuid" if schema.get("format") == "uuid" else "string"


def _refuse_ambiguity(routes: list[Route]) -> None:
    """Refuse templates that match the same path under different rules.

    A service that declared the broader one first would answer by it what was admitted by the rule of the other.
    """
    for one, other in itertools.combinations(routes, 2):
        if may_overlap(one, other) and _rule(one) != _rule(other):
            raise RouteTableError(
                f"{one.method} {one.path} ({one.service}) and {other.path} ({other.service}) match the same path but "
                "differ in access: give them different paths or the same access"
            )


def _rule(route: Route) -> tuple[object, ...]:
    return route.service, set(route.allow), route.rate, route.api_keys, route.stream


def compile_files(sources: Iterable[str], out: Path) -> CompiledTable:
    """Read the documents, check them, write both results into `out` and return the table.

    Raises:
        OSError: a file can't be read or written.
        RouteTableError: the documents contradict each other or declare too little.
    """
    documents = read_documents(sources)
    if not documents:
        raise RouteTableError("no service's openapi.json was given: there would be no route at all")
    table = compile_table(documents)
    merged = merge(documents)
    out.mkdir(parents=True, exist_ok=True)
    (out / "routes.json").write_text(table.dump(), encoding="utf-8")
    text = json.dumps(merged, sort_keys=True, separators=(",", ":"))
    (out / "openapi.json").write_text(text + "\n", encoding="utf-8")
    return table


def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m api_gateway.compile", description="Compile the route table.")
    parser.add_argument("--openapi", nargs="+", required=True, metavar="[NAME=]FILE", help="the services' documents")
    parser.add_argument("--out", type=Path, required=True, metavar="DIRECTORY", help="where to write the two files")
    options = parser.parse_args(argv)
    try:
        table = compile_files(options.openapi, options.out)
    except (OSError, RouteTableError) as error:
        print(f"api_gateway.compile: {error}", file=sys.stderr)  # noqa: T201 - a command's answer
        return 1
    services = ", ".join(RouteTable(table.routes).services)
    print(f"{len(table.routes)} routes of {services} compiled into {options.out}")  # noqa: T201 - a command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
