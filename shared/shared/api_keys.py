"""API keys for scripts: what one looks like, what it may be good for, and what the gateway asks about one.

    sck_<16 hexadecimal digits>_<43 characters><8 hexadecimal digits>

The first part finds the key's row and may be shown. The second is 256 bits from the system's generator. The last is
the CRC-32 of all before it, by which a scanner for leaked secrets, and the gateway, tell a key from a text that only
resembles one without asking anybody.

Of a key its SHA-256 is kept. That a plain hash does is NIST SP 800-63B's rule for secrets that were drawn at random
with at least 112 bits (5.1.2.2): nobody can try them out, so there is nothing for a slow hash to slow down.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, Field

from shared.identity import Role

PREFIX = "sck_"
LOOKUP_PATH = "/internal/api-keys"
"""Where user-service tells the gateway whose a key is. No route of the gateway leads there."""

_KEY = re.compile(r"(sck_([0-9a-f]{16})_[A-Za-z0-9_-]{43})([0-9a-f]{8})")


class Scope(StrEnum):
    """What a key may be good for: reading from a service, or whatever else it offers. Roles apply besides."""

    USER_READ = "user:read"
    USER_WRITE = "user:write"
    COURSE_READ = "course:read"
    COURSE_WRITE = "course:write"
    NOTIFICATION_READ = "notification:read"
    NOTIFICATION_WRITE = "notification:write"


def scope_of(service: str, method: str) -> Scope:
    """The scope that an operation of ``service`` (its short name) needs. Raises ValueError if the service has none."""
    return Scope(f"{service}:{'read' if method == 'GET' else 'write'}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret: what finds it, and the SHA-256 that proves it."""

    public_id: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a key; None unless it is whole."""
        found = _KEY.fullmatch(text)
        if found is None or _checksum(found[1]) != found[3]:
            return None
        return cls(public_id=found[2], digest=hashlib.sha256(text.encode()).digest())


def new_api_key() -> tuple[str, ApiKey]:
    """Draw a key; its text is for its owner, once."""
    begun = f"{PREFIX}{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"
    text = begun + _checksum(begun)
    return text, ApiKey(public_id=begun[len(PREFIX) :][:16], digest=hashlib.sha256(text.encode()).digest())


def lookup_target(key: ApiKey) -> str:
    """What the gateway asks user-service for. The digest is in the query because queries are not logged."""
    return f"{LOOKUP_PATH}/{key.public_id}?digest={key.digest.hex()}"


class ApiKeyHolder(BaseModel):
    """Whom a key speaks for."""

    user_id: int
    role: Role
    session_id: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Revoked when any of this is no longer so")
    ]
    scopes: list[str]
    good_for_seconds: Annotated[int, Field(ge=0, description="How long the answer may be remembered")]


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
