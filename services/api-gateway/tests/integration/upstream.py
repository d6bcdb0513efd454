"""A service behind the gateway, for tests: it lets in what the gateway signed and tells what it was sent.

As user-service it also tells whom API keys speak for: those in the file that KEYS names (by digest), each question
becoming a line of the file beside it.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr
from upstream_parts import BODY_LIMIT, PART

from shared.api_keys import LOOKUP_PATH
from shared.identity import SCOPE_KEY
from shared.middleware.body_limit import BodyLimitMiddleware
from shared.middleware.identity import IdentityMiddleware

_gates: dict[str, asyncio.Event] = {}
"""What an answer in parts waits for, by the name that the client chose: another request's `open=<name>`."""
_OWN_HEADERS = {
    "content-security-policy": "sandbox",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "origin",
    "cross-origin-resource-policy": "cross-origin",
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "content-disposition": 'attachment; filename="a"',
}


async def _in_parts(send: Any, name: str, content_type: str, first: bytes, second: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", content_type.encode())]})
    await send({"type": "http.response.body", "body": first, "more_body": True})
    await _gates.setdefault(name, asyncio.Event()).wait()
    await send({"type": "http.response.body", "body": second})


async def _talk(scope: Any, receive: Any, send: Any) -> None:
    """A WebSocket: who opened it, then what comes back."""
    await receive()
    await send({"type": "websocket.accept"})
    identity = scope[SCOPE_KEY]
    told = {"user_id": identity.user_id, "headers": [name.decode() for name, _ in scope["headers"]]}
    await send({"type": "websocket.send", "text": json.dumps(told)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


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


async def _serve(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await _talk(scope, receive, send)
    elif scope["path"].startswith(LOOKUP_PATH):
        await _tell_holder(scope, send)
    else:
        await _echo(scope, receive, send)


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    asked = dict(parse_qsl(scope["query_string"].decode()))
    if "events" in asked:
        await _in_parts(send, asked["events"], "text/event-stream", b"data: one\n\n", b"data: two\n\n")
        return
    if "download" in asked:
        await _in_parts(send, asked["download"], "application/octet-stream", PART, PART)
        return
    if "open" in asked:
        _gates.setdefault(asked["open"], asyncio.Event()).set()
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
    body = json.dumps(told | {"filling": "x" * int(asked.get("size", 0))}).encode()
    content_type = asked.get("type", "application/json").encode()
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if "own-headers" in asked:
        headers += [(name.encode(), value.encode()) for name, value in _OWN_HEADERS.items()]
    if "encoding" in asked:
        headers.append((b"content-encoding", asked["encoding"].encode()))
    headers += [(b"x-powered-by", b"tests"), (b"x-accel-redirect", b"/healthz"), (b"x-request-id", b"of-the-service")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


_limited = BodyLimitMiddleware(_serve, maximum_bytes=BODY_LIMIT)
_guarded = IdentityMiddleware(_limited, SecretStr(os.environ["GATEWAY_IDENTITY_KEY"]))


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})
        return
    await _guarded(scope, receive, send)
