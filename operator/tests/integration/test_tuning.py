"""Connections to PostgreSQL: too many are told, and a change of the pods leaves the server alone."""

from __future__ import annotations

from typing import Any

from smartcourse_operator.core.objects import DEPLOYMENT, STATEFUL_SET, Document

from .conftest import Runner
from .world import Platform, eventually

SERVICES = ("user", "course", "notification")


def pods(count: int) -> dict[str, Any]:
    return {service: {"replicas": count} for service in SERVICES}


def memory(limit: str) -> dict[str, Any]:
    return {"postgres": {"resources": {"limits": {"memory": limit}}}}


async def container(platform: Platform, kind: Any, component: str) -> Document:
    found = await platform.cluster.find(kind, platform.namespace, f"academy-{component}")
    assert found
    first: Document = found["spec"]["template"]["spec"]["containers"][0]
    return first


async def pool(platform: Platform, service: str) -> tuple[str, str]:
    env = {each["name"]: each.get("value") for each in (await container(platform, DEPLOYMENT, service))["env"]}
    return env["DATABASE_POOL_SIZE"], env["DATABASE_MAX_OVERFLOW"]


async def test_more_pods_than_postgresql_takes_are_told_and_more_memory_lets_them_be(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(services=pods(10))

    async def told() -> bool:
        return (await platform.condition("Degraded")).get("reason") == "TooManyConnections"

    await eventually(told, what="Degraded to say TooManyConnections")
    assert (await platform.condition("Ready"))["status"] == "False"
    message = (await platform.condition("ServicesReady"))["message"]
    assert "takes 128 connections" in message
    assert "limits.memory to 608Mi" in message
    assert await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-user") is None

    await platform.change(databases=memory("608Mi"))
    await platform.until_ready()
    assert "max_connections=152" in (await container(platform, STATEFUL_SET, "postgres"))["args"]
    assert {await pool(platform, service) for service in SERVICES} == {("1", "1")}


async def test_a_change_of_the_pods_changes_pools_and_never_the_server(platform: Platform, operator: Runner) -> None:
    await platform.create()
    await platform.until_ready()
    before = await platform.cluster.find(STATEFUL_SET, platform.namespace, "academy-postgres")
    assert before
    assert await pool(platform, "course") == ("5", "10")
    await platform.change(services={"course": {"replicas": 3}})
    await platform.until_ready()
    assert {await pool(platform, service) for service in SERVICES} == {("3", "6")}
    after = await platform.cluster.find(STATEFUL_SET, platform.namespace, "academy-postgres")
    assert after
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
