"""Verification of access tokens, remembered until they expire.

The rules beyond PyJWT's own are RFC 8725's: PyJWT accepts a token without `exp` unless told otherwise, an `exp` that
is a string, the last of two claims of one name, and a role that is no role.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jwt

from shared.identity import Role

_LONGEST_TOKEN: Final = 4096
_CLAIMS: Final = ["sub", "exp", "iat", "type", "role", "jti", "sid", "iss", "aud"]
_HEADERS: Final = frozenset({"alg", "typ", "kid"})
_ROLES: Final = frozenset({Role.STUDENT.value, Role.INSTRUCTOR.value, Role.ADMIN.value})
_LARGEST_ID: Final = 2**63 - 1
_SESSION: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TokenError(Exception):
    """The token is not a good access token; the message says why and may be shown to the client."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a verified token or API key speaks for, and until when."""

    user_id: str
    role: str
    session_id: str
    expires_at: float
    scopes: frozenset[str] | None = None
    """What an API key is good for; None for a token, which is good for all that its role may do."""


def key_id(secret: str) -> str:
    """Return the `kid` of a signing secret: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


class TokenVerifier:
    """Verifies access tokens and remembers the good ones by digest, so that each costs one verification."""

    def __init__(
        self,
        secrets: list[str],
        *,
        issuer: str,
        audience: str,
        skew_seconds: int,
        capacity: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Accept tokens signed with any of `secrets`, the current one first."""
        self._keys = {key_id(secret): secret for secret in secrets}
        self._issuer, self._audience, self._skew = issuer, audience, skew_seconds
        self._capacity = capacity
        self._clock = clock
        self._known: dict[bytes, Principal] = {}

    def __len__(self) -> int:
        """How many tokens are remembered."""
        return len(self._known)

    def find_known(self, digest: bytes) -> Principal | None:
        """Return who the token of this digest speaks for, if it was verified before and has not expired."""
        principal = self._known.get(digest)
        if principal is not None and principal.expires_at <= self._clock():
            del self._known[digest]
            return None
        return principal

    def verify(self, token: str, digest: bytes, *, remember: bool = True) -> Principal:
        """Verify `token` and, if so told, remember it under `digest`.

        Raises:
            TokenError: it is malformed, wrongly signed, expired, or not an access token.
        """
        if len(token) > _LONGEST_TOKEN:
            raise TokenError("The token is too long.")
        principal = self._principal(self._claims(token))
        if remember:
            if len(self._known) >= self._capacity:
                del self._known[next(iter(self._known))]
            self._known[digest] = principal
        return principal

    def forget_expired(self) -> None:
        """Drop tokens that have expired."""
        now = self._clock()
        for digest in [digest for digest, known in self._known.items() if known.expires_at <= now]:
            del self._known[digest]

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if not _HEADERS.issuperset(header) or not isinstance(header.get("kid"), str):
                raise TokenError("The token's header has a parameter that is not accepted, or no key id.")
            if (secret := self._keys.get(header["kid"])) is None:
                raise TokenError("The token was signed with a key that is not in use.")
            jwt.decode(
                token,
                secret,
                algorithms=["HS256"],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._skew,
                options={"require": _CLAIMS, "strict_aud": True, "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("The token has expired.") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise TokenError("The token is not valid.") from error
        return _parse_strictly(token.split(".")[1])

    def _principal(self, claims: dict[str, Any]) -> Principal:
        if claims["type"] != "access":
            raise TokenError("An access token is needed; this is another kind of token.")
        subject, role, session, expires = claims["sub"], claims["role"], claims["sid"], claims["exp"]
        good = (
            type(expires) is int
            and type(claims["iat"]) is int
            and isinstance(claims["jti"], str)
            and isinstance(subject, str)
            and subject.isascii()
            and subject.isdigit()
            and 0 < int(subject[:20]) <= _LARGEST_ID
            and isinstance(role, str)
            and role in _ROLES
            and isinstance(session, str)
            and _SESSION.fullmatch(session) is not None
        )
        if not good:
            raise TokenError("A claim of the token is not of the expected kind.")
        return Principal(user_id=str(int(subject)), role=role, session_id=session, expires_at=expires + self._skew)


def _parse_strictly(segment: str) -> dict[str, Any]:
    """Parse a verified token's claims again, refusing two of one name."""

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise TokenError("The token states a claim twice.")
        return result

    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), object_pairs_hook=without_duplicates
    )
    return claims
