"""The problems that routes declare, for the OpenAPI document."""

from typing import Any

from shared.exceptions.problem import PROBLEM_MEDIA_TYPE
from shared.schemas.base import Problem

_DESCRIPTIONS = {
    401: "Not authenticated, or the credentials are not accepted",
    403: "Authenticated, but not allowed",
    404: "There is no such thing",
    409: "In conflict with what is there",
    429: "Too many requests; `Retry-After` says when to try again",
    503: "A datastore is away; try again",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that can answer with problems of these statuses."""
    schema = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": schema} for status in statuses}
