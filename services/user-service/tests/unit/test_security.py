"""Refresh tokens: what is accepted, and everything that is not."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from pydantic import SecretStr

from user_service.core.security import (
    InvalidToken,
    TokenClaims,
    TokenSigner,
    TokenType,
    UnknownSigningKey,
    key_id,
    token_hash,
)
from user_service.schemas.user import UserRole

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRET = SecretStr("current-secret-of-at-least-32-bytes")
OLDER = SecretStr("previous-secret-of-at-least-32-bytes")


def signer(current: SecretStr = SECRET, previous: SecretStr | None = None) -> TokenSigner:
    return TokenSigner(current=current, previous=previous, issuer="smartcourse", audience="smartcourse-api")


def claims(**changes: Any) -> TokenClaims:
    values: dict[str, Any] = {
        "user_id": 7,
        "role": UserRole.STUDENT,
        "sid": uuid4(),
        "jti": uuid4(),
        "issued_at": NOW,
        "expires_at": NOW + timedelta(days=7),
    }
    return TokenClaims(**values | changes)


def forged(*, header: dict[str, Any] | None = None, digest: str = "sha256", **payload: Any) -> str:
    """A correctly signed refresh token but for what is given; a claim given as `...` is left out."""
    values = {
        "sub": "7",
        "exp": int((NOW + timedelta(days=7)).timestamp()),
        "iat": int(NOW.timestamp()),
        "type": "refresh",
        "role": "student",
        "jti": str(uuid4()),
        "sid": str(uuid4()),
        "iss": "smartcourse",
        "aud": "smartcourse-api",
    } | payload
    values = {name: value for name, value in values.items() if value is not ...}
    # By hand: the library refuses to make the worst of them.
    return sealed({"alg": "HS256", "typ": "JWT", "kid": key_id(SECRET)} | (header or {}), json.dumps(values), digest)


def sealed(header: dict[str, Any], payload: str, digest: str = "sha256") -> str:
    """The token of this header and these claims, as JSON."""
    signed = f"{encoded(header)}.{in_base64(payload.encode())}"
    return f"{signed}.{in_base64(hmac.digest(SECRET.get_secret_value().encode(), signed.encode(), digest))}"


def encoded(document: dict[str, Any]) -> str:
    return in_base64(json.dumps(document).encode())


def in_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_what_is_forged_below_would_be_accepted_if_nothing_were_wrong() -> None:
    assert signer().verify_refresh(forged(), NOW).user_id == 7


def test_a_token_says_what_was_signed() -> None:
    said = claims()
    assert signer().verify_refresh(signer().sign(TokenType.REFRESH, said), NOW) == said


def test_the_same_claims_and_key_always_give_the_same_text() -> None:
    said = claims()
    assert signer().sign(TokenType.REFRESH, said) == signer().sign(TokenType.REFRESH, said)


def test_an_access_token_carries_the_agreed_claims_and_key_id() -> None:
    said = claims()
    token = signer().sign(TokenType.ACCESS, said)
    payload = jwt.decode(
        token, SECRET.get_secret_value(), ["HS256"], audience="smartcourse-api", options={"verify_exp": False}
    )
    assert payload.keys() == {"sub", "exp", "iat", "type", "role", "jti", "sid", "iss", "aud"}
    assert (payload["sub"], payload["type"], payload["role"]) == ("7", "access", "student")
    expected = hashlib.sha256(SECRET.get_secret_value().encode()).hexdigest()[:8]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": expected}


def test_an_access_token_does_not_refresh() -> None:
    with pytest.raises(InvalidToken, match="not a refresh token"):
        signer().verify_refresh(signer().sign(TokenType.ACCESS, claims()), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": int(NOW.timestamp())},
        {"exp": ...},
        {"exp": "4102444800"},
        {"exp": 4102444800.5},
        {"exp": True},
        {"iat": int(NOW.timestamp()) + 60},
        {"iat": ...},
        {"nbf": int(NOW.timestamp())},
        {"iss": "somebody-else"},
        {"aud": "another-api"},
        {"aud": ["smartcourse-api", "another-api"]},
        {"sub": 7},
        {"sub": "0"},
        {"sub": "-7"},
        {"sub": "\N{ARABIC-INDIC DIGIT SEVEN}"},
        {"sub": str(2**31)},
        {"role": "root"},
        {"role": ["admin"]},
        {"jti": "not-a-uuid"},
        {"sid": 5},
        {"type": ...},
        {"scope": "everything"},
    ],
    ids=str,
)
def test_a_claim_that_is_not_as_agreed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        signer().verify_refresh(forged(**change), NOW)


@pytest.mark.parametrize("again", ['"role": "admin"', '"sub": "7"', '"exp": 4102444800'])
def test_a_claim_stated_twice_is_refused(again: str) -> None:
    header, payload = jwt.get_unverified_header(forged()), forged().split(".")[1]
    claims_once = base64.urlsafe_b64decode(payload + "==").decode()
    assert signer().verify_refresh(sealed(header, claims_once), NOW).user_id == 7
    with pytest.raises(InvalidToken, match="twice"):
        signer().verify_refresh(sealed(header, f"{claims_once[:-1]}, {again}}}"), NOW)


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "00000000"},
        {"kid": None},
        {"kid": [key_id(SECRET)]},
        {"jku": "https://attacker.example/keys"},
        {"x5u": "https://attacker.example/cert"},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
        {"crit": ["exp"]},
        {"crit": ["urn:example:unknown"], "urn:example:unknown": 1},
        {"crit": ["b64"], "b64": False},
        {"typ": "at+jwt"},
    ],
    ids=str,
)
def test_a_header_that_is_not_as_agreed_is_refused(header: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        signer().verify_refresh(forged(header=header), NOW)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    _, payload, _ = forged().split(".")
    header = encoded({"alg": algorithm, "typ": "JWT", "kid": key_id(SECRET)})
    for signature in ("", "x"):
        with pytest.raises(InvalidToken):
            signer().verify_refresh(f"{header}.{payload}.{signature}", NOW)


@pytest.mark.parametrize(("algorithm", "digest"), [("HS384", "sha384"), ("HS512", "sha512"), ("RS256", "sha256")])
def test_another_algorithm_with_the_same_secret_is_refused(algorithm: str, digest: str) -> None:
    with pytest.raises(InvalidToken):
        signer().verify_refresh(forged(header={"alg": algorithm}, digest=digest), NOW)


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "\ud800.b.c", "x" * 4096])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        signer().verify_refresh(text, NOW)


def test_a_changed_signature_is_refused() -> None:
    head, _, signature = forged().rpartition(".")
    for changed in ("", signature[:-2], ("A" if signature[0] != "A" else "B") + signature[1:]):
        with pytest.raises(InvalidToken):
            signer().verify_refresh(f"{head}.{changed}", NOW)


def test_the_previous_key_is_accepted_until_it_is_taken_away() -> None:
    token = signer(OLDER).sign(TokenType.REFRESH, claims())
    assert signer(SECRET, OLDER).verify_refresh(token, NOW).user_id == 7
    with pytest.raises(InvalidToken, match="unknown key"):
        signer(SECRET).verify_refresh(token, NOW)


def test_new_tokens_are_signed_with_the_current_key_and_old_ones_again_with_theirs() -> None:
    said = claims()
    both = signer(SECRET, OLDER)
    assert jwt.get_unverified_header(both.sign(TokenType.REFRESH, said))["kid"] == key_id(SECRET)
    assert both.sign(TokenType.REFRESH, said, kid=key_id(OLDER)) == signer(OLDER).sign(TokenType.REFRESH, said)
    with pytest.raises(UnknownSigningKey):
        signer(SECRET).sign(TokenType.REFRESH, said, kid=key_id(OLDER))


def test_a_tokens_hash_does_not_contain_it() -> None:
    token = signer().sign(TokenType.REFRESH, claims(jti=UUID(int=1)))
    assert len(token_hash(token)) == 32
    assert token.encode() not in token_hash(token)
