"""What one sees of a deployed platform in its cluster."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.e2e.kubernetes import Kubectl, eventually

from ..sources import ROOT, Document, helm_program


@dataclass(frozen=True)
class Helm:
    """The Helm that `make up` installs with, against one cluster's context."""

    context: str

    def run(self, *arguments: str) -> str:
        command = [helm_program(), "--kube-context", self.context, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
        return done.stdout

    def values(self, release: str, namespace: str) -> dict[str, Any]:
        text = self.run("get", "values", release, "--namespace", namespace, "--output", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def revision(self, release: str, namespace: str) -> str:
        (last,) = json.loads(self.run("history", release, "--namespace", namespace, "--max", "1", "--output", "json"))
        return str(last["revision"])


def pods(kubectl: Kubectl) -> list[Document]:
    """Return the pods that run and are to stay."""
    return [
        pod
        for pod in kubectl.list("pods")
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    ]


def running(kubectl: Kubectl) -> dict[str, int]:
    """Return every running container, by pod and name, with how often Kubernetes has restarted it."""
    return {
        f"{pod['metadata']['name']} {status['name']}": status["restartCount"]
        for pod in pods(kubectl)
        for status in pod["status"].get("containerStatuses", [])
    }


def wait_until_rolled_out(kubectl: Kubectl) -> None:
    """Wait until every Deployment of the namespace runs its newest pods, and they are ready."""
    for deployment in kubectl.list("deployments"):
        name = deployment["metadata"]["name"]
        kubectl.run("rollout", "status", f"deployment/{name}", "--timeout=420s", timeout_seconds=440)


def wait_until_jobs_are_done(kubectl: Kubectl) -> list[Document]:
    def done() -> list[Document] | None:
        jobs = kubectl.list("jobs")
        return jobs if jobs and all(job["status"].get("succeeded") for job in jobs) else None

    return eventually(done, timeout_seconds=300, what="every Job to be done")


def wait_until_gone(kubectl: Kubectl) -> None:
    """Wait until nothing runs in the namespace and no workload is left."""
    kinds = "pods,deployments,statefulsets,jobs,services,configmaps"

    def left() -> list[str]:
        found = [f"{each['kind']} {each['metadata']['name']}" for each in kubectl.list(kinds)]
        return [each for each in found if each != "ConfigMap kube-root-ca.crt"]

    eventually(lambda: not left(), timeout_seconds=120, what=lambda: f"{left()} to go")
