"""What is remembered about tokens, and for how long. The rules themselves are tested through the real gateway."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

import jwt
import pytest

from api_gateway.middleware.auth import TokenError, TokenVerifier, key_id

CURRENT, PREVIOUS = secrets.token_hex(32), secrets.token_hex(32)


class Time:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def verifier(
    *, keys: tuple[str, ...] = (CURRENT, PREVIOUS), capacity: int = 10, clock: Time | None = None
) -> TokenVerifier:
    return TokenVerifier(
        list(keys),
        issuer="smartcourse",
        audience="smartcourse-api",
        skew_seconds=5,
        capacity=capacity,
        clock=clock or time.time,
    )


def claims(user: int = 7) -> dict[str, object]:
    now = int(time.time())
    return {
        "sub": str(user), "exp": now + 60, "iat": now, "type": "access", "role": "student", "jti": "j", "sid": "s",
        "iss": "smartcourse", "aud": "smartcourse-api",
    }  # fmt: skip


def token(key: str = CURRENT, user: int = 7) -> str:
    return jwt.encode(claims(user), key, algorithm="HS256", headers={"kid": key_id(key)})


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_the_key_id_is_the_beginning_of_the_secrets_digest() -> None:
    assert key_id("a") == "ca978112"


@pytest.mark.parametrize("key", [CURRENT, PREVIOUS])
def test_both_keys_are_accepted_during_a_rotation(key: str) -> None:
    assert verifier().verify(token(key), b"d").user_id == "7"


def test_the_previous_key_is_refused_after_the_rotation() -> None:
    with pytest.raises(TokenError, match="key that is not in use"):
        verifier(keys=(CURRENT,)).verify(token(PREVIOUS), b"d")


def test_a_token_is_remembered_until_it_expires() -> None:
    clock = Time()
    memory = verifier(clock=clock)
    text = token()
    assert memory.find_known(digest(text)) is None
    principal = memory.verify(text, digest(text))
    assert memory.find_known(digest(text)) is principal
    clock.now += 66
    assert memory.find_known(digest(text)) is None
    assert len(memory) == 0


def test_what_must_not_be_remembered_is_not() -> None:
    memory = verifier()
    memory.verify(token(), b"d", remember=False)
    assert memory.find_known(b"d") is None


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory = verifier(capacity=3)
    for user in range(1, 6):
        memory.verify(token(user=user), str(user).encode())
    assert len(memory) == 3
    assert memory.find_known(b"2") is None
    assert memory.find_known(b"5") is not None


def test_expired_tokens_are_swept() -> None:
    clock = Time()
    memory = verifier(clock=clock)
    memory.verify(token(), b"d")
    clock.now += 66
    memory.forget_expired()
    assert len(memory) == 0


def test_a_claim_stated_twice_is_refused() -> None:
    body = json.dumps(claims())[:-1] + ', "role": "admin"}'
    head = json.dumps({"alg": "HS256", "kid": key_id(CURRENT)})
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in (head, body))
    signature = hmac.digest(CURRENT.encode(), signed.encode(), "sha256")
    text = signed + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    with pytest.raises(TokenError, match="twice"):
        verifier().verify(text, b"d")
