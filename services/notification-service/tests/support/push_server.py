"""A real push service over HTTP, and browsers that subscribe to it and decrypt what it carries."""

import asyncio
import base64
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.testing.processes import free_port


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Browser:
    """Holds the keys that only it knows."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._private_key = generate_private_key(SECP256R1())
        self._auth = secrets.token_bytes(16)

    def subscription(self, **more: Any) -> dict[str, Any]:
        """As `PushSubscription.toJSON()` gives it."""
        point = self._private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": base64url(point), "auth": base64url(self._auth)}
        return {"endpoint": self.endpoint, "keys": keys, "expirationTime": None} | more

    def read(self, body: bytes) -> dict[str, Any]:
        """Decrypt by RFC 8291."""
        clear = http_ece.decrypt(body, private_key=self._private_key, auth_secret=self._auth, version="aes128gcm")
        payload: dict[str, Any] = json.loads(clear)
        return payload


@dataclass(frozen=True)
class Received:
    """One request of ours."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class PushServer:
    """``answers`` (status and headers) are given in order; then everything is accepted. ``silent`` paths get none."""

    url: str
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)

    def browser(self) -> Browser:
        return Browser(f"{self.url}/{secrets.token_urlsafe(12)}")

    async def take(self, request: web.Request) -> web.Response:
        self.received.append(Received(request.path, dict(request.headers), await request.read()))
        if request.path in self.silent:
            await asyncio.sleep(3600)
        status, headers = self.answers.pop(0) if self.answers else (201, {})
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def running_push_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[PushServer]:
    port = free_port()
    server = PushServer(f"{'https' if tls else 'http'}://localhost:{port}")
    application = web.Application()
    application.router.add_post("/{name}", server.take)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "localhost", port, ssl_context=tls).start()
        yield server
    finally:
        await runner.cleanup()
