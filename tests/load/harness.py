"""Services and their rivals as processes on loopback, wrk against them in turns, and the rows of the result."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.testing.mongodb import MongoServer
from shared.testing.postgres import PostgresServer, TestDatabase
from shared.testing.processes import Process, free_port, program
from shared.testing.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench"
ROUNDS = int(os.environ.get("ROUNDS", "4"))
SECONDS = int(os.environ.get("SECONDS_A_ROUND", "3"))


@dataclass
class Stores:
    """Real datastores with the services' tables, and the key that requests are signed with."""

    postgres: PostgresServer
    redis: RedisServer
    mongodb: MongoServer
    database: TestDatabase
    folder: Path
    identity_key: str = field(default_factory=lambda: secrets.token_hex(32))
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(32))

    def environment(self, service: str) -> dict[str, str]:
        """Return what `service` reads from its environment."""
        return {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.database.url(service),
            "MONGODB_URL": self.mongodb.url,
            "REDIS_URL": self.redis.url,
            "GATEWAY_IDENTITY_KEY": self.identity_key,
            "JWT_SECRET_KEY": self.jwt_secret,
            "LOG_LEVEL": "WARNING",
            "METRICS_PORT": "0",
        }


@contextlib.contextmanager
def stores() -> Iterator[Stores]:
    """Start the datastores; they end with the context."""
    with contextlib.ExitStack() as stack:
        servers = []
        for kind in (PostgresServer, RedisServer, MongoServer):
            server = kind()
            stack.callback(server.close)
            servers.append(server)
        postgres, redis, mongodb = servers
        assert isinstance(postgres, PostgresServer)
        assert isinstance(redis, RedisServer)
        assert isinstance(mongodb, MongoServer)
        database = asyncio.run(postgres.fresh_database("user", "course"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smartcourse-bench-")))
        yield Stores(postgres, redis, mongodb, database, folder)


@contextlib.contextmanager
def serving(application: str, environment: dict[str, str], *, folder: Path = ROOT) -> Iterator[str]:
    """Run an ASGI application as its image does (Granian, one worker) and yield its address."""
    port, logs = free_port(), Path(tempfile.mkdtemp(prefix="smartcourse-bench-"))
    granian = str(Path(sys.executable).with_name("granian"))
    listen = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--log-level", "warning"]
    command = [granian, "--interface", "asgi", *listen, "--working-dir", str(folder), application]
    process = Process(command, log=logs / "log", environment=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        process.wait_until(lambda: _is_up(address))
        yield address
    finally:
        process.stop()
        shutil.rmtree(logs, ignore_errors=True)


def _is_up(address: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{address}/health/live", timeout=2).status_code == 200
    return False


@dataclass
class Contestant:
    """One side of a comparison: what is asked of it, and what its rounds gave.

    `headers` makes a round's request headers (a signature is valid for seconds); `script` is for wrk.
    """

    name: str
    url: str
    headers: Callable[[], dict[str, str]] = dict
    script: Path | None = None
    rates: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def measure(self, *, connections: int, seconds: int) -> None:
        """Add a round: requests a second, and the latency's 99th percentile in milliseconds."""
        headers = [part for name, value in self.headers().items() for part in ("-H", f"{name}: {value}")]
        options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s", "--latency"]
        wrk = [program("wrk", package="wrk"), *options]
        script = ["-s", str(self.script)] if self.script else []
        answer = subprocess.run(
            [*wrk, *headers, *script, self.url], capture_output=True, text=True, check=True, timeout=seconds + 30
        ).stdout
        if "Non-2xx" in answer or "Socket errors" in answer:
            raise AssertionError(f"{self.name} answered with errors:\n{answer}")
        self.rates.append(float(re.search(r"Requests/sec:\s+([\d.]+)", answer)[1]))  # type: ignore[index]
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", answer).groups()  # type: ignore[union-attr]
        self.p99.append(float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit])


def compare(ours: Contestant, rival: Contestant, *, connections: int = 16) -> float:
    """Let both take turns after a warm-up; return the median of the turns' ratios."""
    for each in (ours, rival):
        each.measure(connections=connections, seconds=1)
        each.rates.clear()
        each.p99.clear()
    for turn in range(ROUNDS):
        for each in (ours, rival) if turn % 2 == 0 else (rival, ours):
            each.measure(connections=connections, seconds=SECONDS)
    for each in (ours, rival):
        print(f"{each.name:28} {statistics.median(each.rates):>8,.0f} req/s  p99 {statistics.median(each.p99):.1f} ms")
    return statistics.median(mine / its for mine, its in zip(ours.rates, rival.rates, strict=True))


def row(name: str, *, ours: float, rival: float, rival_name: str, unit: str, ratio: float, goal: str) -> dict[str, Any]:
    """Return one row of a result, as every benchmark writes it."""
    figures = {"ours": round(ours, 2), "rival": round(rival, 2), "rival_name": rival_name}
    return {"name": name, **figures, "unit": unit, "ratio": round(ratio, 3), "goal": goal}


def figure(name: str, *, ours: float, unit: str, goal: str) -> dict[str, Any]:
    """Return a row of what has no rival."""
    return {"name": name, "ours": round(ours, 2), "rival": None, "rival_name": "-", "unit": unit, "ratio": None,
            "goal": goal}  # fmt: skip


def write(name: str, rows: list[dict[str, Any]]) -> None:
    """Keep the rows in build/bench/<name>.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
