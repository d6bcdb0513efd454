"""Merge the services' OpenAPI documents into the one that the gateway publishes."""

from __future__ import annotations

import copy
from typing import Any, Final

from api_gateway.rates import WINDOW_SECONDS, Counted, Policies
from api_gateway.routing import RouteTableError
from shared.access import reads_token
from shared.api_keys import scope_of
from shared.openapi import problem_schemas, problems

SECURITY_SCHEME: Final = "bearerAuth"
KEY_SCHEME: Final = "apiKeyAuth"
_SECURITY_SCHEMES: Final = {
    SECURITY_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A person's access token, from `POST /api/auth/login`",
    },
    KEY_SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "sck_...",
        "description": "A script's API key, from `POST /api/users/me/api-keys`; it needs the scope that is named",
    },
}
RATE_EXTENSION: Final = "x-smartcourse-rate"
PROBLEM: Final = "Problem"
_RATE_HEADERS: Final = {
    "RateLimit": {
        "description": "What is left of the limit that the request counted in: `r` requests, for `t` more seconds. "
        "Behind a data plane that can't add to an answer (Traefik's ForwardAuth) 429 alone has it",
        "schema": {"type": "string"},
        "example": '"user";r=599;t=60',
    },
    "RateLimit-Policy": {
        "description": "That limit: `q` requests in `w` seconds",
        "schema": {"type": "string"},
        "example": '"user";q=600;w=60',
    },
}
_SCHEMAS: Final = "#/components/schemas/"
_OF_EVERYTHING: Final = (400, 429, 500, 502, 503, 504)
"""Problems that a request through the gateway can meet wherever it goes."""
_STREAMS: Final = {"sse": "server-sent events", "websocket": "a WebSocket, admitted at its handshake"}
_DESCRIPTION: Final = (
    "Everything goes through the gateway. Log in with `POST /api/auth/login` and send the access token as "
    "`Authorization: Bearer ...`; a script sends an API key in its place. How many requests pass is said with each "
    "operation and in its `x-smartcourse-rate`; answers tell in `RateLimit` what is left, and more are 429 with "
    "`Retry-After`. Errors are `application/problem+json` (RFC 9457). During maintenance everything but reading is "
    "answered 503, `urn:smartcourse:problem:maintenance`, with `Retry-After`."
)


def merge(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return one OpenAPI 3.1 document for all `documents` (by the service's short name).

    A schema that two services define differently gets the service's name in front; equal ones are shared. Each
    operation says what token it needs, from its declared access, and with which problems the gateway can answer for it.

    Raises:
        RouteTableError: two services declare the same operation or the same operationId.
    """
    variants = _variants(documents)
    merged: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "SmartCourse API", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": "/", "description": "The gateway that serves this document"}],
        "paths": {},
        "components": {
            "schemas": problem_schemas(),
            "securitySchemes": copy.deepcopy(_SECURITY_SCHEMES),
        },
        "tags": [{"name": name, "description": f"Answered by {name}-service"} for name in sorted(documents)],
    }
    declared: dict[str, str] = {}
    for service, document in documents.items():
        renamed = _renamed(copy.deepcopy(document), service, variants)
        merged["components"]["schemas"].update(renamed.get("components", {}).get("schemas", {}))
        for path, item in renamed.get("paths", {}).items():
            operations = merged["paths"].setdefault(path, {})
            for key, value in item.items():
                if not isinstance(value, dict):  # parameters that all of this service's operations share
                    operations.setdefault(key, value)
                    continue
                _claim(declared, service, f"{key.upper()} {path}")
                if "operationId" in value:
                    _claim(declared, service, f"operationId {value['operationId']}")
                operations[key] = _described(value, service, key)
    return merged


def _claim(declared: dict[str, str], service: str, what: str) -> None:
    if (owner := declared.setdefault(what, service)) != service:
        raise RouteTableError(f"{what} is declared by {owner} and by {service}: rename one of them")


def _variants(documents: dict[str, dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the distinct definitions of each schema name."""
    definitions: dict[str, list[Any]] = {name: [schema] for name, schema in problem_schemas().items()}
    for document in documents.values():
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            known = definitions.setdefault(name, [])
            if name != PROBLEM and schema not in known:
                known.append(schema)
    return definitions


def _renamed(document: dict[str, Any], service: str, variants: dict[str, list[Any]]) -> dict[str, Any]:
    own = document.get("components", {}).get("schemas", {})
    own.pop(PROBLEM, None)  # one shape everywhere: the gateway's own errors have it too
    names = {name: f"{service.capitalize()}{name}" if len(variants[name]) > 1 else name for name in own}
    if own:
        document["components"]["schemas"] = {names[name]: schema for name, schema in own.items()}
    result: dict[str, Any] = _rewritten(document, {_SCHEMAS + old: _SCHEMAS + new for old, new in names.items()})
    return result


def _rewritten(node: Any, references: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: references.get(value, value)
            if key == "$ref" and isinstance(value, str)
            else _rewritten(value, references)
            for key, value in node.items()
        }
    return [_rewritten(item, references) for item in node] if isinstance(node, list) else node


def _described(operation: dict[str, Any], service: str, method: str) -> dict[str, Any]:
    access = operation.get("x-smartcourse-access", {})
    allow = access.get("allow", [])
    is_token_read = reads_token(method.upper(), allow)
    scope = scope_of(service, method.upper()).value if access.get("apiKeys", True) else None
    if "public" in allow:
        operation.pop("security", None)
    else:
        operation["security"] = [{SECURITY_SCHEME: []}, *([{KEY_SCHEME: [scope]}] if scope else [])]
    operation["tags"] = [service]
    refusals = [401, 403] * is_token_read  # 403 also for a key that lacks the scope
    responses = operation.setdefault("responses", {})
    for status, answer in problems(*refusals, *_OF_EVERYTHING).items():
        responses.setdefault(str(status), answer)
    who = "anybody" if "public" in allow else "any user" if "authenticated" in allow else " or ".join(allow)
    note = f"Access: {who}."
    if is_token_read:
        note += f" API keys need the scope `{scope}`." if scope else " API keys are not accepted."
    if stream := access.get("stream"):
        note += f" The answer goes on for as long as it is read: {_STREAMS[stream]}."
    _add_note(operation, note)
    return operation


def _add_note(operation: dict[str, Any], note: str) -> None:
    operation["description"] = "\n\n".join(filter(None, [operation.get("description"), note]))


def with_rates(document: dict[str, Any], policies: Policies) -> dict[str, Any]:
    """Return a merged document that tells, of each operation, what its requests count in and how many pass.

    Each class is an item of the operation's `x-smartcourse-rate`, `{class, policy, limit, windowSeconds, per}`, where
    `policy` is its name in the headers. Good answers and 429 declare those.
    """
    told = copy.deepcopy(document)
    told["components"]["headers"] = copy.deepcopy(_RATE_HEADERS)
    for item in told["paths"].values():
        for method, operation in item.items():
            if isinstance(operation, dict):
                _tell_rates(operation, _counted(operation, method, policies))
    return told


def _counted(operation: dict[str, Any], method: str, policies: Policies) -> list[Counted]:
    access = operation["x-smartcourse-access"]
    allow = access["allow"]
    return policies.of_route(
        access.get("rate", "default"), reads_token=reads_token(method.upper(), allow), is_public="public" in allow
    )


def _tell_rates(operation: dict[str, Any], counted: list[Counted]) -> None:
    operation[RATE_EXTENSION] = [
        {
            "class": each.rate,
            "policy": each.policy.name,
            "limit": each.policy.limit,
            "windowSeconds": WINDOW_SECONDS,
            "per": each.per,
        }
        for each in counted
    ]
    figures = (f"{each.policy.limit} in {WINDOW_SECONDS} s per {each.per} (class {each.rate})" for each in counted)
    _add_note(operation, f"Requests: {', else '.join(figures)}.")
    for status, answer in operation["responses"].items():
        if status.startswith("2") or status == "429":
            headers = answer.setdefault("headers", {})
            headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in _RATE_HEADERS}
