"""A service behind the gateway, for tests: it lets in what the gateway signed and tells what it was sent.

As user-service it also tells whom API keys speak for: those in the file that KEYS names (by digest), each question
becoming a line of the file beside it.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from shared.api_keys import LOOKUP_PATH
from shared.identity import SCOPE_KEY
from shared.middleware.body_limit import BodyLimitMiddleware
from shared.middleware.identity import IdentityMiddleware


def _holder(path: str, digest: str) -> Any:
    keys = Path(os.environ["KEYS"])
    with keys.with_suffix(".asked").open("a") as asked:
        asked.write(f"{digest}\n")
    key = json.loads(keys.read_text()).get(digest)
    return key["holder"] if key is not None and path == f"{LOOKUP_PATH}/{key['public_id']}" else None


async def _tell_holder(scope: Any, send: Any) -> None:
    holder = _holder(scope["path"], scope["query_string"].decode().partition("digest=")[2])
    body = json.dumps(holder).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200 if holder else 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"].startswith(LOOKUP_PATH):
        await _tell_holder(scope, send)
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False) and b"early" not in scope["query_string"]
    identity = scope.get(SCOPE_KEY)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    told = {
        "service": os.environ["SERVICE"],
        "method": scope["method"],
        "target": target.decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "user_id": identity and identity.user_id,
        "role": identity and str(identity.role),
        "session_id": identity and identity.session_id,
        "body_bytes": size,
    }
    status = 200
    if b"slow" in scope["query_string"]:
        await asyncio.sleep(5)
    if b"status=" in scope["query_string"]:
        status = int(scope["query_string"].partition(b"status=")[2][:3])
    body = json.dumps(told).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(b"x-powered-by", b"tests"), (b"x-accel-redirect", b"/healthz"), (b"x-request-id", b"of-the-service")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


_limited = BodyLimitMiddleware(_echo, maximum_bytes=100_000_000)
_guarded = IdentityMiddleware(_limited, SecretStr(os.environ["GATEWAY_IDENTITY_KEY"]))


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    await _guarded(scope, receive, send)
