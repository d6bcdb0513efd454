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

from shared.access import EXTENSION
from shared.exceptions.problem import PROBLEM_MEDIA_TYPE
from shared.schemas.base import Problem

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_PROBLEM_REFERENCE = {"$ref": "#/components/schemas/Problem"}
_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {PROBLEM_MEDIA_TYPE: {"schema": _PROBLEM_REFERENCE}},
}


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
    """The description, with problem documents in place of FastAPI's own errors.

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
        operation["responses"].pop("422", None)
        operation["responses"]["default"] = _PROBLEM
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    own = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(own.pop("$defs", {}))
    schemas["Problem"] = own
    return described


def dump(app: FastAPI) -> str:
    """``document(app)`` as sorted JSON, two spaces deep, with a newline at the end."""
    return json.dumps(document(app), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described.get("paths", {}).items():
        for method, operation in methods.items():
            if method in _METHODS:
                yield f"{method.upper()} {path}", operation
