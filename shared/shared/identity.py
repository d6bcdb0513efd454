"""Who is asking: what the gateway vouches for with a signature over the request.

The signature is HMAC-SHA256 over ``v1\\n<time>\\n<user>\\n<role>\\n<METHOD>\\n<target>`` in hexadecimal. Anonymous
requests are signed too, with an empty user and the role ``anonymous``. ``X-Session-ID`` is not covered.
"""

import hmac
import time as system_time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from shared.exceptions.base import AuthenticationError, ForbiddenError

USER_HEADER = "X-User-ID"
ROLE_HEADER = "X-User-Role"
SESSION_HEADER = "X-Session-ID"
TIME_HEADER = "X-Gateway-Time"
SIGNATURE_HEADER = "X-Gateway-Signature"

SIGNATURE_TOLERANCE_SECONDS = 30
SCOPE_KEY = "smartcourse.identity"


class Role(StrEnum):
    """What a person may do."""

    ANONYMOUS = "anonymous"
    STUDENT = "student"
    INSTRUCTOR = "instructor"
    ADMIN = "admin"


@dataclass(frozen=True)
class Identity:
    """Who sent a request; ``user_id`` is None exactly if ``role`` is anonymous."""

    user_id: int | None
    role: Role
    session_id: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN


@dataclass(frozen=True)
class UserIdentity(Identity):
    """Somebody who is logged in."""

    user_id: int


def signing_string(*, time: int, user: str, role: str, method: str, target: str) -> bytes:
    """What is signed. ``target`` is the path and query as sent upstream, ``time`` is in Unix seconds."""
    return f"v1\n{time}\n{user}\n{role}\n{method.upper()}\n{target}".encode("utf-8", "surrogateescape")


def sign(key: str | SecretStr, *, time: int, user: str, role: str, method: str, target: str) -> str:
    """The signature in hexadecimal; ``user`` is the id as text, empty for an anonymous request."""
    secret = key.get_secret_value() if isinstance(key, SecretStr) else key
    message = signing_string(time=time, user=user, role=role, method=method, target=target)
    return hmac.digest(secret.encode(), message, "sha256").hex()


def signed_headers(
    key: str | SecretStr,
    *,
    method: str,
    target: str,
    user_id: int | None = None,
    role: Role | str = Role.ANONYMOUS,
    session_id: str | None = None,
    time: int | None = None,
) -> dict[str, str]:
    """The headers that the gateway adds to a request; ``time`` defaults to now."""
    moment = int(system_time.time()) if time is None else time
    user = "" if user_id is None else str(user_id)
    headers = {
        USER_HEADER: user,
        ROLE_HEADER: str(role),
        TIME_HEADER: str(moment),
        SIGNATURE_HEADER: sign(key, time=moment, user=user, role=str(role), method=method, target=target),
    }
    return headers if session_id is None else headers | {SESSION_HEADER: session_id}


# Dependencies are coroutines although they wait for nothing: FastAPI would run a plain function in a thread.
async def current_identity(request: Request) -> Identity:
    """Who sent ``request``, anonymous included."""
    identity: Identity = request.scope[SCOPE_KEY]
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]


async def current_user(identity: CurrentIdentity) -> UserIdentity:
    """Who is logged in. Raises AuthenticationError (401) if nobody is."""
    if identity.user_id is None:
        raise AuthenticationError("Log in first.")
    return UserIdentity(identity.user_id, identity.role, identity.session_id)


CurrentUser = Annotated[UserIdentity, Depends(current_user)]


def require_roles(*roles: Role) -> Callable[[UserIdentity], Awaitable[UserIdentity]]:
    """A dependency that lets only ``roles`` pass; raises AuthenticationError (401) or ForbiddenError (403)."""

    async def checked(user: CurrentUser) -> UserIdentity:
        if user.role not in roles:
            raise ForbiddenError(f"This takes the role {' or '.join(roles)}.")
        return user

    return checked
