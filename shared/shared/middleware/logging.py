"""One line of log for each request, and the last net for errors that nobody foresaw."""

import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.exceptions.base import SmartCourseError
from shared.exceptions.problem import problem_response
from shared.identity import SCOPE_KEY

_log = structlog.get_logger(__name__)
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class LoggingMiddleware:
    """Logs method, path (never the query, which may hold a secret), status, duration and user id.

    An error that reaches it is logged with its traceback and answered with 500, without inner details.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        started = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with structlog.contextvars.bound_contextvars(**_request_id(scope)):
            try:
                await self._app(scope, receive, watched)
            except Exception as error:
                _log.error("request failed", exc_info=error, method=scope["method"], path=scope["path"])
                if status:  # half an answer is on its way: only the server can break it off
                    raise
                answer = problem_response(scope, SmartCourseError("The error was recorded under this trace_id."))
                await answer(scope, receive, watched)
            finally:
                _write(scope, status, time.perf_counter() - started)


def _request_id(scope: Scope) -> dict[str, str]:
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return {"request_id": values[0].decode()} if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else {}


def _write(scope: Scope, status: int, seconds: float) -> None:
    identity = scope.get(SCOPE_KEY)
    write = _log.debug if scope["path"].startswith("/health") and status < 400 else _log.info
    write(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        duration_ms=round(seconds * 1000, 1),
        user_id=identity.user_id if identity else None,
    )
