"""The API server is far away: connections break, stall or cannot be made, and it has no time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client import Counter

from shared.testing.controlplane import OPERATOR_USER, ControlPlane
from shared.testing.processes import free_port
from smartcourse_operator.adapters.metrics import API_REQUESTS, RECONCILES
from smartcourse_operator.core.objects import DEPLOYMENT

from .conftest import ROOT, Gateways, MakeOperator, Runner, operators
from .test_killing import Door, Life, door
from .test_restarting import holder
from .world import Platform, eventually

__all__ = ["door"]

FLOW_CONTROL = "/apis/flowcontrol.apiserver.k8s.io/v1"


@dataclass
class Way:
    """Carries connections to the API server; it speaks TLS, so they break as a network breaks them."""

    server_port: int
    port: int = field(default_factory=free_port)
    is_cut: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _stalled: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def reset(self) -> None:
        """Break every connection that there is."""
        for writer in list(self._open):
            writer.transport.abort()

    def stall(self) -> None:
        """Let nothing more through the connections that there are; others may be made."""
        self._stalled |= self._open

    def cut(self) -> None:
        """Break every connection, and let none be made."""
        self.is_cut = True
        self.reset()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.server_port)
        self._open |= {writer, to_server}
        async with asyncio.TaskGroup() as both:
            both.create_task(self._carry(reader, to_server))
            both.create_task(self._carry(from_server, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while part := await reader.read(65_536):
                if writer not in self._stalled:
                    writer.write(part)
                    await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._open.discard(writer)
            self._stalled.discard(writer)


@pytest.fixture
async def way(control_plane: ControlPlane) -> AsyncIterator[Way]:
    carrier = Way(control_plane.port)
    server = await asyncio.start_server(carrier.accept, "127.0.0.1", carrier.port)
    yield carrier
    carrier.cut()
    server.close()


@pytest.fixture
async def make_far_operator(
    control_plane: ControlPlane, platform: Platform, gateways: Gateways, way: Way
) -> AsyncIterator[MakeOperator]:
    async with operators(control_plane, platform.namespace, gateways, port=way.port) as make:
        yield make


async def test_connections_that_break_again_and_again_only_delay_it(
    make_far_operator: MakeOperator, platform: Platform, way: Way
) -> None:
    make_far_operator().start()
    await platform.create()
    for _ in range(10):
        await asyncio.sleep(0.5)
        way.reset()
    await platform.until_ready()
    way.reset()
    await platform.cluster.delete(DEPLOYMENT, platform.namespace, "academy-user")

    async def is_back() -> bool:
        return await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-user") is not None

    await eventually(is_back, what="the Deployment to be made again")


async def test_where_connections_stall_it_ends_and_begins_anew_over_others(
    make_far_operator: MakeOperator, platform: Platform, way: Way
) -> None:
    """It cannot renew its Lease in time, so it ends before another may lead. A kubelet starts it again."""
    runner = make_far_operator()
    runner.start()
    await platform.create()
    await platform.until_ready()
    way.stall()
    await platform.change(services={"user": {"replicas": 2}})
    await runner.until_ended()
    runner.start()
    await platform.until_ready()


async def test_a_leader_that_is_cut_off_ends_and_another_takes_over(
    make_far_operator: MakeOperator, make_operator: MakeOperator, platform: Platform, way: Way
) -> None:
    far, near = make_far_operator(), make_operator()
    far.start()
    await platform.create()
    await platform.until_ready()
    near.start()
    way.cut()
    await platform.change(services={"user": {"replicas": 2}})
    await far.until_ended()
    await platform.until_ready()
    assert await holder(platform) == near.settings.identity


async def test_while_the_api_server_has_no_time_it_waits_longer_and_longer_then_goes_on(
    operator: Runner, platform: Platform, control_plane: ControlPlane
) -> None:
    """Priority and fairness gives the operator no share: of what it asks together, all but one are answered 429.

    Its Lease is asked for apart.
    """
    await platform.create()
    await platform.until_ready()
    nothing = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    level = {"type": "Limited", "limited": nothing}
    everything = {"verbs": ["*"], "apiGroups": ["", "apps", "batch", "smartcourse.io"], "resources": ["*"],
                  "namespaces": ["*"], "clusterScope": True}  # fmt: skip
    flow = {
        "priorityLevelConfiguration": {"name": platform.namespace},
        "matchingPrecedence": 50,
        "rules": [{"subjects": [{"kind": "User", "user": {"name": OPERATOR_USER}}], "resourceRules": [everything]}],
    }
    made = {"prioritylevelconfigurations": level, "flowschemas": flow}
    failed, refused = RECONCILES.labels("error"), API_REQUESTS.labels("GET", "429")
    try:
        for plural, spec in made.items():
            document = {"metadata": {"name": platform.namespace}, "spec": spec}
            control_plane.request("POST", f"{FLOW_CONTROL}/{plural}", json=document).raise_for_status()
        await eventually(partial(is_refused, control_plane), what="the operator's requests to be refused")
        before = value(failed), value(refused)
        await platform.change(services={"user": {"replicas": 2}})

        async def failed_twice() -> bool:
            return value(failed) - before[0] >= 2

        await eventually(failed_twice, what="two reconciles to fail")
        await asyncio.sleep(5)
        failures, refusals = value(failed) - before[0], value(refused) - before[1]
    finally:
        for plural in reversed(made):
            control_plane.request("DELETE", f"{FLOW_CONTROL}/{plural}/{platform.namespace}").raise_for_status()
    assert refusals > 0
    assert failures <= 6, "it hammers"

    async def is_done() -> bool:
        found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-user")
        return found is not None and found["spec"]["replicas"] == 2

    await eventually(is_done, what="two replicas")
    await platform.until_ready()
    assert not operator.has_ended


async def is_refused(control_plane: ControlPlane) -> bool:
    """Whether the API server knows of the limit already. Without a share it still does one request at a time."""
    headers = {"Authorization": f"Bearer {control_plane.tokens['operator']}"}

    def ask() -> int:
        return control_plane.request("GET", "/apis/smartcourse.io/v1alpha1/smartcourses", headers=headers).status_code

    return 429 in await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(8)))


def value(counter: Counter) -> float:
    [metric] = counter.collect()
    return metric.samples[0].value


async def test_where_the_api_server_fails_now_and_then_all_is_done_in_the_end(
    door: Door, platform: Platform, tmp_path: Path
) -> None:
    """Of the first requests every third is answered with 500; those of the Lease are not."""
    asked, failed = itertools.count(1), list[str]()

    def fails(request: web.Request) -> bool:
        if "/leases" in request.path or len(failed) == 30 or next(asked) % 3:
            return False
        failed.append(request.path)
        return True

    life = Life(door, platform, tmp_path, ROOT / "manifests" / "releases")
    life.start()
    await platform.create()
    door.fails = fails
    await platform.until_ready()
    assert len(failed) == 30
