"""Two gateways: what people notice while they are replaced."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from .conftest import NAME
from .kubernetes import Kubectl, eventually
from .people import Person, Platform

PEOPLE = 4
PAUSE_SECONDS = 0.15
"""Between two requests of one person: below their limit of 600 a minute."""


@dataclass
class Seen:
    """What a few people's requests, one after the other each, were answered with."""

    answers: Counter[int | str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, person: Person, base_url: str) -> None:
        headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
        with httpx.Client(base_url=base_url, timeout=30, headers=headers) as client:
            while not self.stop.wait(PAUSE_SECONDS):
                try:
                    self.answers[client.get("/api/auth/me").status_code] += 1
                except httpx.HTTPError as error:
                    self.answers[type(error).__name__] += 1

    @property
    def failed(self) -> dict[int | str, int]:
        return {answer: number for answer, number in self.answers.items() if answer != 200}


@contextlib.contextmanager
def asking(platform: Platform, base_url: str) -> Iterator[Seen]:
    """Have people ask for as long as the context lasts."""
    seen = Seen()
    threads = [threading.Thread(target=seen.ask, args=(platform.new_student(), base_url)) for _ in range(PEOPLE)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        seen.stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def two_gateways(platform: Platform, kubectl: Kubectl) -> Iterator[None]:
    def replicas(number: int) -> None:
        kubectl.merge("smartcourse", NAME, {"spec": {"services": {"gateway": {"replicas": number}}}})
        eventually(
            lambda: kubectl.get("deployment", f"{NAME}-gateway")["status"].get("readyReplicas") == number,
            timeout_seconds=180,
            what=f"{number} gateways to be ready",
        )
        kubectl.wait_ready(NAME)

    replicas(2)
    yield
    replicas(1)


@pytest.mark.usefixtures("two_gateways")
def test_no_request_fails_while_two_gateways_are_replaced(platform: Platform, kubectl: Kubectl, base_url: str) -> None:
    with asking(platform, base_url) as seen:
        kubectl.run("rollout", "restart", f"deployment/{NAME}-gateway")
        kubectl.run("rollout", "status", f"deployment/{NAME}-gateway", "--timeout=300s", timeout_seconds=330)
        time.sleep(15)  # the last of the old ones drains
    assert seen.answers[200] > 100
    assert seen.failed == {}
