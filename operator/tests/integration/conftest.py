"""A control plane for the session, and an operator for each case."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from shared.testing.controlplane import ControlPlane, program, running
from shared.testing.processes import free_port
from smartcourse_operator import crd, rbac
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.config import Settings
from smartcourse_operator.core import names
from smartcourse_operator.main import Operator

from .world import Machinery, Platform, eventually

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with running() as plane:
        install(plane)
        yield plane


def install(plane: ControlPlane) -> None:
    """Apply what an administrator applies before the operator can run."""
    plane.install_operator(map(crd.definition, names.PLURALS), rbac.permissions()["items"])


async def client_for(plane: ControlPlane, user: str, directory: Path) -> ApiClient:
    configuration = Configuration()
    await kubernetes_config.load_kube_config(
        config_file=str(plane.kubeconfig(user, directory)), client_configuration=configuration
    )
    return ApiClient(configuration)


@pytest.fixture(scope="session")
async def admin(control_plane: ControlPlane) -> AsyncIterator[Cluster]:
    client = await client_for(control_plane, "admin", control_plane.directory)
    cluster = Cluster(client, field_manager="kubectl-edit")
    yield cluster
    await client.close()


@pytest.fixture(scope="session")
async def machinery(admin: Cluster) -> AsyncIterator[Machinery]:
    made = Machinery(admin)
    task = asyncio.create_task(made.run())
    yield made
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


MakePlatform = Callable[[], Platform]


@asynccontextmanager
async def platforms(plane: ControlPlane, admin: Cluster, machinery: Machinery) -> AsyncIterator[MakePlatform]:
    """Yield a maker of platforms; their SmartCourses are taken away in the end, finalizer or not."""
    made: list[Platform] = []

    def make() -> Platform:
        namespace = f"case-{uuid.uuid4().hex[:8]}"
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        plane.request("POST", "/api/v1/namespaces", json=document).raise_for_status()
        machinery.namespaces.add(namespace)
        made.append(Platform(admin, namespace))
        return made[-1]

    yield make
    machinery.held.clear()
    machinery.failing.clear()
    machinery.told.clear()
    for platform in made:
        machinery.namespaces.discard(platform.namespace)
        await platform.drop()


@pytest.fixture
async def make_platform(
    admin: Cluster, machinery: Machinery, control_plane: ControlPlane
) -> AsyncIterator[MakePlatform]:
    async with platforms(control_plane, admin, machinery) as make:
        yield make


@pytest.fixture
def platform(make_platform: MakePlatform) -> Platform:
    return make_platform()


@dataclass
class Gateways:
    """Answers for the gateways, which do not run here."""

    problems: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """Where each was asked last."""

    async def __call__(self, name: str, namespace: str, *, port: int) -> str:
        self.ports[namespace] = port
        return self.problems.get(namespace, "")


@pytest.fixture
def gateways() -> Gateways:
    return Gateways()


@dataclass
class Runner:
    """An operator that can be started, stopped and killed."""

    settings: Settings
    gateways: Gateways
    kubeconfig: Path
    _operator: Operator | None = None
    _task: asyncio.Task[None] | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Start it; the environment that it finds its API server by is the whole process's."""
        os.environ["KUBECONFIG"] = str(self.kubeconfig)
        self._stop = asyncio.Event()
        self._operator = Operator(self.settings, probe=self.gateways)
        self._task = asyncio.create_task(self._operator.run(self._stop))

    async def install(self, platform: Platform, **spec: Any) -> None:
        """Bring a platform about and end: nobody looks after it then."""
        self.start()
        await platform.create(**spec)
        await platform.until_ready()
        await self.stop()

    @property
    def has_ended(self) -> bool:
        return self._task is None or self._task.done()

    async def until_ended(self) -> None:
        async def has_ended() -> bool:
            return self.has_ended

        await eventually(has_ended, what=f"{self.settings.identity} to end")

    async def stop(self) -> None:
        """End as on SIGTERM."""
        self._stop.set()
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)

    async def kill(self) -> None:
        """End in the middle of whatever it does, as on SIGKILL: the Lease is not given up, it has to expire."""
        if self._task and self._operator:
            self._operator._leadership._renewed_at = None
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


MakeOperator = Callable[..., Runner]


@asynccontextmanager
async def operators(
    plane: ControlPlane, namespace: str, gateways: Gateways, *, user: str = "operator", port: int = 0
) -> AsyncIterator[MakeOperator]:
    """Yield a maker of operators for `namespace`; they are stopped in the end."""
    made: list[Runner] = []
    kubeconfig = plane.kubeconfig(user, plane.directory, port=port)

    def make(**overrides: Any) -> Runner:
        chosen: dict[str, Any] = {
            "identity": f"operator-{uuid.uuid4().hex[:8]}",
            "watch_namespaces": namespace,
            "chart": ROOT / "charts" / "smartcourse",
            "releases": ROOT / "manifests" / "releases",
            "bind_address": "127.0.0.1",
            "health_port": free_port(),
            "resync_seconds": 2,
            "progress_seconds": 0.5,
            "settle_seconds": 0.05,
            "lease_renew_seconds": 0.5,  # the other times are as in use: a slow machine must not cost the leadership
            **overrides,
        }
        made.append(Runner(Settings(**chosen), gateways, kubeconfig))
        return made[-1]

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("KUBECONFIG", str(kubeconfig))
        environment.setenv("HELM", program("HELM"))
        yield make
        for runner in made:
            await runner.stop()


@pytest.fixture
async def make_operator(
    control_plane: ControlPlane, platform: Platform, gateways: Gateways
) -> AsyncIterator[MakeOperator]:
    async with operators(control_plane, platform.namespace, gateways) as make:
        yield make


@pytest.fixture
async def operator(make_operator: MakeOperator) -> Runner:
    runner = make_operator()
    runner.start()
    return runner
