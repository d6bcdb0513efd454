"""ServiceMonitors, with the Prometheus Operator's own definition and without it."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testing.controlplane import ControlPlane, program
from smartcourse_operator.core.objects import EVENT, SERVICE_MONITOR

from .conftest import ROOT, MakeOperator, Runner
from .world import Platform, eventually

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MONITORED = {"academy-gateway", "academy-user", "academy-course", "academy-notification"}

Install = Callable[[], None]


def read_definition() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(program("SERVICE_MONITOR_CRD")).read_text(encoding="utf-8"))
    return found


@pytest.fixture
async def install_definition(control_plane: ControlPlane) -> AsyncIterator[Install]:
    """Teach the cluster ServiceMonitor; it has forgotten it after the case."""
    definition = read_definition()

    def install() -> None:
        control_plane.request("POST", DEFINITIONS, json=definition).raise_for_status()

    yield install
    path = f"{DEFINITIONS}/{definition['metadata']['name']}"
    control_plane.request("DELETE", path).raise_for_status()

    async def forgotten() -> bool:
        return control_plane.request("GET", path).status_code == 404

    await eventually(forgotten, what="the definition to be gone")


async def monitors(platform: Platform) -> dict[str, dict[str, Any]]:
    found = await platform.cluster.select(SERVICE_MONITOR, platform.namespace, "")
    return {one["metadata"]["name"]: one for one in found}


async def test_monitors_wait_for_their_definition_are_kept_in_shape_and_go_when_unasked(
    platform: Platform, operator: Runner, install_definition: Install
) -> None:
    await platform.create(monitoring={"serviceMonitors": True, "serviceMonitorLabels": {"release": "prometheus"}})
    await platform.until_ready()
    condition = await platform.condition("MonitoringReady")
    assert (condition["status"], condition["reason"]) == ("False", "KindUnknown")
    assert "monitoring.coreos.com/v1" in condition["message"]
    events = await platform.cluster.select(EVENT, platform.namespace, "")
    assert ("Warning", "KindUnknown") in {(event["type"], event["reason"]) for event in events}

    install_definition()

    async def all_there() -> bool:
        return (await platform.condition("MonitoringReady"))["status"] == "True"

    await eventually(all_there, what="MonitoringReady to be True")
    found = await monitors(platform)
    assert found.keys() == MONITORED
    assert {one["metadata"]["labels"]["release"] for one in found.values()} == {"prometheus"}

    changed = {"spec": {"endpoints": [{"port": "http"}]}}
    await platform.cluster.merge(SERVICE_MONITOR, platform.namespace, "academy-user", changed)
    await platform.cluster.delete(SERVICE_MONITOR, platform.namespace, "academy-gateway")

    async def repaired() -> bool:
        now = await monitors(platform)
        specs = {name: one["spec"] for name, one in found.items()}
        return {name: one["spec"] for name, one in now.items()} == specs

    await eventually(repaired, what="the ServiceMonitors to be as they were")

    await platform.change(monitoring={"serviceMonitors": False})

    async def gone() -> bool:
        return not await monitors(platform) and not await platform.condition("MonitoringReady")

    await eventually(gone, what="ServiceMonitors and their condition to go")
    await platform.until_ready()


async def test_a_monitor_that_is_deleted_is_noticed_without_the_timer(
    platform: Platform, install_definition: Install, make_operator: MakeOperator
) -> None:
    install_definition()

    async def served() -> bool:
        return await platform.cluster.serves(SERVICE_MONITOR)

    await eventually(served, what="the API server to know ServiceMonitor")
    make_operator(resync_seconds=3600).start()
    await platform.create(monitoring={"serviceMonitors": True})
    await platform.until_ready()
    await platform.cluster.delete(SERVICE_MONITOR, platform.namespace, "academy-user")

    async def restored() -> bool:
        return "academy-user" in await monitors(platform)

    await eventually(restored, what="the ServiceMonitor to come back")


def render(chart: Path, values: str, namespace: str) -> list[dict[str, Any]]:
    command = [program("HELM"), "template", "academy", str(chart), "--namespace", namespace,
               "--values", str(chart / "ci" / f"{values}-values.yaml")]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [document for document in yaml.safe_load_all(printed) if document]


@pytest.mark.parametrize(
    ("chart", "values", "count"),
    [("smartcourse", "kafka", len(MONITORED)), ("smartcourse-operator", "one-namespace", 1)],
)
async def test_the_definition_knows_every_field_that_the_charts_set(
    platform: Platform, control_plane: ControlPlane, install_definition: Install, chart: str, values: str, count: int
) -> None:
    rendered = render(ROOT / "charts" / chart, values, platform.namespace)
    found = [document for document in rendered if document["kind"] == "ServiceMonitor"]
    assert len(found) == count
    install_definition()

    async def served() -> bool:
        return await platform.cluster.serves(SERVICE_MONITOR)

    await eventually(served, what="the API server to know ServiceMonitor")
    collection = f"{SERVICE_MONITOR.prefix}/namespaces/{platform.namespace}/{SERVICE_MONITOR.plural}"
    for document in found:
        answer = control_plane.request("POST", f"{collection}?fieldValidation=Strict&dryRun=All", json=document)
        assert answer.status_code == 201, answer.text
