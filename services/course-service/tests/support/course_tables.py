"""What the service has stored."""

from __future__ import annotations

from typing import Any

import asyncpg

TABLES = ("courses", "modules", "lessons", "attachments", "enrollments", "quiz_attempts", "certificates")
BACKGROUND = "- 'file_id' - 'file_attempts' - 'file_due_at' - 'certificate_url'"
"""What a certificate gets later, when its file is made."""


async def everything(sql: asyncpg.Connection) -> list[list[tuple[Any, ...]]]:
    """The rows of all tables, and how many events were announced."""
    queries = [f"SELECT (to_jsonb(t) {BACKGROUND})::text FROM {table} AS t ORDER BY id" for table in TABLES]
    queries.append("SELECT count(*) FROM course_outbox")
    return [[tuple(row) for row in await sql.fetch(query)] for query in queries]
