"""Let in only what the gateway has signed."""

import hmac
import re
from collections.abc import Sequence

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.exceptions.base import AuthenticationError
from shared.exceptions.problem import problem_response
from shared.identity import (
    ROLE_HEADER,
    SCOPE_KEY,
    SESSION_HEADER,
    SIGNATURE_HEADER,
    SIGNATURE_TOLERANCE_SECONDS,
    TIME_HEADER,
    USER_HEADER,
    Identity,
    Role,
    sign,
)
from shared.utils.datetime import Clock, SystemClock

EXEMPT_PATHS = frozenset({"/health", "/health/live", "/health/ready", "/health/startup"})
"""The kubelet asks these, and the gateway for its own health; they tell nothing about people."""

_USER_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_NAMES = {
    name.lower().encode(): name for name in (USER_HEADER, ROLE_HEADER, SESSION_HEADER, TIME_HEADER, SIGNATURE_HEADER)
}


class IdentityNotVerifiedError(AuthenticationError):
    """The request did not come through the gateway, or not lately."""

    slug = "identity-not-verified"
    title = "The request's origin could not be verified"


class IdentityMiddleware:
    """Answers 401 unless the request carries one good signature of the current or the previous key."""

    def __init__(
        self,
        app: ASGIApp,
        key: SecretStr,
        previous_key: SecretStr | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._app = app
        self._keys = [each for each in (key, previous_key) if each is not None]
        self._clock = clock or SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in EXEMPT_PATHS):
            await self._app(scope, receive, send)
            return
        try:
            identity = self._verified(scope)
        except IdentityNotVerifiedError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await problem_response(scope, error)(scope, receive, send)
            return
        scope[SCOPE_KEY] = identity
        if scope.get("method") == "HEAD":  # answered from GET; the server leaves the body out
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    def _verified(self, scope: Scope) -> Identity:
        headers = _identity_headers(scope["headers"])
        try:
            user, role = headers[USER_HEADER], headers[ROLE_HEADER]
            moment, signature = headers[TIME_HEADER], headers[SIGNATURE_HEADER]
        except KeyError as error:
            raise IdentityNotVerifiedError(f"The header {error.args[0]} is missing: use the gateway.") from None
        if not _TIME.fullmatch(moment):
            raise IdentityNotVerifiedError(f"{TIME_HEADER} is not a number of seconds.")
        if abs(self._clock.now().timestamp() - int(moment)) > SIGNATURE_TOLERANCE_SECONDS:
            raise IdentityNotVerifiedError(
                f"{TIME_HEADER} is more than {SIGNATURE_TOLERANCE_SECONDS} s from this server's clock."
            )
        method = scope.get("method", "GET")  # a WebSocket's handshake is a GET, and ASGI doesn't say so
        expected = (
            sign(key, time=int(moment), user=user, role=role, method=method, target=target)
            for key in self._keys
            for target in _targets(scope)
        )
        if not any(hmac.compare_digest(each.encode(), signature.encode()) for each in expected):
            raise IdentityNotVerifiedError(f"{SIGNATURE_HEADER} does not fit the request.")
        return _identity(user, role, headers.get(SESSION_HEADER) or None)


def _identity_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """The identity headers by name. Raises IdentityNotVerifiedError for one that occurs twice."""
    found: dict[str, str] = {}
    for name, value in raw:
        known = _NAMES.get(name.lower())
        if known is None:
            continue
        if known in found:
            raise IdentityNotVerifiedError(f"The header {known} occurs more than once.")
        found[known] = value.decode("latin-1")
    return found


def _targets(scope: Scope) -> tuple[str, ...]:
    """Path and query exactly as they were received. ASGI does not tell an empty query from none, so both are given."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    path, _, _ = path.partition(b"?")  # some servers leave the query in
    query: bytes = scope.get("query_string", b"")
    forms = (path + b"?" + query,) if query else (path, path + b"?")
    return tuple(form.decode("utf-8", "surrogateescape") for form in forms)


def _identity(user: str, role: str, session_id: str | None) -> Identity:
    try:
        known_role = Role(role)
    except ValueError:
        raise IdentityNotVerifiedError(f"{ROLE_HEADER} names no known role.") from None
    if (user == "") != (known_role is Role.ANONYMOUS):
        raise IdentityNotVerifiedError(f"{USER_HEADER} and {ROLE_HEADER} contradict each other.")
    if user == "":
        return Identity(None, known_role, None)
    if not _USER_ID.fullmatch(user):
        raise IdentityNotVerifiedError(f"{USER_HEADER} is not an id.")
    return Identity(int(user), known_role, session_id)
