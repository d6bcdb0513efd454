"""`skaffold dev`: what is edited in the checkout runs in the pods, and Ctrl-C takes the platform away.

The cases follow one another in one session, as a developer's edits do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.kubernetes import Kubectl, eventually

from .. import skaffold as declared
from ..sources import Document
from .cluster import pods, running, wait_until_gone, wait_until_jobs_are_done
from .program import Session, Skaffold

pytestmark = pytest.mark.timeout(1500)  # the first case builds and installs the platform
RELOAD_SECONDS = 60
BUILD_SECONDS = 300
SERVICES = ["user", "course", "notification"]


@dataclass(frozen=True)
class Platform:
    """The platform that a `skaffold dev` deployed, and the checkout that it watches."""

    checkout: Path
    kubectl: Kubectl
    session: Session

    def edit(self, path: str, old: str, new: str) -> int:
        """Exchange a text in a file; return where Skaffold's answer to that begins in its output."""
        said = len(self.session.output())
        text = (self.checkout / path).read_text("utf-8")
        assert old in text, f"{path} has no {old!r}"
        (self.checkout / path).write_text(text.replace(old, new), encoding="utf-8")
        return said

    def append(self, path: str, line: str) -> int:
        """Add a line to a file's end; return as `edit`."""
        text = (self.checkout / path).read_text("utf-8")
        return self.edit(path, text, f"{text}\n{line}\n")

    def wait_until_served(self, component: str, path: str, text: str) -> None:
        """Wait until the port that Skaffold forwards answers with the text."""
        url, started = self.session.forwards()[f"academy-{component}"], time.monotonic()

        def served() -> bool:
            answer = httpx.get(f"{url}{path}", timeout=10)
            return answer.status_code == 200 and text in answer.text

        what = f"{component} to answer {path} with {text!r}"
        eventually(served, timeout_seconds=RELOAD_SECONDS, what=what, every_seconds=0.1)
        print(f"{component}: served after {time.monotonic() - started:.1f} s")


def main(component: str) -> str:
    return f"services/{component}-service/src/{component}_service/main.py"


def images(pod: Document) -> set[str]:
    return {container["image"] for container in pod["spec"]["containers"]}


@pytest.fixture(scope="module")
def platform(skaffold: Skaffold, kubectl: Kubectl) -> Iterator[Platform]:
    with skaffold.dev("smartcourse", "--port-forward=user") as session:
        wait_until_jobs_are_done(kubectl)
        yield Platform(skaffold.checkout, kubectl, session)


def test_every_declared_port_is_forwarded_and_healthy(platform: Platform) -> None:
    wanted = {each["resourceName"] for each in declared.module("smartcourse")["portForward"]}
    eventually(lambda: platform.session.forwards().keys() == wanted, timeout_seconds=30, what=f"{wanted} forwarded")
    for name in wanted:
        platform.wait_until_served(name.removeprefix("academy-"), "/health", "status")


@pytest.mark.parametrize("component", SERVICES)
def test_an_edit_of_a_service_runs_without_a_new_pod(platform: Platform, component: str) -> None:
    before = running(platform.kubectl)
    said = platform.append(main(component), f"print('edited {component}')")
    platform.session.wait_for(
        f"Syncing 1 files for localhost:5001/{component}-service:", after=said, timeout_seconds=30
    )
    platform.session.wait_for(f"edited {component}", after=said, timeout_seconds=RELOAD_SECONDS)
    platform.wait_until_served(component, "/health/live", '"service"')
    assert running(platform.kubectl) == before


def test_an_edit_of_the_shared_code_is_served_by_every_service(platform: Platform) -> None:
    before = running(platform.kubectl)
    platform.edit("shared/shared/health.py", '"healthy", "service"', '"well", "service"')
    for component in SERVICES:
        platform.wait_until_served(component, "/health/live", '"status":"well"')
    assert running(platform.kubectl) == before


def test_an_edit_of_the_gateway_reaches_both_its_containers(platform: Platform) -> None:
    said = platform.append("services/api-gateway/src/api_gateway/__init__.py", "print('edited gateway')")
    for container in ("nginx", "decide"):
        platform.session.wait_for(f"[{container}]edited gateway", after=said, timeout_seconds=RELOAD_SECONDS)
    platform.edit("services/api-gateway/src/api_gateway/docs/index.html", "<title>SmartCourse API<", "<title>Edited<")
    platform.wait_until_served("gateway", "/docs", "<title>Edited<")
    platform.wait_until_served("gateway", "/api/courses", "items")


def test_code_that_does_not_run_keeps_its_pod_and_the_next_edit_mends_it(platform: Platform) -> None:
    before = running(platform.kubectl)
    said = platform.append(main("user"), "def broken(")
    platform.session.wait_for("ended with status", after=said, timeout_seconds=RELOAD_SECONDS)
    said = platform.edit(main("user"), "def broken(", "print('mended')")
    platform.session.wait_for("mended", after=said, timeout_seconds=RELOAD_SECONDS)
    platform.wait_until_served("user", "/health/live", '"service"')
    assert running(platform.kubectl) == before


def test_an_edit_of_what_only_an_image_is_made_from_builds_and_deploys_it_anew(platform: Platform) -> None:
    before = [images(pod) for pod in pods(platform.kubectl)]
    said = platform.edit("services/user-service/openapi.json", '"title": "', '"title": "Edited ')
    platform.session.wait_for("Build [api-gateway] succeeded", after=said, timeout_seconds=BUILD_SECONDS)
    platform.session.wait_for("Watching for changes...", after=said, timeout_seconds=BUILD_SECONDS)

    def replaced() -> bool:
        now = [images(pod) for pod in pods(platform.kubectl)]
        new = [each for each in now if each not in before]
        return len(now) == len(before) and len(new) == 1 and any("/api-gateway:" in image for image in new[0])

    eventually(replaced, timeout_seconds=RELOAD_SECONDS, what="the gateway's pod alone to run another image")
    platform.wait_until_served("gateway", "/health", '"status":"up"')


def test_ctrl_c_takes_all_away_but_volumes_and_secrets(platform: Platform) -> None:
    platform.session.end()
    assert platform.session.process.returncode == 0
    wait_until_gone(platform.kubectl)
    assert len(platform.kubectl.list("persistentvolumeclaims")) == 3
    assert platform.kubectl.secret("academy-auth")
