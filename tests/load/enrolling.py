"""1,000 people ask for 100 places at the same moment: exactly 100 get one, and how long each waits for the answer.

Beside a bare Starlette + asyncpg handler that locks, counts and inserts; either side is two processes, each of which is
asked by half of the people: what keeps the capacity must hold across processes. Writes build/bench/enrolling.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg
import httpx

from shared.identity import Role, signed_headers
from tests.load.harness import ROUNDS, Stores, row, serving, stores, write

PLACES = 100
ASKING = 1000
PROCESSES = 2
CLIENTS = 50
GOAL = 3.0
TARGET = "/api/enrollments"
FILL = f"""
INSERT INTO users (email, hashed_password, full_name, role)
  SELECT 'learner-' || n || '@example.org', '-', 'Learner ' || n, 'student' FROM generate_series(1, {ASKING}) AS n;
INSERT INTO users (email, hashed_password, full_name, role) VALUES ('author@example.org', '-', 'Author', 'instructor');
"""
COURSE = f"""
INSERT INTO courses (title, slug, instructor_id, status, published_at, capacity)
  VALUES ('Full house', 'full-house-' || $1, (SELECT id FROM users WHERE role = 'instructor'), 'published', now(),
          {PLACES})
  RETURNING id
"""


async def storm(at: Stores, addresses: Sequence[str], *, course_id: int) -> list[float]:
    """Return each request's latency in milliseconds. Raises AssertionError unless exactly `PLACES` got in."""
    statuses: Counter[int] = Counter()

    async def ask(client: httpx.AsyncClient, student: int) -> float:
        headers = signed_headers(at.identity_key, method="POST", target=TARGET, user_id=student, role=Role.STUDENT)
        address = addresses[student % len(addresses)]
        began = time.perf_counter()
        answer = await client.post(f"{address}{TARGET}", json={"course_id": course_id}, headers=headers)
        statuses[answer.status_code] += 1
        return (time.perf_counter() - began) * 1000

    async with contextlib.AsyncExitStack() as stack:
        # A client looks through all of its connections at every request: with a thousand, that took longest of all.
        clients = [await stack.enter_async_context(httpx.AsyncClient(timeout=60)) for _ in range(CLIENTS)]
        asked = (ask(clients[student % CLIENTS], student) for student in range(1, ASKING + 1))
        latencies = await asyncio.gather(*asked)
    if statuses != {201: PLACES, 409: ASKING - PLACES}:
        raise AssertionError(f"{addresses}: {PLACES} places and {ASKING} asking gave {dict(statuses)}")
    return latencies


async def contest(at: Stores, addresses: Mapping[str, Sequence[str]]) -> dict[str, list[list[float]]]:
    """Return the latencies of each round by side; both take turns, each round at a course of its own."""
    connection = await asyncpg.connect(at.database.admin_url)
    rounds: dict[str, list[list[float]]] = {name: [] for name in addresses}
    try:
        await connection.execute(FILL)
        for turn in range(ROUNDS + 1):  # the first warms up
            for name in sorted(addresses, reverse=bool(turn % 2)):
                course_id = await connection.fetchval(COURSE, f"{name}-{turn}")
                rounds[name].append(await storm(at, addresses[name], course_id=course_id))
                held = "SELECT count(*) FROM enrollments WHERE course_id = $1 AND status = 'active'"
                assert await connection.fetchval(held, course_id) == PLACES
    finally:
        await connection.close()
    return {name: latencies[1:] for name, latencies in rounds.items()}


def percentile(rounds: list[list[float]], share: int) -> float:
    return statistics.median(statistics.quantiles(latencies, n=100)[share - 1] for latencies in rounds)


def main() -> None:
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(stores())
        sides = {"ours": "course_service.main:app", "bare": "tests.load.bare:app"}
        addresses = {
            name: [stack.enter_context(serving(application, at.environment("course"))) for _ in range(PROCESSES)]
            for name, application in sides.items()
        }
        rounds = asyncio.run(contest(at, addresses))
    rows = []
    for share in (50, 99):
        mine, its = percentile(rounds["ours"], share), percentile(rounds["bare"], share)
        print(f"p{share}: ours {mine:.0f} ms, bare {its:.0f} ms; exactly {PLACES} of {ASKING} got a place each time")
        rows.append(
            row(
                f"enrolment storm: {ASKING} for {PLACES} places, p{share}",
                ours=mine,
                rival=its,
                rival_name="Starlette + asyncpg, lock, count, insert",
                unit="ms",
                ratio=mine / its,
                goal=f"<= {GOAL}",
            )
        )
    write("enrolling", rows)


if __name__ == "__main__":
    main()
