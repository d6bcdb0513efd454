"""The rivals: Starlette handlers with asyncpg and nothing else, asking PostgreSQL what the services ask it.

They check no signature, hide no draft, count and log nothing: the least that an answer of this content costs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

COUNTS = """
(SELECT count(DISTINCT lessons.module_id) FROM lessons JOIN modules ON modules.id = lessons.module_id
 WHERE modules.course_id = courses.id AND lessons.is_published AND lessons.archived_at IS NULL
   AND modules.archived_at IS NULL) AS module_count,
(SELECT count(lessons.id) FROM lessons JOIN modules ON modules.id = lessons.module_id
 WHERE modules.course_id = courses.id AND lessons.is_published AND lessons.archived_at IS NULL
   AND modules.archived_at IS NULL) AS lesson_count
"""
COURSE = f"""
SELECT courses.id, courses.title, courses.slug, courses.description, courses.instructor_id, courses.status,
  courses.capacity, courses.language, courses.level, courses.published_at, courses.archived_at, courses.version,
  courses.created_at, courses.updated_at, users.full_name, {COUNTS}
FROM courses JOIN users ON users.id = courses.instructor_id
"""
CATALOGUE = f"""{COURSE} WHERE courses.status = 'published'
ORDER BY courses.published_at DESC NULLS FIRST, courses.id DESC LIMIT 20 OFFSET 0"""
TOTAL = """
SELECT count(*) FROM (SELECT 1 FROM courses JOIN users ON users.id = courses.instructor_id
  WHERE courses.status = 'published' LIMIT 10001) AS found
"""
MODULES = """
SELECT id, course_id, title, position, version, created_at, updated_at FROM modules
WHERE course_id = $1 AND archived_at IS NULL ORDER BY position
"""
LESSONS = """
SELECT lessons.id, lessons.module_id, lessons.title, lessons.kind, lessons.position, lessons.is_published,
  lessons.is_required, lessons.is_preview, lessons.duration_minutes, lessons.version, lessons.created_at,
  lessons.updated_at
FROM lessons JOIN modules ON modules.id = lessons.module_id
WHERE modules.course_id = $1 AND lessons.is_published AND lessons.archived_at IS NULL AND modules.archived_at IS NULL
ORDER BY modules.position, lessons.position
"""


def plain(row: asyncpg.Record) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


async def catalogue(request: Request) -> Response:
    async with request.app.state.pool.acquire() as connection, connection.transaction(readonly=True):
        rows = await connection.fetch(CATALOGUE)
        total = await connection.fetchval(TOTAL)
    return JSONResponse({"items": [plain(row) for row in rows], "total": total, "page": 1, "size": 20})


async def course(request: Request) -> Response:
    course_id = int(request.path_params["course_id"])
    async with request.app.state.pool.acquire() as connection, connection.transaction(readonly=True):
        await connection.fetchrow("SELECT * FROM courses WHERE id = $1", course_id)
        found = await connection.fetchrow(f"{COURSE} WHERE courses.id = $1", course_id)
        lessons = await connection.fetch(LESSONS, course_id)
        modules = await connection.fetch(MODULES, course_id)
    by_module: dict[int, list[dict[str, Any]]] = {}
    for lesson in lessons:
        by_module.setdefault(lesson["module_id"], []).append(plain(lesson))
    outline = [plain(module) | {"lessons": by_module.get(module["id"], [])} for module in modules]
    return JSONResponse(plain(found) | {"modules": outline})


async def enroll(request: Request) -> Response:
    """Lock the course, count, insert, note the event: what exactness needs and no more."""
    wanted = await request.json()
    student, course_id = int(request.headers["x-user-id"]), wanted["course_id"]
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        capacity = await connection.fetchval("SELECT capacity FROM courses WHERE id = $1 FOR UPDATE", course_id)
        taken = await connection.fetchval(
            "SELECT count(*) FROM enrollments WHERE course_id = $1 AND status <> 'dropped'", course_id
        )
        if taken >= capacity:
            return JSONResponse({"detail": "full"}, status_code=409)
        made = await connection.fetchval(
            "INSERT INTO enrollments (student_id, course_id, status) VALUES ($1, $2, 'active')"
            " ON CONFLICT DO NOTHING RETURNING id",
            student,
            course_id,
        )
        await connection.execute(
            "INSERT INTO course_outbox (stream, payload) VALUES ('bench', '{\"event\": \"enrolled\"}')"
        )
    return JSONResponse({"id": made}, status_code=201)


async def live(_: Request) -> Response:
    return PlainTextResponse("up")


@asynccontextmanager
async def lifespan(application: Starlette) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=5, max_size=15) as pool:
        application.state.pool = pool
        yield


app = Starlette(
    routes=[
        Route("/health/live", live),
        Route("/api/courses", catalogue),
        Route("/api/courses/{course_id:int}", course),
        Route("/api/enrollments", enroll, methods=["POST"]),
    ],
    lifespan=lifespan,
)
