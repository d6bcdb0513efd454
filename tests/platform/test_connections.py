"""Connections to PostgreSQL outside a pool, as the operator reckons with them."""

from __future__ import annotations

import asyncpg

from smartcourse_operator.core.tuning import LISTENING

from ..e2e.people import Platform
from .processes import Stores

SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


async def test_a_process_listens_by_as_many_connections_as_are_reckoned_with(
    platform: Platform, stores: Stores
) -> None:
    found = {}
    for service, url in stores.databases.items():
        connection = await asyncpg.connect(url)
        try:
            found[service] = await connection.fetchval(SESSIONS)
        finally:
            await connection.close()
    assert found == LISTENING | {"notification": LISTENING["notification"] - 1}, "mail is off in these processes"
