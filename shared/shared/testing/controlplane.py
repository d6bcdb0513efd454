"""A real kube-apiserver on a real etcd, started for the tests: no kubelet, and no controllers but those asked for.

The binaries are named by KUBE_APISERVER, ETCD and KUBE_CONTROLLER_MANAGER. An operator under test authenticates as its
service account with the permissions of its `rbac.py`, nothing more; what it does is read back from the audit log.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.testing.processes import free_port

Document = dict[str, Any]
OPERATOR_USER = "system:serviceaccount:smartcourse-system:smartcourse-operator"
NAMESPACED_USER = "system:serviceaccount:smartcourse-system:smartcourse-operator-of-some-namespaces"
TRAEFIK_USER = "system:serviceaccount:traefik:traefik"
USERS = {"operator": OPERATOR_USER, "namespaced": NAMESPACED_USER, "traefik": TRAEFIK_USER}
"""Their names by what a kubeconfig is asked for; `admin` may do everything."""
START_SECONDS = 90
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [OPERATOR_USER]}, {"level": "None"}],
}


def program(variable: str) -> str:
    path = os.environ.get(variable, "")
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{variable} must be the path of a file, and is {path!r}; `make test` makes it and sets the variable"
        )
    return path


@dataclass
class ControlPlane:
    """The running servers, and requests to them as an administrator."""

    directory: Path
    port: int = field(default_factory=free_port)
    tokens: dict[str, str] = field(default_factory=lambda: {user: secrets.token_hex(16) for user in ("admin", *USERS)})
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.directory / "certificates" / "apiserver.crt"

    def start(self) -> None:
        etcd_port = self._start_etcd()
        self._write_files()
        arguments = [
            program("KUBE_APISERVER"),
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--cert-dir={self.directory / 'certificates'}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.directory / 'accounts.key'}",
            f"--service-account-signing-key-file={self.directory / 'accounts.key'}",
            "--service-cluster-ip-range=10.0.0.0/16",
            # What these wait for or leave behind is done by controllers, which do not run here.
            "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
            f"--audit-policy-file={self.directory / 'audit-policy.json'}",
            f"--audit-log-path={self.directory / 'audit.log'}",
            "--audit-log-mode=blocking",
        ]
        self._spawn("kube-apiserver", arguments)
        self._wait_ready()

    def _start_etcd(self) -> int:
        client, peer = free_port(), free_port()
        arguments = [
            program("ETCD"),
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        ]
        self._spawn("etcd", arguments)
        return client

    def _write_files(self) -> None:
        lines = [f"{self.tokens['admin']},admin,1,system:masters"]
        lines += [f"{self.tokens[user]},{name},{name}" for user, name in USERS.items()]
        (self.directory / "tokens.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.directory / "audit-policy.json").write_text(json.dumps(AUDIT_POLICY), encoding="utf-8")
        key = str(self.directory / "accounts.key")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)  # noqa: S603, S607

    def start_controllers(self, *names: str) -> None:
        """Have these of Kubernetes' own controllers work, such as `deployment-controller`."""
        arguments = [
            program("KUBE_CONTROLLER_MANAGER"),
            f"--kubeconfig={self.kubeconfig('admin', self.directory)}",
            f"--controllers={','.join(names)}",
            "--leader-elect=false",
            "--secure-port=0",
            # Those of a small cluster would have a hundred SmartCourses wait for it.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]
        self._spawn("kube-controller-manager", arguments)

    def install_operator(self, definitions: Iterable[Document], permissions: Iterable[Document]) -> None:
        """Create what an administrator does before the operator can run: its namespace, our kinds, its roles.

        Raises:
            RuntimeError: the API server refuses one of them; the message is its own.
        """
        self.create("/api/v1/namespaces", {"metadata": {"name": "smartcourse-system"}})
        for definition in definitions:
            self.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        for item in permissions:
            scope = f"namespaces/{item['metadata']['namespace']}/" if "namespace" in item["metadata"] else ""
            self.create(f"/apis/rbac.authorization.k8s.io/v1/{scope}{item['kind'].lower()}s", item)

    def _spawn(self, name: str, arguments: list[str]) -> None:
        with (self.directory / f"{name}.log").open("wb") as output:
            self.processes.append(subprocess.Popen(arguments, stdout=output, stderr=output))  # noqa: S603

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self.processes):
                break
            try:
                if (
                    self.request("GET", "/readyz").status_code == 200
                    and self.request("GET", "/api/v1/namespaces/default").status_code == 200
                ):
                    return
            except (httpx.TransportError, OSError):
                pass
            time.sleep(0.2)
        log = (self.directory / "kube-apiserver.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"kube-apiserver did not become ready in {START_SECONDS} s:\n{log[-3000:]}")

    def client(self) -> httpx.Client:
        """Return an administrator's client, for who has many requests; it has to be closed."""
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        return httpx.Client(base_url=self.url, headers=headers, verify=False, timeout=60)  # noqa: S501 - on loopback

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self.client() as client:
            return client.request(method, path, **options)

    def create(self, path: str, document: Document) -> None:
        made = self.request("POST", path, json=document)
        if made.status_code != 201:
            raise RuntimeError(f"POST {path}: {made.status_code} {made.text}")

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()  # nothing here is worth a clean end
            process.wait()

    def kubeconfig(self, user: str, directory: Path, *, port: int = 0) -> Path:
        """Write a kubeconfig with which `user` (admin, or one of USERS) is authenticated.

        `port`: where something listens that carries connections to the API server; 0 is its own.
        """
        path = directory / f"{user}-{port}.kubeconfig"
        server = f"https://127.0.0.1:{port or self.port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": server, "certificate-authority": str(self.certificate)}}
            ],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    def operator_requests(self, verbs: set[str]) -> list[str]:
        """Return what the operator asked of the API server, its Leases aside, in order."""
        lines = (self.directory / "audit.log").read_text(encoding="utf-8").splitlines()
        entries = [json.loads(line) for line in lines if line.endswith("}")]
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in entries
            if entry["verb"] in verbs and entry["stage"] == "ResponseComplete" and "/leases" not in entry["requestURI"]
        ]


@contextmanager
def running() -> Iterator[ControlPlane]:
    """Yield a control plane of its own; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="smartcourse-control-plane-") as directory:
        plane = ControlPlane(Path(directory))
        try:
            plane.start()
            yield plane
        finally:
            plane.stop()
