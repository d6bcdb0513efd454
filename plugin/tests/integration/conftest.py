"""A real API server with the project's definitions, and a SmartCourse as the operator and kubelets would leave it."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testing.controlplane import TRAEFIK_USER, ControlPlane, running
from smartcourse_kubectl.cli import run
from smartcourse_operator.core import names

ROOT = Path(__file__).resolve().parents[3]
Document = dict[str, Any]
USERS = {"traefik": TRAEFIK_USER}
SINCE = "2026-01-02T03:04:05Z"
SECRETS = {
    "academy-admin": {"email": "admin@smartcourse.example", "password": "the administrator's own"},
    "academy-user-db": {
        "password": "p4ss/w0rd+of=user",
        "url": "postgresql://user_a:p4ss%2Fw0rd%2Bof%3Duser@academy-postgres:5432/smartcourse",
    },
    "academy-auth": {"jwt-secret": "jwt-secret-of-32-bytes-or-rather-more", "identity-key": "identity-identity-id"},
    "bystander": {
        "username": "smartcourse",
        "pin": "a1b2c3d4e5",
        "words": "line one\nand a longer second line\n",
    },
}


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    with running() as plane:
        for file in sorted((ROOT / "manifests" / "crd").glob("*.yaml")):
            definition = yaml.safe_load(file.read_text("utf-8"))
            path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            plane.request("POST", path, json=definition).raise_for_status()
            until_served(plane, definition["spec"]["names"]["plural"])
        yield plane


def until_served(plane: ControlPlane, plural: str) -> None:
    deadline = time.monotonic() + 30
    while plane.request("GET", f"/apis/{names.API_VERSION}/{plural}").status_code != 200:
        assert time.monotonic() < deadline, f"{plural} are not served"
        time.sleep(0.1)


@dataclass
class World:
    """A namespace of the real API server."""

    plane: ControlPlane
    namespace: str

    def create(self, collection: str, document: Document) -> None:
        """Create an object, and its status if it has one; `collection` is its kind's path without a namespace."""
        group, _, plural = collection.rpartition("/")
        path = f"{group}/namespaces/{self.namespace}/{plural}"
        self.plane.request("POST", path, json=document).raise_for_status()
        if status := document.get("status"):
            self._patch_status(f"{path}/{document['metadata']['name']}", status)

    def patch_status(self, name: str, status: Document) -> None:
        self._patch_status(f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/smartcourses/{name}", status)

    def _patch_status(self, path: str, status: Document) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        self.plane.request("PATCH", f"{path}/status", json={"status": status}, headers=headers).raise_for_status()

    def as_operator(self, status: Callable[[Document], Document | None]) -> threading.Thread:
        """Write in the background the first status that `status` returns for the resource as it is then."""

        def run() -> None:
            while (told := status(found := self.get())) is None:
                time.sleep(0.05)
            self.patch_status("academy", {"observedGeneration": found["metadata"]["generation"], **told})

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def let_view(self, user: str) -> None:
        """Let a user of the control plane see everything in the namespace but Secrets."""
        rules = [{"apiGroups": ["", "apps", names.GROUP], "resources": ["smartcourses", "pods", "configmaps", "events"],
                  "verbs": ["get", "list"]}]  # fmt: skip
        self.create("/apis/rbac.authorization.k8s.io/v1/roles", {"metadata": {"name": "view"}, "rules": rules})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "view"}
        subject = {"apiGroup": reference["apiGroup"], "kind": "User", "name": USERS[user]}
        binding = {"metadata": {"name": "view"}, "roleRef": reference, "subjects": [subject]}
        self.create("/apis/rbac.authorization.k8s.io/v1/rolebindings", binding)

    def get(self, name: str = "academy") -> Document:
        answer = self.plane.request("GET", f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/smartcourses/{name}")
        found: Document = answer.raise_for_status().json()
        return found

    def smart_course(self, name: str = "academy", *, ready: bool = True, spec: Document | None = None) -> None:
        told = ("True", "Serving", "The platform serves as its spec asks.") if ready else (
            "False", "ImagePullBackOff", "Deployment academy-user: pod academy-user-1: no such image")  # fmt: skip
        conditions = [
            condition("Ready", *told),
            condition("Degraded", "False" if ready else "True", told[1], told[2]),
            condition("Paused", "False", "NotPaused", "The operator keeps the platform as its spec asks."),
        ]
        status = {"phase": "ready" if ready else "services", "version": "1.0.0", "url": "http://localhost:8080",
                  "observedGeneration": 1, "conditions": conditions}  # fmt: skip
        document = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name},
                    "spec": spec or {}, "status": status}  # fmt: skip
        self.create(f"/apis/{names.API_VERSION}/smartcourses", document)

    def secrets(self) -> None:
        for name, values in SECRETS.items():
            data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
            metadata = {"name": name, "labels": {names.LABEL_INSTANCE: "academy"}}
            self.create("/api/v1/secrets", {"metadata": metadata, "data": data})

    def pod(self, component: str, *, env: dict[str, str] | None = None, waiting: str = "") -> None:
        name = f"academy-{component}-1"
        labels = {names.LABEL_INSTANCE: "academy", names.LABEL_COMPONENT: component, names.LABEL_NAME: component}
        container: Document = {"name": component, "image": f"registry.example/team/{component}-service:1.0.0"}
        container["env"] = [{"name": key, "value": value} for key, value in (env or {}).items()]
        state = {"waiting": {"reason": waiting, "message": "no such image"}} if waiting else {
            "running": {"startedAt": SINCE}}  # fmt: skip
        status = {"phase": "Pending" if waiting else "Running", "containerStatuses": [
            {"name": component, "ready": not waiting, "restartCount": 2, "image": "i", "imageID": "i", "state": state},
        ]}  # fmt: skip
        self.create("/api/v1/pods", {"metadata": {"name": name, "labels": labels},
                                     "spec": {"containers": [container]}, "status": status})  # fmt: skip


def condition(kind: str, status: str, reason: str, message: str) -> Document:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": SINCE,
            "observedGeneration": 1}  # fmt: skip


@pytest.fixture
def world(control_plane: ControlPlane) -> World:
    namespace = f"case-{uuid.uuid4().hex[:8]}"
    control_plane.request("POST", "/api/v1/namespaces", json={"metadata": {"name": namespace}}).raise_for_status()
    return World(control_plane, namespace)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Plugin = Callable[..., Done]


@pytest.fixture
def plugin(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plugin:
    """Run a command in the namespace, as an administrator."""
    monkeypatch.setenv("KUBECONFIG", str(world.plane.kubeconfig("admin", tmp_path)))

    def do(*arguments: str, namespace: str = world.namespace) -> Done:
        capsys.readouterr()
        code = run([arguments[0], "-n", namespace, *arguments[1:]])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return do
