"""A service that is killed while it carries out a request: `python dying.py '{"url": …, "step": …}'`."""

import asyncio
import json
import os
import signal
import sys
from typing import Any, NoReturn

import httpx
import sqlalchemy as sa
import things_service

from shared.database import Database
from shared.idempotency.store import IdempotencyStore
from shared.testing.identity import GatewayAuth


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def die_around_commit(database: Database, step: str) -> None:
    """By the statements of a transaction it is known whether it is the one that has the effect."""
    engine = database.engine.sync_engine

    def note(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "INTO things" in statement:
            connection.info["has_effect"] = True

    def before(connection: sa.Connection) -> None:
        if step == "before commit" and connection.info.get("has_effect"):
            die()

    def after(_raw: Any, record: Any) -> None:
        if step == "after commit" and record.info.get("has_effect"):
            die()

    sa.event.listen(engine, "before_cursor_execute", note)
    sa.event.listen(engine, "commit", before)
    sa.event.listen(engine, "checkin", after)


def die_after(name: str) -> None:
    method = getattr(IdempotencyStore, name)

    async def last(*arguments: Any, **named: Any) -> NoReturn:
        await method(*arguments, **named)
        die()

    setattr(IdempotencyStore, name, last)


async def main(url: str, step: str, lease_seconds: float, headers: dict[str, str], body: dict[str, str]) -> None:
    database = Database(url)
    die_around_commit(database, step)
    if step in ("claimed", "answered"):
        die_after("claim" if step == "claimed" else "settle")
    app = things_service.build(database, lease_seconds=lease_seconds)
    auth = GatewayAuth(things_service.KEY, user_id=7, role="student")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://things", auth=auth) as client:
        await client.post("/api/things", json=body, headers=headers)


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
