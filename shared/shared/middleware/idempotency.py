"""Carry a POST with an ``Idempotency-Key`` out once; whoever repeats it gets the answer that it had."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.access import EXTENSION, MAX_BODY_BYTES, takes_idempotency_key
from shared.database import before_commit
from shared.exceptions.base import SmartCourseError
from shared.exceptions.problem import problem_response
from shared.idempotency.errors import OutcomeUnknownError, RequestInProgressError
from shared.idempotency.request import ClientGoneError, KeyedRequest, has_key
from shared.idempotency.store import Answer, Claim, IdempotencyStore, Record
from shared.identity import SCOPE_KEY

MAX_ANSWER_BYTES = 1_048_576
"""What is larger is not kept."""

KEPT_HEADERS = frozenset({
    b"cache-control", b"content-disposition", b"content-language", b"content-length", b"content-type", b"etag",
    b"last-modified", b"link", b"location", b"retry-after", b"vary",
})  # fmt: skip
"""Sent again with a kept answer; a cookie, for one, is not."""

PASSING = frozenset({401, 403, 408, 409, 425, 429})
"""Refusals that a repeat may overcome, for they are about a state or a moment: kept only if something was committed.
Every other answer below 500 is kept, because the same request can only be answered so."""

WAIT_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5

REQUESTS = Counter("smartcourse_idempotency_keys", "Requests with an Idempotency-Key.", ["outcome"])

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyedRoute:
    """A route that takes keys. ``is_streamed``: its bodies may be too large to be collected here."""

    route: APIRoute
    is_streamed: bool


def keyed_routes(routers: Iterable[APIRouter]) -> list[KeyedRoute]:
    """The routes that take keys, by what they declare with ``access``."""
    found = []
    for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
        declared = (route.openapi_extra or {}).get(EXTENSION)
        if declared and any(takes_idempotency_key(method, declared) for method in route.methods or ()):
            found.append(KeyedRoute(route, MAX_BODY_BYTES in declared))
    return found


class IdempotencyMiddleware:
    """Belongs inside of the identity's verification, for keys are each user's own, and inside of the body's limit.

    A repeat that comes while the first is carried out waits for its answer up to ``WAIT_SECONDS``, without holding a
    connection. Requests without the header pass untouched.
    """

    def __init__(self, app: ASGIApp, store: IdempotencyStore, routes: Sequence[KeyedRoute]) -> None:
        self._app = app
        self._store = store
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (route := self._keyed_route(scope)) is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route.route  # metrics and traces are told by it, also where the application isn't called
        try:
            request = KeyedRequest(scope, receive, user_id=scope[SCOPE_KEY].user_id)
            admitted = await self._admit(request, route)
        except ClientGoneError:
            return
        except SmartCourseError as error:
            REQUESTS.labels(error.slug).inc()
            await problem_response(scope, error)(scope, receive, send)
            return
        REQUESTS.labels("carried-out" if isinstance(admitted, Claim) else "replayed").inc()
        if isinstance(admitted, Claim):
            await self._carry_out(scope, admitted, send)
        else:
            await _replay(admitted, send)

    def _keyed_route(self, scope: Scope) -> KeyedRoute | None:
        """The route of a request whose key is heeded; None for any other request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not has_key(scope):
            return None
        identity = scope.get(SCOPE_KEY)
        if identity is None or identity.is_anonymous:
            return None
        return next((each for each in self._routes if each.route.path_regex.match(scope["path"])), None)

    async def _admit(self, request: KeyedRequest, route: KeyedRoute) -> Claim | Answer:
        """Return the claim under which the request is to be carried out, or the answer that it had.

        Raises:
            KeyReusedError, RequestInProgressError, OutcomeUnknownError
            ClientGoneError
        """
        if not route.is_streamed:
            await request.collect()
        found = await self._claim_or_wait(request)
        if isinstance(found, Claim):
            return found
        await request.drop()  # a streamed one is only now compared: what may have to be carried out must not be read
        request.check_same(found.fingerprint)
        if found.answer is None:
            raise OutcomeUnknownError
        return found.answer

    async def _claim_or_wait(self, request: KeyedRequest) -> Claim | Record:
        clock = asyncio.get_running_loop()
        give_up_at, pause_seconds = clock.time() + WAIT_SECONDS, FIRST_PAUSE_SECONDS
        claim = await self._store.claim(request)
        while claim is None:
            record = await self._store.find(request)
            if record is None or record.is_free:
                claim = await self._store.claim(request)
                continue
            request.check_same(record.fingerprint)
            if record.is_over:
                return record
            if clock.time() >= give_up_at:
                raise RequestInProgressError
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        return claim

    async def _carry_out(self, scope: Scope, claim: Claim, send: Send) -> None:
        answering = _Answering(send, partial(self._settle, claim))
        async with self._renewing(claim):
            token = before_commit.set(partial(self._store.stamp, claim=claim))
            try:
                await self._app(scope, claim.request.receive, answering.send)
            finally:
                before_commit.reset(token)
                if not claim.is_settled:  # it failed, was cancelled, or its answer was too large
                    await self._settle(claim, None)

    async def _settle(self, claim: Claim, answer: Answer | None) -> None:
        """Keep the answer if it may be; whatever happens here, the client gets it."""
        is_failure = answer is None or answer.status >= 500
        is_final = answer is not None and answer.status not in PASSING and claim.request.fingerprint is not None
        try:
            await self._store.settle(claim, None if is_failure else answer, is_final=is_final)
        except Exception as error:  # noqa: BLE001 - the row tells the truth without it, and its lease runs out
            _log.warning("answer not kept", error=f"{type(error).__name__}: {error}")

    @asynccontextmanager
    async def _renewing(self, claim: Claim) -> AsyncIterator[None]:
        """Renew the lease beside the body."""
        task = asyncio.create_task(self._renew(claim))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _renew(self, claim: Claim) -> None:
        while not claim.is_settled:
            await asyncio.sleep(self._store.lease_seconds / 3)
            try:
                await self._store.renew(claim)
            except Exception as error:  # noqa: BLE001 - the next try may find the database again
                _log.warning("lease not renewed", error=f"{type(error).__name__}: {error}")


class _Answering:
    """Holds an answer back until it is settled whether it is kept; one that is too large goes on as it comes."""

    def __init__(self, send: Send, settle: Callable[[Answer | None], Awaitable[None]]) -> None:
        self._send, self._settle = send, settle
        self._held: list[Message] = []
        self._size_bytes = 0
        self._is_passing = False

    async def send(self, message: Message) -> None:
        if self._is_passing:
            await self._send(message)
            return
        self._held.append(message)
        if message["type"] == "http.response.start":
            return
        self._size_bytes += len(message.get("body", b""))
        is_known = message["type"] == "http.response.body" and self._size_bytes <= MAX_ANSWER_BYTES
        if is_known and message.get("more_body", False):
            return
        if is_known:
            await self._settle(self._answer())
        self._is_passing = True
        for held in self._held:
            await self._send(held)

    def _answer(self) -> Answer:
        start, *parts = self._held
        headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in start.get("headers", ())
            if name.lower() in KEPT_HEADERS
        ]
        return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))


async def _replay(answer: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"idempotency-replayed", b"true"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
