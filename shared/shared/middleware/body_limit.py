"""Refuse bodies that are larger than any request needs."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.access import EXTENSION, MAX_BODY_BYTES
from shared.exceptions.base import PayloadTooLargeError
from shared.exceptions.problem import problem_response

LINGER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """The largest body of one route."""

    methods: frozenset[str]
    path: re.Pattern[str]
    maximum_bytes: int


def declared_limits(routers: Iterable[APIRouter]) -> list[RouteLimit]:
    """The limits of the routes that declare one with ``access(..., max_body_bytes=...)``."""
    limits = []
    for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
        declared = (route.openapi_extra or {}).get(EXTENSION, {}).get(MAX_BODY_BYTES)
        if declared is not None:
            limits.append(RouteLimit(frozenset(route.methods or ()), route.path_regex, declared))
    return limits


class BodyLimitMiddleware:
    """Answers 413 to a body over ``maximum_bytes``, or its route's own limit, declared or counted as it arrives.

    An answer that is ready before the body was read whole waits while the rest is read and dropped, for up to
    ``LINGER_SECONDS``: a server closes a connection with unread data so abruptly that the answer is lost on its way,
    and the gateway says 502.
    """

    def __init__(self, app: ASGIApp, maximum_bytes: int, limits: Sequence[RouteLimit] = ()) -> None:
        self._app = app
        self._maximum_bytes = maximum_bytes
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        maximum_bytes = self._limit(scope)
        error = PayloadTooLargeError(f"A request's body may have {maximum_bytes} bytes here.")
        body = _Body(scope, receive, send)
        if _declared(scope) > maximum_bytes:
            await problem_response(scope, error)(scope, body.receive, body.send)
            return
        is_answering = False

        async def counted() -> Message:
            message = await body.receive()
            if body.received_bytes > maximum_bytes:
                raise error
            return message

        async def watched(message: Message) -> None:
            nonlocal is_answering
            if body.received_bytes <= maximum_bytes or is_answering:
                is_answering = True
                await body.send(message)

        try:
            await self._app(scope, counted, watched)
        except PayloadTooLargeError:
            if is_answering:
                raise
        # Whatever the application made of the error, the client is told the limit.
        if body.received_bytes > maximum_bytes and not is_answering:
            await problem_response(scope, error)(scope, body.receive, body.send)

    def _limit(self, scope: Scope) -> int:
        for limit in self._limits:
            if scope["method"] in limit.methods and limit.path.match(scope["path"]):
                return limit.maximum_bytes
        return self._maximum_bytes


class _Body:
    """A request's body: how much of it has come, and whether more will."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope["headers"]}
        self.received_bytes = 0
        self._is_over = b"transfer-encoding" not in names and _declared(scope) == 0
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        message = await self._receive()
        self.received_bytes += len(message.get("body", b""))
        self._is_over = not message.get("more_body", False)  # nor will more when the client has gone
        return message

    async def send(self, message: Message) -> None:
        """Send; an answer begins only when the body is over."""
        if message["type"] == "http.response.start" and not self._is_over:
            await self._drop_rest()
        await self._send(message)

    async def _drop_rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._is_over:
                    self._is_over = not (await self._receive()).get("more_body", False)


def _declared(scope: Scope) -> int:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if len(values) == 1 and values[0].isdigit() else 0
