"""Problem documents (RFC 9457): the one shape in which every error is answered."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from shared.exceptions.base import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    RateLimitedError,
    SmartCourseError,
    UnavailableError,
    UnprocessableError,
)
from shared.telemetry.tracing import request_trace_id

PROBLEM_MEDIA_TYPE = "application/problem+json"

_BY_STATUS: dict[int, type[SmartCourseError]] = {
    kind.status: kind
    for kind in (
        BadRequestError,
        AuthenticationError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        PayloadTooLargeError,
        UnprocessableError,
        RateLimitedError,
        UnavailableError,
    )
}

_log = structlog.get_logger(__name__)


def problem_type(slug: str) -> str:
    """The identifier of a kind of problem."""
    return f"urn:smartcourse:problem:{slug}"


def problem_document(
    *,
    status: int,
    slug: str,
    title: str,
    detail: str,
    instance: str,
    trace_id: str,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The document's members. Those of ``extra`` are added and never replace the standard ones."""
    standard = {
        "type": problem_type(slug),
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "trace_id": trace_id,
    }
    return standard | {name: value for name, value in (extra or {}).items() if name not in standard}


def problem_response(scope: Scope | Request, error: SmartCourseError) -> Response:
    """``error`` as the answer to the request of ``scope``."""
    return _response(
        scope.scope if isinstance(scope, Request) else scope,
        status=error.status,
        slug=error.slug,
        title=error.title,
        detail=error.detail,
        headers=error.headers,
        extra=error.extra,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem document; an unforeseen one without its inner details."""
    app.add_exception_handler(SmartCourseError, _smartcourse_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Exception, _unforeseen)


def validation_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Pydantic's errors as ``[{loc, message}]``: without the input, which may hold a password."""
    return [
        {"loc": ".".join(str(part) for part in each["loc"]), "message": str(each["msg"]).removeprefix("Value error, ")}
        for each in errors
    ]


def _response(
    scope: Scope,
    *,
    status: int,
    slug: str,
    title: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Response:
    document = problem_document(
        status=status,
        slug=slug,
        title=title,
        detail=detail,
        instance=scope.get("path", ""),
        trace_id=request_trace_id(scope),
        extra=extra,
    )
    return JSONResponse(document, status, headers=headers, media_type=PROBLEM_MEDIA_TYPE)


async def _smartcourse_error(request: Request, error: Exception) -> Response:
    return problem_response(request, cast("SmartCourseError", error))


async def _validation_error(request: Request, error: Exception) -> Response:
    errors = validation_errors(cast("RequestValidationError", error).errors())
    return _response(
        request.scope,
        status=422,
        slug="validation-failed",
        title="The request's content is not valid",
        detail=f"{len(errors)} value(s) need attention, see errors.",
        extra={"errors": errors},
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    raised = cast("HTTPException", error)
    known = _BY_STATUS.get(raised.status_code)
    phrase = _phrase(raised.status_code)
    detail = raised.detail if isinstance(raised.detail, str) else ""
    if detail in {"", phrase}:
        detail = {
            404: f"Nothing is found at {request.scope.get('path', '')}.",
            405: f"{request.method} is not possible here.",
        }.get(raised.status_code, phrase)
    return _response(
        request.scope,
        status=raised.status_code,
        slug=known.slug if known else re.sub(r"[^a-z0-9]+", "-", phrase.lower()),
        title=known.title if known else phrase,
        detail=detail,
        headers=raised.headers,
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


async def _unforeseen(request: Request, error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    return problem_response(request, SmartCourseError("The error was recorded under this trace_id."))
