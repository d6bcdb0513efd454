"""A large file passes through the service without staying in it: neither in memory nor on disk."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import httpx

from course_service.config import Settings
from shared.identity import Role
from shared.testing.identity import GatewayAuth
from shared.testing.processes import Process, free_port
from shared.testing.servers import TestDatabase

MIB = 1024 * 1024
FILE_BYTES = 64 * MIB
MAY_GROW_BYTES = 24 * MIB
LINE = b"All work and no play makes a dull page.\n" * 1638  # just under 64 KiB
LESSON = """
WITH author AS (
  INSERT INTO users (email, hashed_password, full_name, role)
    VALUES ('author@example.org', '-', 'Author', 'instructor') RETURNING id
), course AS (
  INSERT INTO courses (title, slug, instructor_id) SELECT 'Large', 'large', id FROM author RETURNING id
), module AS (
  INSERT INTO modules (course_id, title, position) SELECT id, 'One', 1 FROM course RETURNING id
)
INSERT INTO lessons (module_id, title, kind, position, current_revision_id)
  SELECT id, 'One', 'text', 1, repeat('0', 24) FROM module RETURNING id
"""


class Server:
    """The service in a process of its own, as it runs in its image."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        port = free_port()
        secret = {
            name.upper(): getattr(settings, name).get_secret_value()
            for name in ("database_url", "mongodb_url", "redis_url", "gateway_identity_key")
        }
        environment = os.environ | secret | {"METRICS_PORT": "0", "TMPDIR": str(folder)}
        environment["MAX_ATTACHMENT_BYTES"] = str(FILE_BYTES)
        command = [sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1", "--port", str(port)]
        self.url = f"http://127.0.0.1:{port}"
        log = Path(tempfile.mkdtemp()) / "log"
        self._process = Process([*command, "course_service.main:app"], log=log, environment=environment)
        self._process.wait_until(self._answers)

    def resident_bytes(self) -> int:
        """Memory of the process that serves: the only one of granian's that has the service loaded."""
        workers = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return max(_resident_bytes(int(pid)) for pid in workers)

    def stop(self) -> None:
        self._process.stop()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def _resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


async def test_64_mib_go_in_and_out_through_constant_memory(
    settings: Settings, database: TestDatabase, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await database.truncate()
    lesson = await sql.fetchval(LESSON)
    author = await sql.fetchval("SELECT id FROM users")
    server = await asyncio.to_thread(Server, settings, tmp_path)
    auth = GatewayAuth(settings.gateway_identity_key, user_id=author, role=Role.INSTRUCTOR)
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, server.resident_bytes())
        assert list(tmp_path.rglob("*")) == []

    try:
        async with httpx.AsyncClient(base_url=server.url, auth=auth, timeout=60) as client:
            path = f"/api/lessons/{lesson}/attachments"
            small = await client.post(path, files={"file": ("small.txt", b"Warm up. " * 100_000)})
            assert (await client.get(small.json()["content_url"])).status_code == 200
            before = server.resident_bytes()
            headers = {"Content-Type": "multipart/form-data; boundary=b"}
            made = await client.post(path, content=form(watch), headers=headers)
            assert made.status_code == 201, made.text
            assert made.json()["size_bytes"] == FILE_BYTES
            async with client.stream("GET", made.json()["content_url"]) as answer:
                received = 0
                async for part in answer.aiter_bytes():
                    if received // (8 * MIB) != (received + len(part)) // (8 * MIB):
                        await asyncio.sleep(0.1)  # a reader that takes its time
                        watch()
                    received += len(part)
            assert received == FILE_BYTES
            assert (await client.post(path, files={"file": ("more.txt", b"x" * (FILE_BYTES + 1))})).status_code == 413
    finally:
        await asyncio.to_thread(server.stop)
    assert most - before < MAY_GROW_BYTES, f"grew by {(most - before) / MIB:.1f} MiB"


async def form(watch: Callable[[], None]) -> AsyncIterator[bytes]:
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="large.txt"\r\n\r\n'
    left = FILE_BYTES
    while left:
        part = LINE[:left]
        left -= len(part)
        if left // (4 * MIB) != (left + len(part)) // (4 * MIB):
            watch()
        yield part
    yield b"\r\n--b--\r\n"
