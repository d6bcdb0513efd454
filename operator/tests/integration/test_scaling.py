"""The scale subresource, as `kubectl scale` and autoscalers use it, on a real API server."""

from __future__ import annotations

import pytest

from smartcourse_operator.adapters.cluster import ApiError
from smartcourse_operator.core.objects import AUTOSCALER, DEPLOYMENT, SMART_COURSE, Document

from .conftest import Runner
from .world import Platform, eventually

SCALED = ("gateway", "user", "course", "notification")
OWN = {"replicas": 1}


async def scale(platform: Platform, replicas: int) -> Document:
    """Do what `kubectl scale smartcourse academy --replicas` does."""
    patch = {"spec": {"replicas": replicas}}
    return await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", patch, subresource="scale")


async def deployment(platform: Platform, component: str) -> Document:
    found = await platform.cluster.find(DEPLOYMENT, platform.namespace, f"academy-{component}")
    assert found
    return found


async def pods(platform: Platform) -> dict[str, int]:
    return {component: (await deployment(platform, component))["spec"]["replicas"] for component in SCALED}


async def until_pods(platform: Platform, **expected: int) -> None:
    async def reached() -> bool:
        return expected.items() <= (await pods(platform)).items()

    await eventually(reached, what=f"pods to be {expected}", timeout_seconds=180)


async def test_scaling_sets_the_pods_of_the_gateway_and_of_each_service(platform: Platform, operator: Runner) -> None:
    await platform.create()
    await platform.until_ready()
    assert await pods(platform) == dict.fromkeys(SCALED, 1)
    assert (await scale(platform, 3))["spec"]["replicas"] == 3
    await until_pods(platform, **dict.fromkeys(SCALED, 3))

    def is_told(status: Document) -> bool:
        return bool(status.get("replicas") == 3)

    await platform.until(is_told, "of three pods")
    await platform.until_ready()


async def test_what_the_scale_tells_finds_the_gateways_pods_and_no_others(platform: Platform, operator: Runner) -> None:
    await platform.create(replicas=2)
    await platform.until_ready()
    await platform.until(lambda status: status.get("replicas") == 2, "of two pods")
    found = await scale(platform, 2)
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (2, 2)
    selected = await platform.cluster.select(DEPLOYMENT, platform.namespace, found["status"]["selector"])
    assert [one["metadata"]["name"] for one in selected] == ["academy-gateway"]
    wanted = dict(part.split("=", 1) for part in found["status"]["selector"].split(","))
    assert (await deployment(platform, "gateway"))["spec"]["selector"]["matchLabels"] == wanted


async def test_what_has_a_number_of_its_own_or_an_autoscaler_is_not_scaled(
    platform: Platform, operator: Runner
) -> None:
    autoscaling = {"minReplicas": 1, "maxReplicas": 2}
    await platform.create(services={"course": {"replicas": 1}, "notification": {"autoscaling": autoscaling}})
    await platform.until_ready()
    await scale(platform, 2)
    await until_pods(platform, gateway=2, user=2)
    await platform.until_ready()
    found = await pods(platform)
    assert (found["course"], found["notification"]) == (1, 1)
    scaler = await platform.cluster.find(AUTOSCALER, platform.namespace, "academy-notification")
    assert scaler
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 2)


async def test_one_stored_when_each_service_had_a_default_of_its_own_goes_on_and_follows_when_that_is_taken_out(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(services=dict.fromkeys(SCALED, OWN))
    await platform.until_ready()
    await scale(platform, 2)
    await platform.until_ready()
    assert await pods(platform) == dict.fromkeys(SCALED, 1)
    await platform.change(services={component: {"replicas": None} for component in SCALED})
    await until_pods(platform, **dict.fromkeys(SCALED, 2))
    await platform.until_ready()


@pytest.mark.parametrize(("replicas", "words"), [(0, r"spec\.hibernated stops everything"), (101, "100")])
async def test_a_number_that_cannot_be_is_refused(platform: Platform, replicas: int, words: str) -> None:
    await platform.create()
    with pytest.raises(ApiError, match=words) as refused:
        await scale(platform, replicas)
    assert refused.value.status == 422


async def test_more_pods_than_postgresql_takes_are_told_and_what_runs_runs_on(
    platform: Platform, operator: Runner
) -> None:
    await platform.create()
    await platform.until_ready()
    await scale(platform, 30)

    async def is_told() -> bool:
        return (await platform.condition("Degraded")).get("reason") == "TooManyConnections"

    await eventually(is_told, what="Degraded to say TooManyConnections")
    assert await pods(platform) == dict.fromkeys(SCALED, 1)
    await scale(platform, 1)
    await platform.until_ready()
