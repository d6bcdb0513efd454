"""People who read and learn, at a steady rate that does not wait for answers, and what they are answered with."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.e2e.people import Person, Platform, created

RATE = 50
"""Requests a second."""
PEOPLE = 16
"""So many that nobody comes near the limit of 600 requests a minute."""
TIMEOUT_SECONDS = 30


@dataclass
class Seen:
    """Answers to the requests that were sent within a time."""

    milliseconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    """By request and status, or the error's name: whatever is not 2xx."""

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.milliseconds, n=100)[98]

    @property
    def failed(self) -> int:
        return self.failures.total()


def mix(platform: Platform) -> tuple[list[Person], list[tuple[str, str]]]:
    """Make the people and a course that they learn from; return them, and the requests that are sent in turns.

    A tenth counts against the limit of public requests of one address, a tenth writes.
    """
    instructor = platform.new_instructor(platform.log_in(platform.admin["email"], platform.admin["password"]))
    course = platform.author_course(instructor)
    lesson = course["modules"][0]["lessons"][0]["id"]
    people = [platform.new_student() for _ in range(PEOPLE)]
    for person in people:
        created(person.post("/api/enrollments", {"course_id": course["id"]}))
    mine = [("GET", "/api/auth/me"), ("GET", "/api/enrollments/my-courses"), ("GET", "/api/notifications/unread-count")]
    rarely = [("GET", f"/api/courses/{course['id']}"), ("POST", f"/api/lessons/{lesson}/complete")]
    return people, [*mine, mine[0], rarely[0], *mine, mine[0], rarely[1]]


class Traffic:
    """Sends them until it is told to end."""

    def __init__(self, platform: Platform, url: str) -> None:
        self._people, self._mix = mix(platform)
        self._url, self._ended, self._seen = url, threading.Event(), Seen()

    @contextmanager
    def seeing(self) -> Iterator[Seen]:
        """Yield what is seen of the requests that are sent while the context lasts; it is whole when all have ended."""
        before, self._seen = self._seen, Seen()
        try:
            yield self._seen
        finally:
            self._seen = before

    def end(self) -> None:
        self._ended.set()

    def run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        clients = [
            httpx.AsyncClient(
                base_url=self._url, timeout=TIMEOUT_SECONDS,
                headers={"Authorization": f"Bearer {person.tokens['access_token']}"},
            )
            for person in self._people
        ]  # fmt: skip
        turns = zip(itertools.cycle(clients), itertools.cycle(self._mix))
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, (client, (method, path)) in enumerate(turns):
                if self._ended.is_set():
                    break
                group.create_task(self._send(client, method, path, self._seen))
                await asyncio.sleep(max(0.0, began + (number + 1) / RATE - time.monotonic()))
        for client in clients:
            await client.aclose()

    @staticmethod
    async def _send(client: httpx.AsyncClient, method: str, path: str, seen: Seen) -> None:
        began = time.monotonic()
        try:
            answer = await client.request(method, path)
            problem = "" if answer.is_success else str(answer.status_code)
        except httpx.HTTPError as error:
            problem = type(error).__name__
        seen.milliseconds.append(1000 * (time.monotonic() - began))
        if problem:
            seen.failures[f"{method} {path}: {problem}"] += 1


@contextmanager
def traffic(platform: Platform, url: str) -> Iterator[Traffic]:
    """Have people ask for as long as the context lasts."""
    sending = Traffic(platform, url)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(sending.run)
        try:
            yield sending
        finally:
            sending.end()
        running.result()
