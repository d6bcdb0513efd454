"""The decision about one request: which service may answer it, on whose behalf, or why none may."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from api_gateway import problem
from api_gateway.middleware.api_keys import ApiKeys, KeysUnavailableError
from api_gateway.middleware.auth import Principal, TokenError, TokenVerifier
from api_gateway.middleware.client import address_key
from api_gateway.middleware.rate_limit import LimiterUnavailableError, RateLimiter, Verdict
from api_gateway.middleware.revocation import Revocations
from api_gateway.problem import Problem
from api_gateway.rates import Policies, Policy
from api_gateway.routing import Route, RouteTable
from api_gateway.target import is_canonical
from shared.api_keys import PREFIX, ApiKey
from shared.identity import Role, sign

_BEARER: Final = b"bearer "
_KEY_PREFIX: Final = PREFIX.encode()
_CHALLENGE: Final = 'Bearer realm="smartcourse"'
_NOBODY: Final = Principal(user_id="", role=Role.ANONYMOUS.value, session_id="", expires_at=float("inf"))
_STALE_SECONDS: Final = 2.0
"""An older view of the revocations counts as one that Redis can't confirm; it is renewed twice a second."""


class Ask(NamedTuple):  # tuples, here and below: a frozen dataclass takes three times as long to make
    """What the data plane tells about a request. `target` is the request line's, byte for byte."""

    method: str
    target: str
    authorization: bytes
    address: str


class Admission(NamedTuple):
    """The request may pass: to whom, and the identity that the data plane hands on."""

    service: str
    principal: Principal
    time: int
    signature: str
    verdict: Verdict


class _Case(NamedTuple):
    """A request whose sender is known: what it counts against is left to ask."""

    route: Route
    principal: Principal
    key: str
    policy: Policy


class Refusal(Exception):  # noqa: N818 - the ordinary outcome of a decision, not a fault
    """The request may not pass; `verdict` is there if a limit had been counted."""

    def __init__(self, answer: Problem, verdict: Verdict | None = None) -> None:
        """Refuse with `answer`."""
        super().__init__(answer.detail)
        self.answer, self.verdict = answer, verdict


class Decider:
    """Decides about requests from what is in memory."""

    def __init__(
        self,
        *,
        routes: RouteTable,
        verifier: TokenVerifier,
        keys: ApiKeys,
        revocations: Revocations,
        limiter: RateLimiter,
        policies: Policies,
        identity_key: str,
        grace_seconds: float,
        maintenance_retry_seconds: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Decide by these parts; all of them are kept current by others.

        `maintenance_retry_seconds`: when to come back who wants more than to read; None: no maintenance.
        """
        self._routes, self._verifier, self._keys = routes, verifier, keys
        self._revocations, self._limiter = revocations, limiter
        self._policies, self._key, self._grace_seconds = policies, identity_key, grace_seconds
        self.maintenance_retry_seconds = maintenance_retry_seconds
        self._clock = clock

    @property
    def is_deciding(self) -> bool:
        """Whether the revocations are known, and recently enough, for anybody to pass."""
        return self._revocations.age_seconds <= max(self._grace_seconds, _STALE_SECONDS)

    @property
    def knowledge(self) -> dict[str, str | float | None]:
        """How well the revocations are known: `current`, `stale` (Redis can't confirm them) or `unknown`; and how old
        that knowledge is, None if there never was any."""
        if not self._revocations.is_loaded:
            return {"status": "unknown", "age_seconds": None}
        status = "stale" if self._is_stale else "current"
        return {"status": status, "age_seconds": round(self._revocations.age_seconds, 1)}

    def decide(self, ask: Ask) -> Admission | Coroutine[Any, Any, Admission]:
        """Return how the request may pass, at once if memory alone can tell; else to be awaited, for somebody is asked.

        Raises:
            Refusal: it may not. When awaited, too.
        """
        route = self._route(ask)
        self._require_passage(ask.method)
        self._require_knowledge()
        credential = _credential(route, ask.authorization)
        holder = self._find_holder(credential)
        if holder is None:
            return self._decide_on_key(route, credential, ask)
        case = self._count(route, holder, ask)
        verdict = self._limiter.take_now(case.key, case.policy)
        return self._decide_on_limit(case, ask) if verdict is None else self._conclude(case, ask, verdict)

    async def _decide_on_key(self, route: Route, credential: bytes, ask: Ask) -> Admission:
        holder = await self._look_key_up(credential, ask.address)
        return await self._decide_on_limit(self._count(route, holder, ask), ask)

    async def _decide_on_limit(self, case: _Case, ask: Ask) -> Admission:
        return self._conclude(case, ask, await self._take(case.key, case.policy))

    def _count(self, route: Route, holder: Principal, ask: Ask) -> _Case:
        """Say what the request counts against."""
        if route.rate == "login":
            return _Case(route, holder, f"login:{address_key(ask.address)}", self._policies.login)
        if route.rate == "heavy":
            who = address_key(ask.address) if holder is _NOBODY else f"user:{holder.user_id}"
            return _Case(route, holder, f"heavy:{who}", self._policies.heavy)
        if holder is not _NOBODY:
            return _Case(route, holder, f"user:{holder.user_id}", self._policies.default)
        return _Case(route, holder, f"public:{address_key(ask.address)}", self._policies.public)

    def _route(self, ask: Ask) -> Route:
        if not is_canonical(ask.target):
            raise Refusal(Problem(problem.BAD_REQUEST, "The request target is not in canonical form."))
        found = self._routes.find(ask.target.partition("?")[0])
        if found is None:
            raise Refusal(Problem(problem.NOT_FOUND, "There is nothing at this path."))
        route = found.get("GET" if ask.method == "HEAD" else ask.method)
        if route is None:
            allowed = sorted({*found, *({"HEAD"} if "GET" in found else ())})
            detail = f"This path answers {', '.join(allowed)} only."
            raise Refusal(Problem(problem.METHOD_NOT_ALLOWED, detail, {"Allow": ", ".join(allowed)}))
        return route

    def _require_passage(self, method: str) -> None:
        if self.maintenance_retry_seconds is not None and method != "GET":  # HEAD is asked about as GET
            wait = {"Retry-After": str(self.maintenance_retry_seconds)}
            raise Refusal(Problem(problem.MAINTENANCE, "During maintenance the API can be read only.", wait))

    def _require_knowledge(self) -> None:
        if not self.is_deciding:
            raise _unavailable("Revocations and limits can't be checked at present.")

    def _find_holder(self, credential: bytes) -> Principal | None:
        """Return whom a credential speaks for; None if it is an API key to be looked up."""
        if not credential:
            return _NOBODY
        digest = hashlib.sha256(credential).digest()
        is_key = credential.startswith(_KEY_PREFIX)
        return self._keys.find_known(digest) if is_key else self._token_holder(credential, digest)

    def _token_holder(self, token: bytes, digest: bytes) -> Principal:
        principal = self._verifier.find_known(digest)
        if principal is None:
            try:
                principal = self._verifier.verify(token.decode("latin-1"), digest, remember=not self._is_stale)
            except TokenError as error:
                raise _not_authenticated(str(error)) from error
            if self._is_stale:
                raise _unavailable("A token seen for the first time can't be checked at present.")
        if principal.session_id in self._revocations:
            raise _not_authenticated("The token's session has ended.")
        return principal

    async def _look_key_up(self, credential: bytes, address: str) -> Principal:
        key = ApiKey.parse(credential.decode("latin-1"))
        if key is None:
            raise _not_authenticated("The API key is not whole, or mistyped.")
        if self._is_stale:
            raise _unavailable("An API key seen for the first time can't be checked at present.")
        # Whoever tries keys out is counted by address before user-service is troubled.
        policy = self._policies.public
        _require_permit(policy, await self._take(f"public:{address_key(address)}", policy))
        try:
            holder = await self._keys.find(key)
        except KeysUnavailableError as error:
            raise _unavailable("API keys can't be checked at present.") from error
        if holder is None:
            raise _not_authenticated("The API key is not known, has expired or was revoked.")
        return holder

    async def _take(self, key: str, policy: Policy) -> Verdict:
        try:
            return await self._limiter.take(key, policy)
        except LimiterUnavailableError as error:
            raise _unavailable("Attempts to log in can't be counted at present.") from error

    @property
    def _is_stale(self) -> bool:
        return not self._revocations.is_current or self._revocations.age_seconds > _STALE_SECONDS

    def _conclude(self, case: _Case, ask: Ask, verdict: Verdict) -> Admission:
        route, principal, _, policy = case
        _require_permit(policy, verdict)
        if principal.scopes is not None:
            _require_scope(route, principal.scopes, verdict)
        if not route.admits(principal.role):
            who = " or ".join(route.allow)
            raise Refusal(Problem(problem.FORBIDDEN, f"The role {who} is needed."), verdict)
        now = int(self._clock())
        signature = sign(
            self._key, time=now, user=principal.user_id, role=principal.role, method=ask.method, target=ask.target
        )
        return Admission(route.service, principal, now, signature, verdict)


def _credential(route: Route, authorization: bytes) -> bytes:
    """Return the token or API key that counts, b"" where none does or need be."""
    if not route.reads_token or (route.is_public and not authorization):
        return b""
    if not authorization:
        raise _not_authenticated("An access token or an API key is needed.", error=None)
    credential = authorization[len(_BEARER) :]
    if authorization[: len(_BEARER)].lower() != _BEARER or not credential:
        raise _not_authenticated("The Authorization header must be 'Bearer' and an access token or an API key.")
    return credential


def _require_permit(policy: Policy, verdict: Verdict) -> None:
    if not verdict.is_allowed:
        wait = {"Retry-After": str(verdict.reset_seconds)}
        raise Refusal(Problem(problem.RATE_LIMITED, f"More than {policy.limit} requests in a minute.", wait), verdict)


def _require_scope(route: Route, scopes: frozenset[str], verdict: Verdict) -> None:
    if not route.api_keys:
        detail = "API keys are not accepted here: log in and send the access token."
        raise Refusal(Problem(problem.FORBIDDEN, detail), verdict)
    if route.scope not in scopes:
        challenge = f'{_CHALLENGE}, error="insufficient_scope", scope="{route.scope}"'
        detail = f"The API key lacks the scope {route.scope}."
        raise Refusal(Problem(problem.FORBIDDEN, detail, {"WWW-Authenticate": challenge}), verdict)


def _not_authenticated(detail: str, error: str | None = "invalid_token") -> Refusal:
    challenge = _CHALLENGE + (f', error="{error}"' if error else "")
    return Refusal(Problem(problem.NOT_AUTHENTICATED, detail, {"WWW-Authenticate": challenge}))


def _unavailable(detail: str) -> Refusal:
    return Refusal(Problem(problem.UNAVAILABLE, detail, {"Retry-After": "2"}))
