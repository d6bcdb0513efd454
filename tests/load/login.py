"""Logging in, beside what bcrypt alone costs: password checks a second, in as many threads, by nothing but the library.

A login is a password check, a session and two tokens; the closer to the check's own cost, the less the rest costs.
Writes build/bench/login.json.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import asyncpg
import bcrypt

from shared.identity import signed_headers
from shared.utils.hashing import ROUNDS as COST
from tests.load.harness import ROUNDS, SECONDS, Contestant, row, serving, stores, write

TARGET = "/api/auth/login"
PEOPLE = 200
PASSWORD = os.urandom(16).hex()
GOAL = 0.8


async def fill(url: str, hashed: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "INSERT INTO users (email, hashed_password, full_name, role)"
            " SELECT 'learner-' || n || '@example.org', $1, 'Learner ' || n, 'student'"
            " FROM generate_series(1, $2::int) AS n",
            hashed,
            PEOPLE,
        )
    finally:
        await connection.close()


def script(folder: Path) -> Path:
    """Each request is another person's."""
    path = folder / "login.lua"
    path.write_text(
        'wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json"; local i = 0\n'
        f"request = function() i = i % {PEOPLE} + 1\n"
        f'''  local body = '{{"email":"learner-' .. i .. '@example.org","password":"{PASSWORD}"}}'\n'''
        "  return wrk.format(nil, nil, nil, body) end\n"
    )
    return path


def checks_a_second(hashed: bytes, *, seconds: float) -> float:
    """Password checks a second in as many threads as there are processors; bcrypt lets go of the interpreter's lock."""
    until = time.monotonic() + seconds

    def check() -> int:
        count = 0
        while time.monotonic() < until:
            bcrypt.checkpw(PASSWORD.encode(), hashed)
            count += 1
        return count

    workers = os.cpu_count() or 1
    began = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        total = sum(pool.map(lambda _: check(), range(workers)))
    return total / (time.monotonic() - began)


def main() -> None:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST))
    with stores() as at:
        asyncio.run(fill(at.database.admin_url, hashed.decode()))
        path = script(Path(at.folder))
        with serving("user_service.main:app", at.environment("user")) as address:
            headers = partial(signed_headers, at.identity_key, method="POST", target=TARGET)
            ours = Contestant("POST /api/auth/login", f"{address}{TARGET}", headers, path)
            ours.measure(connections=8, seconds=2)
            ours.rates.clear()
            checks: list[float] = []
            for _ in range(ROUNDS):
                ours.measure(connections=8, seconds=SECONDS)
                checks.append(checks_a_second(hashed, seconds=SECONDS))
    ratio = statistics.median(mine / its for mine, its in zip(ours.rates, checks, strict=True))
    rates = {"ours": statistics.median(ours.rates), "rival": statistics.median(checks)}
    p99 = statistics.median(ours.p99)
    print(f"{rates['ours']:.2f} logins/s, {rates['rival']:.2f} bcrypt checks/s (cost {COST}), p99 {p99:.0f} ms")
    write(
        "login",
        [row("login", **rates, rival_name=f"bcrypt alone, cost {COST}", unit="1/s", ratio=ratio, goal=f">= {GOAL}")],
    )


if __name__ == "__main__":
    main()
