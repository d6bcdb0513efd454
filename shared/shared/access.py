"""Who may use a route, and how fast: declared by the route, enforced by the gateway.

    @router.get("/users", openapi_extra=access("admin"))

The declaration travels in the service's ``openapi.json``; a route that declares nothing is denied.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args

Allow = Literal["public", "authenticated", "student", "instructor", "admin"]
Rate = Literal["default", "heavy", "login", "public"]
Stream = Literal["sse", "websocket"]

EXTENSION = "x-smartcourse-access"
MAX_BODY_BYTES = "maxBodyBytes"
API_KEYS = "apiKeys"
STREAM = "stream"
IDEMPOTENCY = "idempotency"


def access(
    *allow: Allow,
    rate: Rate = "default",
    max_body_bytes: int | None = None,
    api_keys: bool = True,
    stream: Stream | None = None,
    idempotency: bool = True,
) -> dict[str, Any]:
    """What goes into a route's ``openapi_extra``.

    ``public``: also who is not logged in; ``authenticated``: whoever is; else the roles that are named.
    ``rate``: ``heavy`` for what costs much, ``login`` for what tries credentials.
    ``max_body_bytes``: the largest body, where it isn't the gateway's and the service's usual one; the gateway
    streams such a body to the service instead of collecting it.
    ``api_keys``: whether a script's API key is as good as a person's access token; not where sessions, passwords, roles
    or keys themselves are at stake.
    ``stream``: of a GET whose answer goes on, as server-sent events or as a WebSocket; the gateway passes each event on
    at once and waits long for the next.
    ``idempotency``: False for a POST whose request or answer holds a secret, which must not be kept for repeats.

    Raises ValueError if it names nothing, something unknown, a role beside ``public`` or ``authenticated``, or a limit
    that is not positive.
    """
    unknown = set(allow) - set(get_args(Allow))
    if not allow or unknown:
        raise ValueError(f"access() takes one or more of {', '.join(get_args(Allow))}; got {allow}")
    if len(allow) > 1 and {"public", "authenticated"} & set(allow):
        raise ValueError(f"access{allow}: public and authenticated stand alone, they include every role")
    if rate not in get_args(Rate):
        raise ValueError(f"rate must be one of {', '.join(get_args(Rate))}; got {rate!r}")
    if stream is not None and stream not in get_args(Stream):
        raise ValueError(f"stream must be one of {', '.join(get_args(Stream))}; got {stream!r}")
    declared: dict[str, Any] = {"allow": list(allow), "rate": rate}
    if max_body_bytes is not None:
        if max_body_bytes <= 0:
            raise ValueError(f"max_body_bytes must be positive; got {max_body_bytes}")
        declared[MAX_BODY_BYTES] = max_body_bytes
    if not api_keys:
        declared[API_KEYS] = False
    if stream is not None:
        declared[STREAM] = stream
    if not idempotency:
        declared[IDEMPOTENCY] = False
    return {EXTENSION: declared}


def reads_token(method: str, allow: Collection[str]) -> bool:
    """Whether it matters who calls an operation: its caller's token or API key is looked at.

    A public one that changes something (register, login, refresh) is authorised by its body: a stale token that a
    client still sends along must not stand in its way.
    """
    return "public" not in allow or method == "GET"


def takes_idempotency_key(method: str, declared: Mapping[str, Any]) -> bool:
    """Whether an operation that declares this heeds ``Idempotency-Key``: a POST by whoever is logged in.

    What is public belongs to nobody, and what logs people in answers with tokens.
    """
    return method.upper() == "POST" and "public" not in declared["allow"] and declared.get(IDEMPOTENCY, True)
