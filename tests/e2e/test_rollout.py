"""Two gateways: what people notice while they are replaced or lost, and what they may ask of both together."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from .conftest import NAME
from .kubernetes import NOWHERE, Kubectl, eventually
from .people import Person, Platform

PEOPLE = 4
PAUSE_SECONDS = 0.15
"""Between two requests of one person: below their limit of 600 a minute."""
LIMIT = 100
GATEWAYS = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/name=gateway"


@dataclass
class Seen:
    """What a few people's requests, one after the other each, were answered with."""

    answers: Counter[int | str] = field(default_factory=Counter)
    failures: Counter[int] = field(default_factory=Counter)
    """How many of a person's requests were not answered with 200, by the person's id."""
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, person: Person, base_url: str) -> None:
        headers = {"Host": person.client.headers.get("Host", httpx.URL(base_url).netloc.decode()),
                   "Authorization": f"Bearer {person.tokens['access_token']}"}  # fmt: skip
        with httpx.Client(base_url=base_url, timeout=30, headers=headers) as client:
            while not self.stop.wait(PAUSE_SECONDS):
                try:
                    answer: int | str = client.get("/api/auth/me").status_code
                except httpx.HTTPError as error:
                    answer = type(error).__name__
                self.answers[answer] += 1
                self.failures[person.id] += answer != 200

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
    with changed(kubectl, {"services": {"gateway": {"replicas": 2}}}, {"services": {"gateway": {"replicas": 1}}}):
        yield


@pytest.fixture
def two_strict_gateways(platform: Platform, kubectl: Kubectl) -> Iterator[None]:
    wanted = {"services": {"gateway": {"replicas": 2}}, "limits": {"defaultPerMinute": LIMIT}}
    usual = {"services": {"gateway": {"replicas": 1}}, "limits": {"defaultPerMinute": 600}}
    with changed(kubectl, wanted, usual):
        yield


@contextlib.contextmanager
def changed(kubectl: Kubectl, wanted: dict[str, Any], usual: dict[str, Any]) -> Iterator[None]:
    """Have the SmartCourse be as wanted while the context lasts."""

    def become(spec: dict[str, Any]) -> None:
        kubectl.merge("smartcourse", NAME, {"spec": spec})
        kubectl.wait_ready(NAME)
        kubectl.run("rollout", "status", f"deployment/{NAME}-gateway", "--timeout=180s", timeout_seconds=200)
        number = spec["services"]["gateway"]["replicas"]
        eventually(lambda: len(pods(kubectl)) == number, timeout_seconds=120, what=f"{number} gateways and no others")

    become(wanted)
    try:
        yield
    finally:
        become(usual)


def pods(kubectl: Kubectl) -> list[str]:
    return [pod["metadata"]["name"] for pod in kubectl.list("pods", GATEWAYS)]


@pytest.mark.usefixtures("two_gateways")
def test_no_request_fails_while_two_gateways_are_replaced(platform: Platform, kubectl: Kubectl, base_url: str) -> None:
    with asking(platform, base_url) as seen:
        kubectl.run("rollout", "restart", f"deployment/{NAME}-gateway")
        kubectl.run("rollout", "status", f"deployment/{NAME}-gateway", "--timeout=300s", timeout_seconds=330)
        time.sleep(15)  # the last of the old ones drains
    assert seen.answers[200] > 100
    assert seen.failed == {}


@pytest.mark.usefixtures("two_gateways")
def test_when_a_gateways_pod_is_deleted_by_force_nothing_fails_but_what_was_in_flight_on_it(
    platform: Platform, kubectl: Kubectl, base_url: str
) -> None:
    """Each person has one request in flight at most: nobody may see a second one fail."""
    with asking(platform, base_url) as seen:
        time.sleep(2)
        kubectl.run("delete", "pod", pods(kubectl)[0], "--grace-period=0", "--force")
        time.sleep(10)
    assert seen.answers[200] > 100
    assert max(seen.failures.values()) <= 1, seen.failed


def kill(kubectl: Kubectl, pod: str, container: str) -> None:
    """SIGKILL a container's first process, and with it all others in there, from the node that it runs on."""
    found = kubectl.get("pod", pod)
    [identifier] = [
        each["containerID"].rpartition("/")[2]
        for each in found["status"]["containerStatuses"]
        if each["name"] == container
    ]

    command = ["docker", "exec", found["spec"]["nodeName"], "ctr", "--namespace", "k8s.io"]
    command += ["tasks", "kill", "--signal", "SIGKILL", identifier]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def restarts(kubectl: Kubectl, pod: str) -> int:
    return sum(each["restartCount"] for each in kubectl.get("pod", pod)["status"]["containerStatuses"])


@pytest.mark.usefixtures("two_gateways")
def test_when_nginx_is_killed_nothing_fails_but_what_was_in_flight_on_it(
    platform: Platform, kubectl: Kubectl, base_url: str
) -> None:
    """The pod stays among the endpoints for a while: Traefik tries the other one, as the sample's `retries` say."""
    assert kubectl.get("smartcourse", NAME)["spec"]["route"]["retries"] == 2
    hit, *_ = pods(kubectl)
    before = restarts(kubectl, hit)
    with asking(platform, base_url) as seen:
        eventually(lambda: seen.answers[200] > 20, timeout_seconds=60, what="requests to be answered")
        kill(kubectl, hit, "nginx")
        eventually(lambda: restarts(kubectl, hit) > before, timeout_seconds=120, what="nginx to be started again")
        kubectl.run("wait", f"pod/{hit}", "--for=condition=Ready", "--timeout=120s", timeout_seconds=130)
        answered = seen.answers[200]
        eventually(lambda: seen.answers[200] > answered + 50, timeout_seconds=120, what="more requests to be answered")
    assert max(seen.failures.values()) <= 1, seen.failed


@pytest.mark.usefixtures("two_strict_gateways")
async def test_a_limit_is_exact_over_two_gateways(platform: Platform, kubectl: Kubectl, base_url: str) -> None:
    student = platform.new_student()  # who has asked once already who they are
    headers = {"Authorization": f"Bearer {student.tokens['access_token']}"}
    async with httpx.AsyncClient(base_url=base_url, timeout=30, headers=headers) as client:
        answers = await asyncio.gather(*(client.get("/api/auth/me") for _ in range(2 * LIMIT)))
    counted = Counter(answer.status_code for answer in answers)
    assert set(counted) == {200, 429}
    assert 0.9 * LIMIT <= counted[200] + 1 <= LIMIT
    asked = f'"user_id":"{student.id}"'
    carried = [kubectl.run("logs", pod, "--container=nginx", "--since=2m").count(asked) for pod in pods(kubectl)]
    assert min(carried) > 10, "one gateway carried them all: it proves nothing"


@pytest.mark.parametrize(("component", "condition"), [("user", "SchemaMigrated"), ("gateway", "ServicesReady")])
def test_an_image_that_cannot_be_pulled_is_told_and_what_ran_before_serves(
    platform: Platform, kubectl: Kubectl, base_url: str, component: str, condition: str
) -> None:
    """A service's migrations are run from its image, before its pods are."""

    def told() -> bool:
        found = kubectl.condition(NAME, condition)
        return "ImagePull" in found.get("reason", "") and f"{NAME}-{component}" in found["message"]

    with asking(platform, base_url) as seen:
        try:
            kubectl.merge("smartcourse", NAME, {"spec": {"images": {component: NOWHERE}}})
            eventually(told, timeout_seconds=180, what=lambda: f"told: {kubectl.condition(NAME, condition)}")
            time.sleep(10)
        finally:
            kubectl.merge("smartcourse", NAME, {"spec": {"images": {component: None}}})
        kubectl.wait_ready(NAME)
    assert seen.answers[200] > 100
    assert seen.failed == {}
