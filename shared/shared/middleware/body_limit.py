"""Refuse bodies that are larger than any request needs."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.exceptions.base import PayloadTooLargeError
from shared.exceptions.problem import problem_response


class BodyLimitMiddleware:
    """Answers 413 to a body of more than ``maximum_bytes``, declared or counted as it arrives."""

    def __init__(self, app: ASGIApp, maximum_bytes: int) -> None:
        self._app = app
        self._maximum_bytes = maximum_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = PayloadTooLargeError(f"A request's body may have {self._maximum_bytes} bytes.")
        if _declared(scope) > self._maximum_bytes:
            await problem_response(scope, error)(scope, receive, send)
            return
        received = 0
        is_answering = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._maximum_bytes:
                raise error
            return message

        async def watched(message: Message) -> None:
            nonlocal is_answering
            if received <= self._maximum_bytes or is_answering:
                is_answering = True
                await send(message)

        try:
            await self._app(scope, counted, watched)
        except PayloadTooLargeError:
            if is_answering:
                raise
        # Whatever the application made of the error, the client is told the limit.
        if received > self._maximum_bytes and not is_answering:
            await problem_response(scope, error)(scope, receive, send)


def _declared(scope: Scope) -> int:
    values = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(values[0]) if len(values) == 1 and values[0].isdigit() else 0
