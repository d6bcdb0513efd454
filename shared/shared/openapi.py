"""An API's description: built without settings, printed the same way each time.

def main() -> None:
    sys.stdout.write(dump(describe(title="SmartCourse users", routers=ROUTERS)))
"""

import copy
import json
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from shared.access import EXTENSION, takes_idempotency_key
from shared.exceptions.problem import PROBLEM_MEDIA_TYPE
from shared.idempotency.request import HEADER, KEY_PATTERN
from shared.schemas.base import Problem

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_PROBLEMS: dict[int, str] = {
    400: "The request could not be understood",
    401: "Nobody is logged in, or the credentials are not accepted",
    403: "Whoever is logged in may not do this",
    404: "There is no such thing, or not for this person",
    408: "The request took too long to arrive",
    409: "The current state does not allow this",
    412: "`If-Match` names another version than the current one",
    413: "The body is too large",
    415: "Content of this type is not accepted",
    416: "There are no such bytes",
    422: "A value is not valid; `errors` says which and why",
    429: "Too many requests; `Retry-After` says when to try again",
    500: "Something went wrong on our side; it was recorded under `trace_id`",
    502: "The service that would answer can't be reached",
    503: "Something that is needed is away; try again",
    504: "The service did not answer in time",
}
_CHALLENGE = {"WWW-Authenticate": {"description": "How to authenticate", "schema": {"type": "string"}}}
_WAIT = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer", "minimum": 0}}}
_HEADERS = {401: {"headers": _CHALLENGE}, 429: {"headers": _WAIT}, 503: {"headers": _WAIT}}


_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": (
        "Makes repeating this request safe: a repeat with the same key within 24 hours is not carried out again but "
        "gets the same answer, with the header `Idempotency-Replayed: true`. 409 if there is none yet, or if it was "
        "lost; 422 if the key was used for another request."
    ),
    "schema": {"type": "string", "pattern": KEY_PATTERN, "title": HEADER},
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents of these statuses, for a route's ``responses``.

    A route names only those that its declaration does not imply (see ``document``): conflicts, mostly, and refusals
    that depend on the object. Raises KeyError for a status that no problem of ours has.
    """
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _PROBLEMS[status], "content": content} | _HEADERS.get(status, {}) for status in statuses
    }


def problem_schemas() -> dict[str, Any]:
    """The components that ``problems`` refers to, by name."""
    own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**own.pop("$defs", {}), "Problem": own}


def describe(
    *, title: str, routers: Sequence[APIRouter], description: str = "", version: str = "1.0.0", **options: Any
) -> FastAPI:
    """A FastAPI application of ``routers`` whose description can be dumped. It serves no documentation itself.

    ``options`` go to FastAPI.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
        **options,
    )
    for router in routers:
        app.include_router(router)
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The description, with the problem documents that each operation can be answered with.

    What takes an ``Idempotency-Key`` says so. Implied are 401 and 403 by its access, 404 by a parameter in its path,
    409 and 422 by that key, 412 by ``If-Match``, 400 and 413 by a body, 422 by whatever is validated, and 503 always;
    FastAPI's own errors are gone.

    Raises ValueError for a route that declares no access (the gateway would deny it to everybody) and for two routes
    of one name (clients are generated from names).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about two routes of one name, which are an error below
        described = copy.deepcopy(app.openapi())
    names: dict[str, str] = {}
    for where, operation in _operations(described):
        if EXTENSION not in operation:
            raise ValueError(f"{where} declares no access: give it openapi_extra=access(...)")
        name = operation["operationId"]
        if name in names:
            raise ValueError(f"{where} and {names[name]} are both named {name}: rename one function")
        names[name] = where
        if takes_idempotency_key(where.partition(" ")[0], operation[EXTENSION]):
            operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        _add_problems(operation)
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas.update(problem_schemas())
    return described


def dump(app: FastAPI) -> str:
    """``document(app)`` as sorted JSON, two spaces deep, with a newline at the end."""
    return json.dumps(document(app), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described.get("paths", {}).items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield f"{method.upper()} {path}", operation


def _add_problems(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    is_validated = responses.pop("422", None) is not None
    parameters = {(each["in"], each["name"].lower()) for each in operation.get("parameters", ())}
    allow = operation[EXTENSION]["allow"]
    has_body = "requestBody" in operation
    has_header = any(place == "header" for place, _ in parameters)
    has_key = ("header", HEADER.lower()) in parameters
    implied = {
        400: has_body or has_header,
        401: "public" not in allow,
        403: not {"public", "authenticated"} & set(allow),
        404: any(place == "path" for place, _ in parameters),
        409: has_key,
        412: ("header", "if-match") in parameters,
        413: has_body,
        422: is_validated or has_key,
        503: True,
    }
    for status, answer in problems(*(status for status, is_implied in implied.items() if is_implied)).items():
        responses.setdefault(str(status), answer)
