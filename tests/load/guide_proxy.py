"""The gateway as the guide sketches it: a FastAPI middleware that verifies the token, and httpx that carries the bytes.

It checks what the guide's checks (signature, expiry, `type`), and sets the two identity headers. No limits, no
revocation, no signature.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import jwt
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

UPSTREAM, SECRET = os.environ["UPSTREAM"], os.environ["SECRET"]
logger = logging.getLogger("access")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    async with httpx.AsyncClient(base_url=UPSTREAM, limits=limits, timeout=30) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def authenticate(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    if request.url.path == "/health/live":
        return JSONResponse({"status": "up"})
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="smartcourse-api")
    except jwt.PyJWTError:
        return JSONResponse({"detail": "Invalid token"}, status_code=401)
    if scheme.lower() != "bearer" or claims["type"] != "access":
        return JSONResponse({"detail": "Invalid token type"}, status_code=401)
    request.state.user_id, request.state.role = claims["sub"], claims["role"]
    response = await call_next(request)
    logger.warning("%s %s %s", request.method, request.url.path, response.status_code)
    return response


@app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def carry(path: str, request: Request) -> Response:
    headers = {"X-User-ID": request.state.user_id, "X-User-Role": request.state.role}
    answer = await request.app.state.client.request(
        request.method, f"/{path}", params=request.query_params, content=await request.body(), headers=headers
    )
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
