"""The catalogue's first page and a course's page, beside a bare Starlette + asyncpg handler of the same SQL.

Both sides run under Granian with one worker on the same PostgreSQL: 3,000 published courses, each of 4 modules with 5
lessons. Ours verifies the gateway's signature, counts, notes trace ids and validates its answer.
Writes build/bench/reading.json.
"""

from __future__ import annotations

import asyncio
import statistics
from functools import partial

import asyncpg
import httpx

from shared.identity import signed_headers
from tests.load.harness import Contestant, Stores, compare, row, serving, stores, write

COURSES = 3000
GOAL = 0.3
FILL = f"""
INSERT INTO users (email, hashed_password, full_name, role)
  SELECT 'author-' || n || '@example.org', '-', 'Author ' || n, 'instructor' FROM generate_series(1, 50) AS n;
INSERT INTO courses (title, slug, description, instructor_id, status, published_at)
  SELECT 'Course ' || n, 'course-' || n, repeat('What this course is about. ', 8), 1 + n % 50, 'published',
         now() - n * interval '1 minute' FROM generate_series(1, {COURSES}) AS n;
INSERT INTO modules (course_id, title, position)
  SELECT c.id, 'Module ' || m, m FROM courses AS c, generate_series(1, 4) AS m;
INSERT INTO lessons (module_id, title, kind, position, is_published, current_revision_id)
  SELECT m.id, 'Lesson ' || l, 'text', l, true, '0123456789abcdef01234567'
  FROM modules AS m, generate_series(1, 5) AS l;
ANALYZE;
"""


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL)
    finally:
        await connection.close()


def contest(at: Stores, ours: str, bare: str, target: str) -> tuple[Contestant, Contestant]:
    headers = partial(signed_headers, at.identity_key, method="GET", target=target)
    return Contestant("course-service", f"{ours}{target}", headers), Contestant("bare", f"{bare}{target}")


def check_same(ours: Contestant, bare: Contestant, key: str) -> None:
    """Both answer with the same items, or the comparison would mean nothing."""
    mine, its = (httpx.get(side.url, headers=side.headers()).raise_for_status().json()[key] for side in (ours, bare))
    if [item["id"] for item in mine] != [item["id"] for item in its]:
        raise AssertionError(f"{ours.url}: the two sides answer with different {key}")


def main() -> None:
    with stores() as at:
        asyncio.run(fill(at.database.admin_url))
        environment = at.environment("course")
        with (
            serving("course_service.main:app", environment) as ours,
            serving("tests.load.bare:app", environment) as bare,
        ):
            rows = []
            for name, target, key in (
                ("catalogue page", "/api/courses", "items"),
                ("course page", "/api/courses/42", "modules"),
            ):
                mine, its = contest(at, ours, bare, target)
                check_same(mine, its, key)
                ratio = compare(mine, its)
                rows.append(
                    row(
                        f"{name}: GET {target}",
                        ours=statistics.median(mine.rates),
                        rival=statistics.median(its.rates),
                        rival_name="Starlette + asyncpg, the same SQL",
                        unit="requests/s",
                        ratio=ratio,
                        goal=f">= {GOAL}",
                    )
                )
            write("reading", rows)


if __name__ == "__main__":
    main()
