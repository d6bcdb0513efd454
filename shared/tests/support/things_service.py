"""A small service whose POST routes heed `Idempotency-Key`; some of them wait, fail, or say much."""

import asyncio
from dataclasses import dataclass, field

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from shared.access import access
from shared.app import create_app
from shared.config.settings import ServiceSettings
from shared.database import CurrentDatabase, Database
from shared.exceptions.base import ConflictError, NotFoundError, UnavailableError
from shared.idempotency.store import IdempotencyStore
from shared.idempotency.table import idempotency_table
from shared.identity import CurrentUser
from shared.schemas.base import Schema
from shared.utils.datetime import Clock, SystemClock

KEY = "identity-key-" + "x" * 32
LARGE_BYTES = 1_200_000
EVERYBODY = access("authenticated")

metadata = sa.MetaData()
things = sa.Table(
    "things", metadata, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), sa.Column("name", sa.Text)
)
keys = idempotency_table(metadata, "user")
router = APIRouter(prefix="/api/things")


class Wish(Schema):
    name: str
    size: int = 0


@dataclass
class Gate:
    """Where a request waits before it writes: a test sees that it came, and lets it through."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


async def add(session: AsyncSession, name: str) -> int:
    thing_id: int | None = await session.scalar(sa.insert(things).values(name=name).returning(things.c.id))
    assert thing_id is not None
    return thing_id


@router.post("", status_code=201, openapi_extra=EVERYBODY)
async def create_thing(wish: Wish, user: CurrentUser, database: CurrentDatabase, response: Response) -> Wish:
    async with database.begin() as session:
        thing_id = await add(session, wish.name)
    response.headers.update({"Location": f"/api/things/{thing_id}", "ETag": '"1"', "Set-Cookie": "secret=1"})
    return Wish(name=wish.name, size=thing_id)


@router.post("/slowly", status_code=201, openapi_extra=EVERYBODY)
async def create_slowly(wish: Wish, user: CurrentUser, database: CurrentDatabase, request: Request) -> int:
    gate: Gate = request.app.state.gate
    gate.reached.set()
    await gate.opened.wait()
    async with database.begin() as session:
        return await add(session, wish.name)


@router.post("/uploads", status_code=201, openapi_extra=access("authenticated", max_body_bytes=8_000_000))
async def upload(user: CurrentUser, database: CurrentDatabase, request: Request) -> int:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        request.app.state.gate.reached.set()
    async with database.begin() as session:
        await add(session, f"{size} bytes")
    return size


@router.post("/large", openapi_extra=EVERYBODY)
async def answer_at_length(user: CurrentUser, database: CurrentDatabase) -> Response:
    async with database.begin() as session:
        await add(session, "large")
    return Response(b"x" * LARGE_BYTES)


@router.post("/refused/{status}", openapi_extra=EVERYBODY)
async def refuse(status: int, user: CurrentUser, request: Request) -> None:
    request.app.state.refusals += 1
    raise {404: NotFoundError, 409: ConflictError, 503: UnavailableError}.get(status, HTTPException)(status)


@router.post("/broken/{when}", openapi_extra=EVERYBODY)
async def break_down(when: str, user: CurrentUser, database: CurrentDatabase) -> None:
    async with database.begin() as session:
        await add(session, "broken")
        if when == "before":
            raise RuntimeError(when)
    raise (ConflictError if when == "refused" else RuntimeError)(when)


@router.post("/look", openapi_extra=EVERYBODY)
async def look_and_fail(user: CurrentUser, database: CurrentDatabase) -> None:
    async with database.begin() as session:
        await session.execute(sa.select(things).with_for_update())
        await session.rollback()
    raise UnavailableError


@router.post("/secrets", openapi_extra=access("authenticated", idempotency=False))
async def create_secret(user: CurrentUser, database: CurrentDatabase) -> int:
    async with database.begin() as session:
        return await add(session, "secret")


@router.post("/public", openapi_extra=access("public"))
async def create_publicly(database: CurrentDatabase) -> int:
    async with database.begin() as session:
        return await add(session, "public")


def build(database: Database, *, clock: Clock | None = None, lease_seconds: float = 30.0) -> FastAPI:
    clock = clock or SystemClock()
    settings = ServiceSettings(service_name="things", metrics_port=0, gateway_identity_key=SecretStr(KEY))
    app = create_app(
        settings,
        title="Things",
        routers=[router],
        database=database,
        idempotency=IdempotencyStore(database, "user", clock=clock, lease_seconds=lease_seconds),
        clock=clock,
    )
    app.state.gate, app.state.refusals = Gate(), 0
    return app
