"""Mode `forwardAuth` on a real API server, with Traefik's own definitions and without them, and with Traefik itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest
import yaml

from shared.testing.controlplane import ControlPlane, program
from shared.testing.processes import free_port
from smartcourse_operator.core.objects import INGRESS, MIDDLEWARE, SERVICE

from .conftest import ROOT, Runner
from .world import Machinery, Platform, eventually

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CHAIN = {"academy-gateway-clean", "academy-gateway-decide"}
GUARDED = "academy-gateway-services"
RETRYING = "academy-gateway-retry"
PRIORITY = "traefik.ingress.kubernetes.io/router.priority"
FORWARD_AUTH = {"mode": "forwardAuth"}
GENERATED = (ROOT / "charts" / "smartcourse" / "files" / "traefik.json").read_text(encoding="utf-8")

Install = Callable[..., None]


def read_definitions() -> list[dict[str, Any]]:
    text = Path(program("TRAEFIK_CRDS")).read_text(encoding="utf-8")
    return [document for document in yaml.safe_load_all(text) if document]


def rendered(namespace: str) -> list[dict[str, Any]]:
    chart = ROOT / "charts" / "smartcourse"
    command = [program("HELM"), "template", "academy", str(chart), "--namespace", namespace,
               "--values", str(chart / "ci" / "forward-auth-values.yaml"), "--set", "route.retries=2"]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [document for document in yaml.safe_load_all(printed) if document]


@pytest.fixture
async def install_definitions(control_plane: ControlPlane) -> AsyncIterator[Install]:
    """Teach the cluster what Traefik defines; it has forgotten it after the case. To be asked for before `operator`."""
    paths = []

    def install(kinds: str = "Middleware") -> None:
        for definition in read_definitions():
            if kinds in ("all", definition["spec"]["names"]["kind"]):
                control_plane.request("POST", DEFINITIONS, json=definition).raise_for_status()
                paths.append(f"{DEFINITIONS}/{definition['metadata']['name']}")

    yield install
    for path in paths:
        control_plane.request("DELETE", path).raise_for_status()

    async def forgotten() -> bool:
        return all(control_plane.request("GET", path).status_code == 404 for path in paths)

    await eventually(forgotten, what="the definitions to be gone", timeout_seconds=120)


async def middlewares(platform: Platform) -> dict[str, dict[str, Any]]:
    found = await platform.cluster.select(MIDDLEWARE, platform.namespace, "")
    return {one["metadata"]["name"]: one["spec"] for one in found}


async def is_guarded(platform: Platform) -> bool:
    return await platform.cluster.find(INGRESS, platform.namespace, GUARDED) is not None


async def test_the_other_door_waits_for_its_definitions_is_kept_in_shape_and_goes_when_unasked(
    platform: Platform, install_definitions: Install, operator: Runner
) -> None:
    await platform.create(route=FORWARD_AUTH)

    async def is_told() -> bool:
        condition = await platform.condition("RouteReady")
        return (condition.get("status"), condition.get("reason")) == ("False", "KindUnknown")

    await eventually(is_told, what="RouteReady to tell that Middleware is unknown", timeout_seconds=60)
    assert "Middleware of traefik.io/v1alpha1" in (await platform.condition("RouteReady"))["message"]
    assert await platform.cluster.find(INGRESS, platform.namespace, "academy-gateway"), (
        "the gateway is reached meanwhile"
    )

    install_definitions()
    await platform.until_ready()
    specs = await middlewares(platform)
    assert specs.keys() == CHAIN
    asked = specs["academy-gateway-decide"]["forwardAuth"]
    assert asked["address"] == f"http://academy-gateway.{platform.namespace}.svc:8010/forward"

    changed = {"spec": {"forwardAuth": {"address": "http://elsewhere"}}}
    await platform.cluster.merge(MIDDLEWARE, platform.namespace, "academy-gateway-decide", changed)
    await platform.cluster.delete(MIDDLEWARE, platform.namespace, "academy-gateway-clean")

    async def repaired() -> bool:
        return await middlewares(platform) == specs

    await eventually(repaired, what="the Middlewares to be as they were")

    await platform.change(route={"mode": "gateway"})

    async def gone() -> bool:
        return not await middlewares(platform) and not await is_guarded(platform)

    await eventually(gone, what="the other door to go")
    await platform.until_ready()
    service = await platform.cluster.find(SERVICE, platform.namespace, "academy-gateway")
    assert service
    assert {port["port"] for port in service["spec"]["ports"]} == {8000, 9090}


async def test_retries_wait_for_their_definition_and_requests_pass_plainly_meanwhile(
    platform: Platform, install_definitions: Install, operator: Runner
) -> None:
    await platform.create(route={"retries": 2})

    async def is_told() -> bool:
        condition = await platform.condition("RouteReady")
        return (condition.get("status"), condition.get("reason")) == ("False", "KindUnknown")

    await eventually(is_told, what="RouteReady to tell that Middleware is unknown", timeout_seconds=60)
    assert await platform.cluster.find(INGRESS, platform.namespace, "academy-gateway"), "it needs no Middleware"

    install_definitions()
    await platform.until_ready()
    assert await middlewares(platform) == {RETRYING: {"retry": {"attempts": 3}}}
    assert await platform.cluster.find(INGRESS, platform.namespace, RETRYING)

    await platform.change(route={"retries": 0})

    async def gone() -> bool:
        return not await middlewares(platform) and not await platform.cluster.find(
            INGRESS, platform.namespace, RETRYING
        )

    await eventually(gone, what="the retries to go")
    await platform.until_ready()
    plain = await platform.cluster.find(INGRESS, platform.namespace, "academy-gateway")
    assert plain
    assert PRIORITY not in plain["metadata"].get("annotations", {})


async def test_no_request_goes_where_a_gateway_does_not_answer_yet_or_any_longer(
    platform: Platform, machinery: Machinery, install_definitions: Install, operator: Runner
) -> None:
    install_definitions()
    await platform.create()
    before = await platform.until_ready()

    machinery.held.add("gateway")
    await platform.change(route=FORWARD_AUTH)

    async def rolls() -> bool:
        status = (await platform.get()).get("status") or {}
        return status["phase"] == "gateway" and status["observedGeneration"] > before["status"]["observedGeneration"]

    await eventually(rolls, what="the gateway to be rolled")
    assert not await middlewares(platform)
    assert not await is_guarded(platform)
    machinery.held.clear()
    opened = await platform.until_ready()
    assert await is_guarded(platform)

    machinery.held.add("gateway")
    await platform.change(route={"mode": "gateway"})

    async def closed() -> bool:
        status = (await platform.get()).get("status") or {}
        is_seen = status["observedGeneration"] > opened["status"]["observedGeneration"]
        return is_seen and not await middlewares(platform) and not await is_guarded(platform)

    await eventually(closed, what="the other door to close before the gateway has rolled")
    assert (await platform.condition("Ready"))["status"] == "False"
    machinery.held.clear()
    await platform.until_ready()


async def test_the_definition_knows_every_field_that_the_chart_sets(
    platform: Platform, control_plane: ControlPlane, install_definitions: Install
) -> None:
    found = [each for each in rendered(platform.namespace) if each["kind"] in ("Middleware", "Ingress")]
    assert [each["kind"] for each in found].count("Middleware") == len(CHAIN) + 1  # that retries
    install_definitions()

    async def served() -> bool:
        return await platform.cluster.serves(MIDDLEWARE)

    await eventually(served, what="the API server to know Middleware")
    for document in found:
        kind = MIDDLEWARE if document["kind"] == "Middleware" else INGRESS
        collection = f"{kind.prefix}/namespaces/{platform.namespace}/{kind.plural}"
        answer = control_plane.request("POST", f"{collection}?fieldValidation=Strict&dryRun=All", json=document)
        assert answer.status_code == 201, answer.text


@pytest.fixture
def traefik(control_plane: ControlPlane, install_definitions: Install, tmp_path: Path) -> Iterator[httpx.AsyncClient]:
    """Traefik as the development cluster runs it, reading this API server; a client of its own API."""
    install_definitions("all")
    manifest = Template((ROOT / "infrastructure" / "kind" / "traefik.yaml").read_text(encoding="utf-8"))
    documents = {each["kind"]: each for each in yaml.safe_load_all(manifest.substitute(IMAGE="any", NODE_PORT=30080))}
    paths = {"ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
             "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
             "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses"}  # fmt: skip
    for kind, path in paths.items():
        control_plane.request("POST", path, json=documents[kind]).raise_for_status()
    [container] = documents["Deployment"]["spec"]["template"]["spec"]["containers"]
    port, log = free_port(), tmp_path / "traefik.log"
    flags = [flag for flag in container["args"] if flag.startswith("--providers.")]
    for provider in ("kubernetesingress", "kubernetescrd"):
        flags += [f"--providers.{provider}.endpoint={control_plane.url}",
                  f"--providers.{provider}.token={control_plane.tokens['traefik']}",
                  f"--providers.{provider}.certauthfilepath={control_plane.certificate}"]  # fmt: skip
    flags += ["--providers.kubernetesingress.allowemptyservices=true"]  # no pods run here
    flags += ["--entrypoints.web.address=127.0.0.1:0", f"--entrypoints.traefik.address=127.0.0.1:{port}"]
    flags += ["--api.insecure=true", "--global.checknewversion=false", "--global.sendanonymoususage=false"]
    command = [str(Path(sys.executable).with_name("traefik")), *flags]
    with log.open("wb") as output:  # of its own: KUBECONFIG is the operator's
        process = subprocess.Popen(command, stdout=output, stderr=output, env={"HOME": str(tmp_path)})
    try:
        yield httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10)
    finally:
        process.terminate()
        process.wait()
        for kind, path in paths.items():
            control_plane.request("DELETE", f"{path}/{documents[kind]['metadata']['name']}")


async def routers(traefik: httpx.AsyncClient, namespace: str) -> list[dict[str, Any]]:
    """What Traefik has made of the namespace's Ingresses; nothing while it does not answer."""
    with suppress(httpx.HTTPError):
        answer = await traefik.get("/api/http/routers", params={"per_page": 100})
        return [each for each in answer.raise_for_status().json() if each["name"].startswith(namespace)]
    return []


async def settled(traefik: httpx.AsyncClient, namespace: str, number: int) -> list[dict[str, Any]]:
    """Wait for so many routers, all enabled: Traefik reads Ingresses and Middlewares apart, a router may be first."""
    found: list[dict[str, Any]] = []

    async def are_enabled() -> bool:
        found[:] = await routers(traefik, namespace)
        return len(found) == number and {each["status"] for each in found} == {"enabled"}

    await eventually(are_enabled, what=f"Traefik to have {number} routers, all enabled", timeout_seconds=60)
    return found


async def test_traefik_takes_the_middlewares_for_every_path_of_a_service(
    platform: Platform, traefik: httpx.AsyncClient, operator: Runner
) -> None:
    await platform.create(route=FORWARD_AUTH)
    await platform.until_ready()
    generated = json.loads(GENERATED)
    chain = [f"{platform.namespace}-academy-gateway-{each['name']}@kubernetescrd" for each in generated["middlewares"]]
    found = await settled(traefik, platform.namespace, len(generated["paths"]) + 1)
    passed = {each["rule"]: each.get("middlewares", []) for each in found}
    rest = {rule: names for rule, names in passed.items() if "/api/" not in rule}
    assert list(rest.values()) == [[]]
    guarded = {rule: names for rule, names in passed.items() if rule not in rest}
    assert guarded == dict.fromkeys(guarded, chain)
    unserved = [each["path"] for each in generated["paths"] if not any(each["path"] in rule for rule in passed)]
    assert unserved == []
    known = {each["name"]: each["status"] for each in (await traefik.get("/api/http/middlewares")).json()}
    assert [known.get(name) for name in chain] == ["enabled"] * len(chain)


async def test_traefik_prefers_the_route_that_retries_and_falls_back_to_the_plain_one(
    platform: Platform, traefik: httpx.AsyncClient, operator: Runner
) -> None:
    await platform.create(route={"retries": 2})
    await platform.until_ready()
    retrying, plain = sorted(
        await settled(traefik, platform.namespace, 2), key=lambda each: int(each["priority"]), reverse=True
    )
    name = f"{platform.namespace}-{RETRYING}@kubernetescrd"
    assert retrying["rule"] == plain["rule"]
    assert (retrying.get("middlewares", []), plain.get("middlewares", [])) == ([name], [])
    assert (await traefik.get(f"/api/http/middlewares/{name}")).json()["retry"]["attempts"] == 3
