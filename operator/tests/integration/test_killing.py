"""The operator is killed with SIGKILL at every boundary of what it does, before and after it is written down."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from shared.testing.controlplane import ControlPlane
from shared.testing.processes import Process, free_port
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import LEASE, RESTORE, SECRET, SMART_COURSE, Document
from smartcourse_operator.core.phases import ESSENTIAL
from smartcourse_operator.core.status import Phase, UpgradePhase

from .conftest import ROOT
from .test_backing_up import backed_up, make, until
from .test_restarting import essence
from .test_upgrading import AT_ONCE, images, jobs, releases, until_runs
from .world import Machinery, Platform

__all__ = ["releases"]

FORWARDED = {"authorization", "content-type", "accept", "accept-encoding"}
ANSWERED = {"content-type", "content-encoding"}
PROCESS = Path(__file__).with_name("process.py")
BOUNDARY_SECONDS = 30


@dataclass(frozen=True)
class Written:
    """A request that changes something."""

    method: str
    path: str
    body: Document

    def status(self, plural: str = "smartcourses") -> Document:
        """Return what it changes of a status, nothing if it is about something else."""
        parts = self.path.split("/")
        found: Document = self.body.get("status") or {} if parts[-1] == "status" and plural in parts else {}
        return found


Passed = Callable[[str], Awaitable[None]]
"""What a case does after it was killed at a boundary."""
Boundary = Callable[[Written], str | None]
"""Returns the name of the boundary that a request is, None of others."""


@dataclass
class Door:
    """The way to the API server. Who asks through it is killed once at each boundary."""

    plane: ControlPlane
    port: int = field(default_factory=free_port)
    fails: Callable[[web.Request], bool] = lambda _: False
    """Whether a request is answered with 500 in place of being passed on."""
    boundary: Boundary = lambda _: None
    is_passed_on: bool = False
    """Whether the API server has done what was asked when the one who asked is killed."""
    process: Process | None = None
    met: list[str] = field(default_factory=list)
    has_killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.fails(request):
            failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "InternalError"}
            return web.json_response({**failure, "code": 500}, status=500)
        name = self._boundary_of(request, body)
        if name and not self.is_passed_on:
            return self._kill(request, name)
        headers = {key: value for key, value in request.headers.items() if key.lower() in FORWARDED}
        target = URL(f"https://127.0.0.1:{self.plane.port}{request.raw_path}", encoded=True)
        trust = ssl.create_default_context(cafile=str(self.plane.certificate))
        async with (
            aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.request(request.method, target, data=body or None, headers=headers, ssl=trust) as answer,
        ):
            if name:
                return self._kill(request, name)
            kept = {key: value for key, value in answer.headers.items() if key.lower() in ANSWERED}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
            return response

    def _boundary_of(self, request: web.Request, body: bytes) -> str | None:
        if request.method in ("GET", "HEAD") or "/leases" in request.path or self.has_killed.is_set():
            return None
        found = json.loads(body) if body.startswith(b"{") else {}
        name = self.boundary(Written(request.method, request.path, found))
        return name if name not in self.met else None

    def _kill(self, request: web.Request, name: str) -> web.Response:
        assert self.process
        os.kill(self.process.pid, signal.SIGKILL)
        self.met.append(name)
        self.has_killed.set()
        assert request.transport
        request.transport.abort()
        return web.Response()


@pytest.fixture
async def door(control_plane: ControlPlane) -> AsyncIterator[Door]:
    made = Door(control_plane)
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", made.carry)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    yield made
    if made.process:
        await asyncio.to_thread(made.process.stop, signal.SIGKILL)
    await runner.cleanup()


@dataclass
class Life:
    """A platform whose operator is started anew each time it was killed."""

    door: Door
    platform: Platform
    directory: Path
    releases: Path

    def start(self) -> None:
        access = json.loads(self.door.plane.kubeconfig("operator", self.directory).read_text(encoding="utf-8"))
        access["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.door.port}"}
        kubeconfig = self.directory / "door.kubeconfig"
        kubeconfig.write_text(json.dumps(access), encoding="utf-8")
        settings = {
            "CHART": ROOT / "charts" / "smartcourse", "RELEASES": self.releases, "BIND_ADDRESS": "127.0.0.1",
            "HEALTH_PORT": free_port(), "METRICS_PORT": free_port(), "WATCH_NAMESPACES": self.platform.namespace,
            "RESYNC_SECONDS": 2, "PROGRESS_SECONDS": 0.5, "SETTLE_SECONDS": 0.05,
        }  # fmt: skip
        environment = {f"SMARTCOURSE_OPERATOR_{name}": str(value) for name, value in settings.items()}
        self.door.has_killed.clear()
        self.door.process = Process(
            [sys.executable, str(PROCESS)], log=self.directory / "operator.log",
            environment=os.environ | environment | {"KUBECONFIG": str(kubeconfig)},
        )  # fmt: skip

    async def go_through(self, boundaries: list[str], passed: Passed | None = None) -> None:
        """Start the operator again whenever it was killed, until that was at each of `boundaries`.

        The Lease of the dead one is taken away: that it expires by itself is another case.
        """
        while not set(boundaries) <= set(self.door.met):
            await self._killed(boundaries)
            process = self.door.process
            assert process
            await asyncio.to_thread(process.stop, signal.SIGKILL)
            if passed:
                await passed(self.door.met[-1])
            await self.platform.cluster.delete(LEASE, "smartcourse-system", names.OPERATOR)
            self.start()

    async def _killed(self, boundaries: list[str]) -> None:
        try:
            await asyncio.wait_for(self.door.has_killed.wait(), BOUNDARY_SECONDS)
        except TimeoutError:
            assert self.door.process
            left = sorted(set(boundaries) - set(self.door.met))
            raise AssertionError(f"{left} not met; the operator's log:\n{self.door.process.log_tail()}") from None


@pytest.fixture(params=["before", "after"])
def life(request: pytest.FixtureRequest, door: Door, platform: Platform, releases: Path, tmp_path: Path) -> Life:
    door.is_passed_on = request.param == "after"
    return Life(door, platform, tmp_path, releases)


async def contents(platform: Platform) -> dict[str, Document]:
    found = await platform.cluster.select(SECRET, platform.namespace, "")
    return {one["metadata"]["name"]: one["data"] for one in found}


async def test_killed_at_every_boundary_of_an_installation(life: Life, machinery: Machinery) -> None:
    phases = [phase.value for phase in ESSENTIAL if phase not in (Phase.ROUTE, Phase.FORWARD_AUTH)]  # done when applied
    life.door.boundary = lambda one: one.status().get("phase")
    machinery.held.update(phases)
    life.start()
    await life.platform.create()
    known: dict[str, Document] = {}

    async def passed(phase: str) -> None:
        machinery.held.discard(phase)
        known.update(known or await contents(life.platform))

    await life.go_through([*phases, "ready"], passed)
    await life.platform.until_ready()
    children = await life.platform.children()
    assert {kind for kind, _ in essence(children)} >= {"Deployment", "StatefulSet", "Ingress", "Job"}
    assert len([one for one in children if one["kind"] == "Job"]) == 7, "each Job was made once"
    assert known
    assert await contents(life.platform) == known, "what was generated at first stays"


async def test_killed_at_every_boundary_of_an_upgrade(life: Life) -> None:
    life.start()
    await life.platform.create(version="1.0.0", backup={}, updateStrategy=AT_ONCE)
    await life.platform.until_ready()
    life.door.boundary = lambda one: (one.status().get("upgrade") or {}).get("phase")
    await life.platform.change(version="1.1.0")
    await life.go_through([phase.value for phase in UpgradePhase])
    await until_runs(life.platform, "1.1.0")
    assert await images(life.platform) == {"1.1.0"}
    assert len(await jobs(life.platform, "contract")) == 1
    assert len(await jobs(life.platform, "backup")) == 1


async def test_killed_at_every_boundary_of_a_rotation(life: Life) -> None:
    life.start()
    await life.platform.create()
    await life.platform.until_ready()
    before = (await contents(life.platform))["academy-user-db"]
    life.door.boundary = lambda one: next((each["phase"] for each in one.status().get("rotations") or ()), None)
    asked = {"metadata": {"annotations": {"smartcourse.io/rotate-database": "now"}}}
    await life.platform.cluster.merge(SMART_COURSE, life.platform.namespace, "academy", asked)
    await life.go_through(["introduced", "promoted", "retiring", "completed"])
    await life.platform.until_ready()
    after = (await contents(life.platform))["academy-user-db"]
    assert after.keys() == before.keys()
    assert after["password"] != before["password"]


async def test_killed_at_every_boundary_of_a_restore(life: Life) -> None:
    life.start()
    await life.platform.create(version="1.0.0", backup={})
    await life.platform.until_ready()
    await backed_up(life.platform)
    life.door.boundary = lambda one: one.status("smartcourserestores").get("phase")
    await make(life.platform, RESTORE, "back", smartCourse="academy", backup="first")
    await life.go_through(["Checking", "Stopping", "Restoring", "Starting", "Completed"])
    await until(life.platform, RESTORE, "back", "Completed")
    await life.platform.until_ready()
    assert len(await jobs(life.platform, "restore")) == 1


async def test_killed_at_every_boundary_of_sleep_and_waking(life: Life) -> None:
    life.start()
    await life.platform.create(version="1.0.0")
    await life.platform.until_ready()
    before = await contents(life.platform)
    life.door.boundary = lambda one: {"hibernated": "asleep", "ready": "awake"}.get(one.status().get("phase", ""))
    await life.platform.change(hibernated=True)
    await life.go_through(["asleep"])
    await life.platform.until(lambda status: status.get("phase") == "hibernated", "hibernated")
    await life.platform.change(hibernated=False)
    await life.go_through(["asleep", "awake"])
    await life.platform.until_ready()
    assert await contents(life.platform) == before


async def test_killed_at_every_boundary_of_its_end(life: Life) -> None:
    def boundary(one: Written) -> str | None:
        plural = one.path.split("/")[-2]
        if one.method == "DELETE" and plural in ("deployments", "persistentvolumeclaims", "secrets"):
            return plural
        is_let_go = "smartcourses" in one.path and "finalizers" in one.body.get("metadata", {})
        return "the finalizer" if is_let_go else None

    life.start()
    await life.platform.create(version="1.0.0", deletionPolicy="Delete")
    await life.platform.until_ready()
    life.door.boundary = boundary
    await life.platform.delete()
    await life.go_through(["deployments", "persistentvolumeclaims", "secrets", "the finalizer"])
    await life.platform.until_gone()
    assert await contents(life.platform) == {}
