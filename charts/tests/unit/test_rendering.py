"""The umbrella as a whole: it renders everywhere, alike, and from nothing but its values."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Document = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[Document]]

DATASTORES = {"postgres", "mongodb", "redis"}
OUTSIDE_THE_CHARTS = ("infrastructure/postgres", "infrastructure/redis")


def names(objects: list[Document], kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in objects if each["kind"] == kind}


def test_helm_finds_nothing_to_complain_about(helm: Helm, charts: Path, case: str) -> None:
    done = helm(
        "lint", "--strict", str(charts / "smartcourse"), "-f", str(charts / f"smartcourse/ci/{case}-values.yaml")
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rendering_twice_gives_the_same(helm: Helm, charts: Path, case: str) -> None:
    values = str(charts / f"smartcourse/ci/{case}-values.yaml")
    first, second = (helm("template", "academy", str(charts / "smartcourse"), "-f", values).stdout for _ in range(2))
    assert first == second != ""


def test_no_template_asks_the_cluster_the_clock_or_chance(charts: Path) -> None:
    impure = re.compile(
        r"\b(lookup|rand\w*|now|date|genCA\w*|genSigned\w*|genSelf\w*|genPrivateKey|uuidv4|getHostByName|shuffle|htpasswd|bcrypt)\b(?=[^}]*}})"
    )
    for path in charts.glob("*/templates/*"):
        for action in re.findall(r"{{.*?}}", path.read_text(encoding="utf-8"), flags=re.DOTALL):
            code = re.sub(r'"[^"]*"|/\*.*?\*/', "", action, flags=re.DOTALL)
            assert not impure.search(code), f"{path}: {action}"


def test_there_are_no_hooks_and_no_secrets(objects: list[Document]) -> None:
    assert not [each for each in objects if "helm.sh/hook" in (each["metadata"].get("annotations") or {})]
    assert not names(objects, "Secret")


def test_each_object_is_there_once_and_belongs_to_the_release(objects: list[Document]) -> None:
    keys = Counter((each["kind"], each["metadata"]["name"]) for each in objects)
    assert [key for key, count in keys.items() if count > 1] == []
    assert {each["metadata"]["namespace"] for each in objects} == {"smartcourse"}
    assert all(name.startswith("academy-") for _, name in keys)


def test_an_external_datastore_leaves_no_server_but_postgresql_is_still_provisioned(render: Render) -> None:
    objects = render("external")
    assert not names(objects, "StatefulSet")
    assert not {f"academy-{store}" for store in DATASTORES} & names(objects, "Service")
    assert any(name.startswith("academy-postgres-provision-") for name in names(objects, "Job"))
    assert any(name.startswith("academy-course-provision-") for name in names(objects, "Job"))


@pytest.mark.parametrize("store", sorted(DATASTORES))
def test_each_datastore_can_be_external_alone(render: Render, store: str) -> None:
    objects = render("minimal", f"global.databases.{store}.mode=external")
    assert names(objects, "StatefulSet") == {f"academy-{other}" for other in DATASTORES - {store}}


def test_every_component_has_a_disruption_budget_a_network_policy_and_an_account(render: Render) -> None:
    objects = render("minimal")
    components = {f"academy-{name}" for name in ("gateway", "user", "course", "notification", *DATASTORES)}
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "ServiceAccount", "Service"):
        assert components <= names(objects, kind), kind
    budgets = [each["spec"]["maxUnavailable"] for each in objects if each["kind"] == "PodDisruptionBudget"]
    assert set(budgets) == {1}


def test_each_program_of_ours_has_a_monitor_when_it_is_asked_for_and_its_service_the_port(render: Render) -> None:
    assert not names(render("minimal"), "ServiceMonitor")
    objects = render("kafka")
    ours = {f"academy-{name}" for name in ("gateway", "user", "course", "notification")}
    assert names(objects, "ServiceMonitor") == ours
    services = [each for each in objects if each["kind"] == "Service"]
    for monitor in (each for each in objects if each["kind"] == "ServiceMonitor"):
        selected = monitor["spec"]["selector"]["matchLabels"].items()
        [service] = [each for each in services if selected <= each["metadata"]["labels"].items()]
        assert service["metadata"]["name"] == monitor["metadata"]["name"]
        [endpoint] = monitor["spec"]["endpoints"]
        assert {port["name"]: port["port"] for port in service["spec"]["ports"]}[endpoint["port"]] == 9090
        assert endpoint["honorLabels"] is True
        assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_autoscaling_takes_the_place_of_a_number_of_replicas(render: Render) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in render("production")}
    assert "replicas" not in objects["Deployment", "academy-course"]["spec"]
    assert objects["HorizontalPodAutoscaler", "academy-course"]["spec"]["maxReplicas"] == 6
    assert objects["Deployment", "academy-gateway"]["spec"]["replicas"] == 3
    assert ("HorizontalPodAutoscaler", "academy-gateway") not in objects


def test_a_deployment_is_replaced_without_a_gap(objects: list[Document]) -> None:
    for each in objects:
        if each["kind"] == "Deployment":
            assert each["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
            pod = each["spec"]["template"]["spec"]
            delays = [container["lifecycle"]["preStop"]["sleep"]["seconds"] for container in pod["containers"]]
            assert 0 < max(delays) < pod["terminationGracePeriodSeconds"]


def test_volumes_outlive_their_stateful_set_and_name_no_version(render: Render) -> None:
    sets = [each for each in render("production") if each["kind"] == "StatefulSet"]
    for each in sets:
        assert each["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        [claim] = each["spec"]["volumeClaimTemplates"]
        assert claim["metadata"]["name"] == "data"
        assert "app.kubernetes.io/instance" in claim["metadata"]["labels"]
        assert "app.kubernetes.io/version" not in claim["metadata"]["labels"]
    [postgres] = [each for each in sets if each["metadata"]["name"] == "academy-postgres"]
    spec = postgres["spec"]["volumeClaimTemplates"][0]["spec"]
    assert (spec["storageClassName"], spec["resources"]["requests"]["storage"]) == ("fast", "20Gi")


@pytest.mark.parametrize("component", ["user", "course", "notification", "gateway"])
def test_disruption_spread_and_annotations_of_the_pods_are_ones_own_to_choose(render: Render, component: str) -> None:
    chosen = {
        "podDisruptionBudget.maxUnavailable": "25%",
        "spread.topologyKey": "topology.kubernetes.io/zone",
        "spread.whenUnsatisfiable": "DoNotSchedule",
        "podAnnotations.team": "learning",
    }
    objects = render("minimal", *(f"{component}.{key}={value}" for key, value in chosen.items()))
    made = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    others = {name for kind, name in made if kind == "PodDisruptionBudget"} - {f"academy-{component}"}
    assert made["PodDisruptionBudget", f"academy-{component}"]["spec"]["maxUnavailable"] == "25%"
    assert {made["PodDisruptionBudget", name]["spec"]["maxUnavailable"] for name in others} == {1}
    template = made["Deployment", f"academy-{component}"]["spec"]["template"]
    [spread] = template["spec"]["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "DoNotSchedule")
    assert spread["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == component
    assert spread["matchLabelKeys"] == ["pod-template-hash"]
    assert template["metadata"]["annotations"]["team"] == "learning"


def test_the_route_is_an_ingress_or_an_httproute_for_the_host_that_is_set(render: Render) -> None:
    [minimal] = [each for each in render("minimal") if each["kind"] == "Ingress"]
    assert minimal["spec"]["ingressClassName"] == "traefik"
    assert "host" not in minimal["spec"]["rules"][0]
    [secured] = [each for each in render("production") if each["kind"] == "Ingress"]
    assert secured["spec"]["rules"][0]["host"] == "academy.example"
    assert secured["spec"]["tls"] == [{"secretName": "academy-tls", "hosts": ["academy.example"]}]
    [route] = [each for each in render("httproute") if each["metadata"]["labels"]["smartcourse.io/phase"] == "route"]
    assert route["kind"] == "HTTPRoute"
    assert route["spec"]["parentRefs"] == [{"name": "traefik", "namespace": "traefik", "sectionName": "web"}]
    assert route["spec"]["hostnames"] == ["academy.example"]


@pytest.mark.parametrize(
    ("kind", "annotation"),
    [("Issuer", "cert-manager.io/issuer"), ("ClusterIssuer", "cert-manager.io/cluster-issuer")],
)
@pytest.mark.parametrize("values", ["production", "forward-auth"])
def test_one_ingress_asks_cert_manager_for_the_certificate(
    render: Render, values: str, kind: str, annotation: str
) -> None:
    asked = [f"route.tls.issuer.kind={kind}", "route.tls.issuer.name=letsencrypt"]
    made = {each["metadata"]["name"]: each for each in render(values, *asked) if each["kind"] == "Ingress"}
    asking = [name for name, each in made.items() if annotation in each["metadata"].get("annotations", {})]
    assert asking == ["academy-gateway"]
    assert made["academy-gateway"]["metadata"]["annotations"][annotation] == "letsencrypt"


def test_traefik_carries_what_services_answer_and_the_gateway_the_rest(render: Render) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in render("forward-auth")}
    services, rest = objects["Ingress", "academy-gateway-services"], objects["Ingress", "academy-gateway"]
    [rule] = services["spec"]["rules"]
    backends = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert backends["/api/auth"] == "academy-user"
    assert backends["/api/courses"] == "academy-course"
    assert backends["/api/notifications"] == "academy-notification"
    assert all(path.startswith("/api/") for path in backends)
    [everything] = rest["spec"]["rules"][0]["http"]["paths"]
    assert (everything["path"], everything["backend"]["service"]["name"]) == ("/", "academy-gateway")
    for part in ("ingressClassName", "tls"):
        assert services["spec"][part] == rest["spec"][part]
    assert rule["host"] == rest["spec"]["rules"][0]["host"] == "academy.example"


def test_every_guarded_request_passes_both_middlewares_after_those_that_the_values_name(render: Render) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in render("forward-auth")}
    annotations = objects["Ingress", "academy-gateway-services"]["metadata"]["annotations"]
    assert annotations == {
        "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
        "traefik.ingress.kubernetes.io/router.middlewares": "edge-compress@kubernetescrd,"
        "smartcourse-academy-gateway-clean@kubernetescrd,smartcourse-academy-gateway-decide@kubernetescrd",
    }
    asked = objects["Middleware", "academy-gateway-decide"]["spec"]["forwardAuth"]
    assert asked["address"] == "http://academy-gateway.smartcourse.svc:8010/forward"
    assert {"Authorization", "Cookie", "X-User-ID", "X-Gateway-Signature"} <= set(asked["authResponseHeaders"])
    cleaned = objects["Middleware", "academy-gateway-clean"]["spec"]["headers"]["customRequestHeaders"]
    assert cleaned["X-Forwarded-Uri"] == cleaned["X-Forwarded-Method"] == ""


def test_the_gateway_answers_other_data_planes_only_where_one_asks(render: Render) -> None:
    def answering(case: str) -> tuple[set[str], set[int], set[int]]:
        objects = {(each["kind"], each["metadata"]["name"]): each for each in render(case)}
        containers = objects["Deployment", "academy-gateway"]["spec"]["template"]["spec"]["containers"]
        told = {c["name"] for c in containers for e in c["env"] if e["name"] == "GATEWAY_FORWARD_AUTH_LISTEN"}
        own = {port["containerPort"] for c in containers for port in c["ports"]}
        return told, own, {port["port"] for port in objects["Service", "academy-gateway"]["spec"]["ports"]}

    assert answering("forward-auth") == ({"nginx", "decide"}, {8000, 8010, 9090}, {8000, 8010, 9090})
    assert answering("minimal") == (set(), {8000, 9090}, {8000, 9090})
    assert not names(render("minimal"), "Middleware")


def test_a_data_plane_that_asks_needs_an_ingress(helm: Helm, charts: Path) -> None:
    values = str(charts / "smartcourse/ci/httproute-values.yaml")
    done = helm("template", "a", str(charts / "smartcourse"), "-f", values, "--set", "global.forwardAuth.enabled=true")
    assert done.returncode != 0
    assert "needs route.kind Ingress" in done.stderr


def test_traefik_tries_other_pods_as_often_as_asked_and_serves_plainly_without_its_middleware(render: Render) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in render("retries")}
    assert objects["Middleware", "academy-gateway-retry"]["spec"] == {"retry": {"attempts": 3}}
    retried, plain = objects["Ingress", "academy-gateway-retry"], objects["Ingress", "academy-gateway"]
    assert retried["spec"] == plain["spec"]
    assert retried["metadata"]["annotations"] == {
        "traefik.ingress.kubernetes.io/router.middlewares": "smartcourse-academy-gateway-retry@kubernetescrd"
    }
    assert plain["metadata"]["annotations"] == {
        "cert-manager.io/issuer": "public",
        "traefik.ingress.kubernetes.io/router.priority": "1",
    }


def test_what_traefik_repeats_at_a_service_has_been_decided_once(render: Render) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in render("forward-auth", "route.retries=1")}
    key = "traefik.ingress.kubernetes.io/router.middlewares"
    chain = objects["Ingress", "academy-gateway-services"]["metadata"]["annotations"][key].split(",")
    assert chain[-2:] == [f"smartcourse-academy-gateway-{name}@kubernetescrd" for name in ("decide", "retry")]


def test_retries_need_an_ingress(helm: Helm, charts: Path) -> None:
    values = str(charts / "smartcourse/ci/httproute-values.yaml")
    done = helm("template", "a", str(charts / "smartcourse"), "-f", values, "--set", "route.retries=2")
    assert done.returncode != 0
    assert "route.retries needs route.kind Ingress" in done.stderr


def test_charts_copied_elsewhere_with_their_links_render_the_same(helm: Helm, charts: Path, tmp_path: Path) -> None:
    """As the operator's image has them: the charts, and beside them what their links lead to."""
    shutil.copytree(charts, tmp_path / "charts", symlinks=True)
    for name in OUTSIDE_THE_CHARTS:
        shutil.copytree(charts.parent / name, tmp_path / name)
    values = str(charts / "smartcourse/ci/production-values.yaml")
    here, there = (
        helm("template", "academy", str(root / "smartcourse"), "-f", values) for root in (charts, tmp_path / "charts")
    )
    assert there.returncode == 0, there.stderr
    assert here.stdout == there.stdout


def test_links_are_relative_and_lead_to_files_of_the_project(charts: Path) -> None:
    links = [path for path in charts.rglob("*") if path.is_symlink()]
    assert links
    for link in links:
        assert not link.readlink().is_absolute(), link
        assert link.resolve().is_relative_to(charts.parent), link
        assert link.exists(), link
        in_the_operators_image = (charts, *[charts.parent / name for name in OUTSIDE_THE_CHARTS])
        if "smartcourse-operator" not in link.parts:
            assert any(link.resolve().is_relative_to(place) for place in in_the_operators_image), link


def test_the_umbrella_can_be_packaged_without_fetching_anything(helm: Helm, charts: Path, tmp_path: Path) -> None:
    done = helm("package", str(charts / "smartcourse"), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.glob("smartcourse-*.tgz")
    rendered = helm("template", "academy", str(archive), "-f", str(charts / "smartcourse/ci/minimal-values.yaml"))
    assert rendered.returncode == 0, rendered.stderr
    assert "CREATE ROLE" in rendered.stdout
