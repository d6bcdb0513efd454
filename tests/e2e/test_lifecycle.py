"""What the operator promises a platform engineer, on a real cluster."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import NAME, NAMESPACE
from .kubernetes import NOWHERE, OPERATOR_NAMESPACE, Kubectl, KubectlError, eventually
from .people import Person, Platform

INSTANCE = f"app.kubernetes.io/instance={NAME}"
RESTORE_SECONDS = 15
ROOT = Path(__file__).resolve().parents[2]


def smart_course(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "smartcourse.io/v1alpha1",
        "kind": "SmartCourse",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


@pytest.fixture
def operator(kubectl: Kubectl) -> Kubectl:
    return kubectl.in_namespace(OPERATOR_NAMESPACE)


@pytest.fixture
def other_namespace(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """A namespace of the case's own, removed afterwards with everything in it."""
    name = f"case-{abs(hash(request.node.name)) % 10**6}"
    kubectl.run("create", "namespace", name)
    yield kubectl.in_namespace(name)
    kubectl.in_namespace(name).run("delete", "smartcourse", "--all", "--timeout=120s", timeout_seconds=150)
    kubectl.run("delete", "namespace", name, "--timeout=120s", timeout_seconds=150)


@pytest.mark.core
def test_the_sample_shows_itself_ready_with_version_and_url(platform: Platform, kubectl: Kubectl) -> None:
    table = kubectl.run("get", "smc", "-A")
    header, row = table.splitlines()[:2]
    assert {"READY", "VERSION", "URL", "AGE"} <= set(header.split())
    for shown in ("True", "http://", "1.0.0"):
        assert shown in row


@pytest.mark.core
@pytest.mark.parametrize(
    "kind", ["deployment", "statefulset", "service", "configmap", "serviceaccount", "networkpolicy", "ingress", "pdb"]
)
def test_a_deleted_child_comes_back(platform: Platform, kubectl: Kubectl, kind: str) -> None:
    child = next(c for c in kubectl.list(kind, INSTANCE))
    name, uid = child["metadata"]["name"], child["metadata"]["uid"]
    kubectl.run("delete", kind, name, "--wait=false")

    def restored() -> bool:
        found = kubectl.find(kind, name)
        return found is not None and found["metadata"]["uid"] != uid

    eventually(restored, timeout_seconds=RESTORE_SECONDS, what=f"{kind} {name} to come back")
    kubectl.wait_ready(NAME)


@pytest.mark.core
@pytest.mark.parametrize(
    ("kind", "name", "patch", "path"),
    [
        ("deployment", f"{NAME}-course", {"spec": {"replicas": 3}}, ("spec", "replicas")),
        ("service", f"{NAME}-user", {"spec": {"selector": {"stray": "label"}}}, ("spec", "selector")),
        (
            "deployment",
            f"{NAME}-user",
            {"metadata": {"labels": {"app.kubernetes.io/part-of": "mine"}}},
            ("metadata", "labels"),
        ),
    ],
)
def test_an_edited_child_is_reverted(
    platform: Platform, kubectl: Kubectl, kind: str, name: str, patch: dict[str, Any], path: tuple[str, str]
) -> None:
    def value() -> Any:
        return kubectl.get(kind, name)[path[0]][path[1]]

    before = value()
    kubectl.merge(kind, name, patch)
    eventually(lambda: value() == before, timeout_seconds=RESTORE_SECONDS, what=f"{kind} {name} to be reverted")
    kubectl.wait_ready(NAME)


@pytest.mark.core
def test_the_steady_state_writes_nothing(platform: Platform, kubectl: Kubectl) -> None:
    """Counted in the API server's audit log over more than two periods of the operator's timer."""
    kubectl.wait_ready(NAME)
    time.sleep(20)  # the last condition's own events
    before = len(operator_writes(kubectl))
    time.sleep(75)
    assert operator_writes(kubectl)[before:] == []


def operator_writes(kubectl: Kubectl) -> list[str]:
    node = kubectl.context.removeprefix("kind-") + "-control-plane"
    log = subprocess.run(
        ["docker", "exec", node, "cat", "/var/log/kubernetes/audit.log"], capture_output=True, text=True, check=True
    ).stdout
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [
        f"{entry['verb']} {entry['requestURI']}"
        for entry in entries
        if entry["user"]["username"].startswith(f"system:serviceaccount:{OPERATOR_NAMESPACE}:")
        and entry["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
        and entry.get("stage") == "ResponseComplete"
        and "/leases/" not in entry["requestURI"]
    ]


@pytest.mark.core
def test_all_pods_deleted_at_once_recover_with_nothing_lost(platform: Platform, kubectl: Kubectl) -> None:
    student = platform.new_student()
    courses = platform.client.get("/api/courses").json()["total"]
    kubectl.run("delete", "pod", "--all", "--timeout=120s", timeout_seconds=150)
    eventually(lambda: platform.client.get("/health").status_code == 200, timeout_seconds=180, what="health to be 200")
    assert platform.log_in(student.email, student.password).id == student.id
    assert platform.client.get("/api/courses").json()["total"] == courses
    kubectl.wait_ready(NAME)


@pytest.mark.core
def test_deleting_keeps_the_data_and_applying_again_brings_the_same_rows(platform: Platform, kubectl: Kubectl) -> None:
    student = platform.new_student()
    course_ids = sorted(course["id"] for course in platform.client.get("/api/courses").json()["items"])
    manifest = kubectl.get("smartcourse", NAME)
    volumes = {claim["metadata"]["uid"] for claim in kubectl.list("pvc", INSTANCE)}
    assert volumes

    kubectl.run("delete", "smartcourse", NAME, "--timeout=120s", timeout_seconds=150)
    eventually(lambda: not kubectl.list("pods", INSTANCE), timeout_seconds=120, what="compute to be gone")
    assert not kubectl.list("deployment,statefulset,job,service,ingress", INSTANCE)
    assert {claim["metadata"]["uid"] for claim in kubectl.list("pvc", INSTANCE)} == volumes

    kubectl.apply(smart_course(NAME, NAMESPACE, **manifest["spec"]))
    kubectl.wait_ready(NAME)
    eventually(lambda: platform.client.get("/health").status_code == 200, timeout_seconds=60, what="health to be 200")
    assert platform.log_in(student.email, student.password).id == student.id
    assert sorted(course["id"] for course in platform.client.get("/api/courses").json()["items"]) == course_ids


@pytest.mark.core
@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"databases": {"postgres": {"mode": "sideways"}}}, "spec.databases.postgres.mode"),
        ({"databases": {"postgres": {"mode": "external"}}}, "secretName"),
        ({"services": {"user": {"replicas": -1}}}, "spec.services.user.replicas"),
        ({"services": {"user": {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}}}, "minReplicas"),
        ({"route": {"host": "not a host"}}, "spec.route.host"),
        ({"auth": {"accessTokenMinutes": 0}}, "spec.auth.accessTokenMinutes"),
        ({"nonsense": 1}, "spec.nonsense"),
    ],
)
def test_an_invalid_resource_is_refused_with_the_fields_name(
    kubectl: Kubectl, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(KubectlError) as refused:
        kubectl.apply(smart_course("invalid", NAMESPACE, **spec))
    assert field in str(refused.value)


@pytest.mark.core
def test_a_name_that_is_too_long_is_refused(kubectl: Kubectl) -> None:
    with pytest.raises(KubectlError, match="40"):
        kubectl.apply(smart_course("n" * 41, NAMESPACE))


@pytest.mark.core
def test_a_second_smartcourse_comes_up_beside_the_first_and_uses_an_external_postgresql(
    platform: Platform, other_namespace: Kubectl, base_url: str
) -> None:
    """One more platform costs minutes, so one case carries both: its own host name and its own outside database."""
    admin_url = start_external_postgres(other_namespace)
    other_namespace.run("create", "secret", "generic", "outside", f"--from-literal=admin-url={admin_url}")
    spec = {
        "route": {"host": "second.localhost"},
        "seed": {"demo": True, "courses": 20, "learners": 30},
        "databases": {"postgres": {"mode": "external", "secretName": "outside"}},
    }
    other_namespace.apply(smart_course("second", other_namespace.namespace, **spec))
    other_namespace.wait_ready("second")
    assert not other_namespace.find("statefulset", "second-postgres")
    with httpx.Client(base_url=base_url, headers={"Host": "second.localhost"}, timeout=30) as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="the second's health")
        second = Platform(client, admin=other_namespace.secret("second-admin"))
        student = second.new_student()
        assert client.get("/api/courses").json()["total"] == 3 + 20, "the demo's courses and those for load tests"
    answer = platform.client.post("/api/auth/login", json={"email": student.email, "password": student.password})
    assert answer.status_code == 401, "people of one platform are unknown to the other"


def start_external_postgres(namespace: Kubectl) -> str:
    """Run a PostgreSQL that the operator knows nothing of; returns its administrator's URL."""
    image = json.loads(namespace.in_namespace(NAMESPACE).run("get", "statefulset", f"{NAME}-postgres", "-o", "json"))[
        "spec"
    ]["template"]["spec"]["containers"][0]["image"]
    password = "outside-" + "x" * 24
    labels = {"app": "outside"}
    container = {
        "name": "postgres",
        "image": image,
        "env": [
            {"name": "POSTGRES_PASSWORD", "value": password},
            {"name": "PGDATA", "value": "/var/lib/postgresql/data/db"},
        ],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/postgresql/data"}],
    }
    pod = {"containers": [container], "volumes": [{"name": "data", "emptyDir": {}}], "securityContext": {"fsGroup": 70}}
    namespace.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "outside"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }
    )
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "outside"},
            "spec": {"selector": labels, "ports": [{"port": 5432}]},
        }
    )
    namespace.run("rollout", "status", "deployment/outside", "--timeout=120s", timeout_seconds=150)
    return f"postgresql://postgres:{password}@outside.{namespace.namespace}:5432/postgres"


PHASES = ["secrets", "datastores", "provision", "migrations", "services", "gateway", "route", "seed"]


@pytest.mark.core
def test_an_operator_killed_again_and_again_while_installing_ends_in_the_same_state(
    platform: Platform, other_namespace: Kubectl, operator: Kubectl, base_url: str
) -> None:
    """Each time the resource reports another phase the operator's pod is killed without grace."""
    other_namespace.apply(
        smart_course("killed", other_namespace.namespace, route={"host": "killed.localhost"}, seed={"demo": True})
    )
    seen: set[str] = set()

    def finished() -> bool:
        phase = ((other_namespace.find("smartcourse", "killed") or {}).get("status") or {}).get("phase", "")
        if phase and phase not in seen:
            seen.add(phase)
            operator.run("delete", "pod", "--all", "--grace-period=0", "--force", "--wait=false")
        return other_namespace.condition("killed").get("status") == "True"

    eventually(finished, timeout_seconds=500, every_seconds=0.2, what=lambda: f"Ready; killed at {sorted(seen)}")
    assert len(seen) >= 3, seen
    with httpx.Client(base_url=base_url, headers={"Host": "killed.localhost"}, timeout=30) as client:
        eventually(lambda: client.get("/health").status_code == 200, timeout_seconds=60, what="health to be 200")
        titles = [course["title"] for course in client.get("/api/courses").json()["items"]]
    assert len(titles) == len(set(titles)) == 3, "demo data is there once"


def test_every_container_is_somebody_elses_than_root_and_cannot_write_to_its_image(
    platform: Platform, kubectl: Kubectl, operator: Kubectl
) -> None:
    asked: set[str] = set()
    for namespace, selector in ((kubectl, INSTANCE), (operator, "")):
        for pod in namespace.list("pods", selector):
            if pod["status"]["phase"] != "Running" or "deletionTimestamp" in pod["metadata"]:
                continue
            for container in pod["spec"]["containers"]:
                words = ("sh", "-c", "id -u; touch /of-mine /usr/of-mine 2>&1 || true")
                told = namespace.run("exec", pod["metadata"]["name"], "-c", container["name"], "--", *words)
                user, *refusals = told.splitlines()
                assert int(user) > 0, container["name"]
                assert [line.rpartition(": ")[2] for line in refusals] == ["Read-only file system"] * 2, told
                asked.add(container["name"])
    assert asked >= {"postgres", "mongodb", "redis", "user", "course", "notification", "operator"}


def test_people_keep_working_while_the_operator_is_away(
    platform: Platform, kubectl: Kubectl, operator: Kubectl, student: Person
) -> None:
    operator.run("scale", "deployment", "--all", "--replicas=0")
    try:
        kubectl.run("delete", "pod", f"{NAME}-postgres-0", "--timeout=60s")
        eventually(lambda: platform.client.get("/health").status_code == 200, timeout_seconds=120, what="health")
        assert student.get("/api/auth/me").status_code == 200
    finally:
        operator.run("scale", "deployment", "--all", "--replicas=1")
    kubectl.wait_ready(NAME)


def test_a_namespace_goes_with_all_that_runs_in_it_its_database_dead(kubectl: Kubectl) -> None:
    kubectl.run("create", "namespace", "case-gone")
    gone = kubectl.in_namespace("case-gone")
    gone.apply(smart_course("gone", gone.namespace, route={"host": "gone.localhost"}))
    gone.wait_ready("gone")
    gone.merge("smartcourse", "gone", {"spec": {"images": {"postgres": NOWHERE}}})
    eventually(
        lambda: "ImagePull" in gone.condition("gone", "DatabasesReady").get("reason", ""),
        timeout_seconds=180, what=lambda: f"the database to be dead: {gone.condition('gone', 'DatabasesReady')}",
    )  # fmt: skip
    gone.run("delete", "namespace", gone.namespace, "--timeout=180s", timeout_seconds=200)


def test_a_finalizer_that_is_left_without_an_operator_is_taken_out_as_the_runbook_says(
    other_namespace: Kubectl, operator: Kubectl
) -> None:
    other_namespace.apply(smart_course("left", other_namespace.namespace, hibernated=True))
    asleep = ("--for=condition=Hibernated", "--timeout=120s")
    other_namespace.run("wait", "smartcourse", "left", *asleep, timeout_seconds=150)
    operator.run("scale", "deployment", "--all", "--replicas=0")
    try:
        eventually(lambda: not operator.list("pods"), timeout_seconds=60, what="the operator to be gone")
        other_namespace.run("delete", "smartcourse", "left", "--wait=false")
        held = other_namespace.get("smartcourse", "left")["metadata"]
        assert held["deletionTimestamp"]
        assert held["finalizers"] == ["smartcourse.io/operator"]
        text = (ROOT / "docs/runbooks/terminating.md").read_text(encoding="utf-8")
        [command] = re.findall(r"^\$ kubectl -n <namespace> (patch smc .*)$", text, re.MULTILINE)
        other_namespace.run(*shlex.split(command.replace("<name>", "left")))
        eventually(lambda: not other_namespace.find("smartcourse", "left"), timeout_seconds=60, what="it to go")
        instance = "app.kubernetes.io/instance=left"
        eventually(lambda: not other_namespace.list("service", instance), timeout_seconds=120, what="its objects to go")
        assert other_namespace.list("secret", instance), "what data was made with stays"
    finally:
        operator.run("scale", "deployment", "--all", "--replicas=1")


def test_traefik_carries_requests_and_asks_the_gateway_about_each_until_the_mode_is_changed_back(
    platform: Platform, other_namespace: Kubectl, base_url: str
) -> None:
    """What nginx has carried says so in `Server`; Traefik takes the services' own away."""
    route = {"host": "door.localhost", "mode": "forwardAuth"}
    other_namespace.apply(smart_course("door", other_namespace.namespace, route=route))
    other_namespace.wait_ready("door")
    with httpx.Client(base_url=base_url, headers={"Host": "door.localhost"}, timeout=30) as client:

        def carried_by(server: str | None) -> bool:
            answer = client.get("/api/courses")
            return answer.status_code == 200 and answer.headers.get("server") == server

        eventually(lambda: carried_by(None), timeout_seconds=60, what="Traefik to carry requests")
        assert client.get("/health").json()["status"] == "up"
        assert client.get("/docs").headers["server"] == "nginx"
        secret = other_namespace.secret("door-admin")
        admin = Platform(client, admin=secret).log_in(secret["email"], secret["password"])
        forged = {"X-User-ID": "999", "X-User-Role": "admin", "X_User_ID": "999"}
        assert admin.get("/api/auth/me", headers=forged).json()["id"] == admin.id
        refused = client.get("/api/users", headers=forged)
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        assert admin.post("/api/auth/logout").status_code < 300
        eventually(lambda: admin.get("/api/auth/me").status_code == 401, timeout_seconds=2, what="the session's end")

        other_namespace.merge("smartcourse", "door", {"spec": {"route": {"mode": "gateway"}}})
        other_namespace.wait_ready("door")
        eventually(lambda: carried_by("nginx"), timeout_seconds=60, what="the gateway to carry requests")
    assert not other_namespace.list("middlewares.traefik.io", "app.kubernetes.io/instance=door")
