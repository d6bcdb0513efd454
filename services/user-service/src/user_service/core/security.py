"""Signing and reading of JSON Web Tokens (RFC 7519, with the advice of RFC 8725).

Access tokens are only issued here: the gateway verifies them. Refresh tokens are issued and verified here.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import jwt
from jwt.types import Options
from pydantic import SecretStr

from user_service.schemas.user import UserRole

ALGORITHM = "HS256"
CLAIMS = ("sub", "exp", "iat", "type", "role", "jti", "sid", "iss", "aud")
CLOCK_SKEW_SECONDS = 5
"""How far in the future another replica's clock may have put `iat`."""


class TokenType(StrEnum):
    """What a token is good for; neither kind is accepted in the other's place."""

    ACCESS = "access"
    REFRESH = "refresh"


class InvalidToken(Exception):  # noqa: N818 - a verdict that callers turn into their own error
    """The text is not a refresh token that this platform issued and that is still good. Says which rule it broke."""


class UnknownSigningKey(Exception):  # noqa: N818
    """A token has to be signed with a key that this process does not hold (in the middle of a key rotation)."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token says; times are aware UTC and whole seconds."""

    user_id: int
    role: UserRole
    sid: UUID
    jti: UUID
    issued_at: datetime
    expires_at: datetime


def key_id(secret: SecretStr) -> str:
    """Name a signing key without giving it away: the first 8 hex digits of its SHA-256."""
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()[:8]


def token_hash(token: str) -> bytes:
    """What is stored of a token. A plain hash does, for a signature cannot be guessed."""
    return hashlib.sha256(token.encode()).digest()


class TokenSigner:
    """Issues both kinds of token and verifies refresh tokens.

    New tokens are signed with the current key; tokens of the previous key stay valid until that is taken away.
    """

    def __init__(self, *, current: SecretStr, previous: SecretStr | None, issuer: str, audience: str) -> None:
        self.current_kid = key_id(current)
        self._keys = {key_id(secret): secret for secret in (current, previous) if secret is not None}
        self._issuer = issuer
        self._audience = audience

    def sign(self, kind: TokenType, claims: TokenClaims, *, kid: str | None = None) -> str:
        """Encode `claims`: the same claims and key always give the same text.

        Raises UnknownSigningKey if `kid` (default: the current key) is not held.
        """
        kid = kid or self.current_kid
        if kid not in self._keys:
            raise UnknownSigningKey(kid)
        payload = {
            "sub": str(claims.user_id),
            "exp": int(claims.expires_at.timestamp()),
            "iat": int(claims.issued_at.timestamp()),
            "type": kind.value,
            "role": claims.role.value,
            "jti": str(claims.jti),
            "sid": str(claims.sid),
            "iss": self._issuer,
            "aud": self._audience,
        }
        return jwt.encode(payload, self._keys[kid].get_secret_value(), algorithm=ALGORITHM, headers={"kid": kid})

    def verify_refresh(self, token: str, now: datetime) -> TokenClaims:
        """Check signature, header and every claim of a refresh token against the time `now`.

        Whether it was used or revoked is for the caller to find out. Raises InvalidToken.
        """
        try:
            kid = self._checked_kid(jwt.get_unverified_header(token))
            payload = jwt.decode(
                token,
                self._keys[kid].get_secret_value(),
                algorithms=[ALGORITHM],
                # Every claim is checked below, against the caller's clock and more strictly than the library does.
                options=_SIGNATURE_ONLY,
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise InvalidToken(str(error)) from error
        _check_names(token.split(".")[1])
        return self._checked_claims(payload, now)

    def _checked_kid(self, header: dict[str, Any]) -> str:
        kid = header.get("kid")
        # An exact match leaves no room for crit, b64, jku, x5u, jwk and whatever comes next.
        if header != {"alg": ALGORITHM, "typ": "JWT", "kid": kid}:
            raise InvalidToken("unexpected header")
        if not isinstance(kid, str) or kid not in self._keys:
            raise InvalidToken("unknown key")
        return kid

    def _checked_claims(self, payload: dict[str, Any], now: datetime) -> TokenClaims:
        if set(payload) != set(CLAIMS):
            raise InvalidToken("claims are missing or unknown")
        if type(payload["exp"]) is not int or type(payload["iat"]) is not int:
            raise InvalidToken("times are not whole numbers")
        if payload["type"] != TokenType.REFRESH.value:
            raise InvalidToken("not a refresh token")
        if payload["iss"] != self._issuer or payload["aud"] != self._audience:
            raise InvalidToken("another issuer or audience")
        if payload["exp"] <= now.timestamp():
            raise InvalidToken("expired")
        if payload["iat"] > now.timestamp() + CLOCK_SKEW_SECONDS:
            raise InvalidToken("issued in the future")
        try:
            return TokenClaims(
                user_id=_checked_user_id(payload["sub"]),
                role=UserRole(payload["role"]),
                sid=UUID(payload["sid"]),
                jti=UUID(payload["jti"]),
                issued_at=datetime.fromtimestamp(payload["iat"], UTC),
                expires_at=datetime.fromtimestamp(payload["exp"], UTC),
            )
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise InvalidToken("a claim has the wrong shape") from error


_SIGNATURE_ONLY: Options = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
_MAX_ID = 2**31 - 1


def _check_names(segment: str) -> None:
    """Refuse claims two of which have one name: the library has kept the last of them, another reader may not."""

    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise InvalidToken("a claim is stated twice")
        return dict(pairs)

    json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)), object_pairs_hook=without_duplicates)


def _checked_user_id(sub: object) -> int:
    if not isinstance(sub, str) or not sub.isascii() or not sub.isdecimal() or not 0 < int(sub) <= _MAX_ID:
        raise InvalidToken("sub is not a user id")
    return int(sub)
