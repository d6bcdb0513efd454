"""The steps of an inner loop as `skaffold.yaml` declares them, taken one by one on a cluster.

What Skaffold and Tilt do with an edited file is one command: `tar` in the container, fed through `kubectl exec`.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.kubernetes import Kubectl, eventually

from ..sources import ROOT, Document, helm_program

FORWARD_SECONDS = 30


def run(*command: str, **environment: str) -> str:
    """Run a program in the checkout and return what it printed; fail with its errors."""
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600, env=environment or None
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Helm:
    """Helm against one cluster's context."""

    context: str

    def run(self, *arguments: str) -> str:
        return run(helm_program(), "--kube-context", self.context, *arguments)

    def values(self, release: str, namespace: str) -> dict[str, Any]:
        text = self.run("get", "values", release, "--namespace", namespace, "--output", "json")
        found: dict[str, Any] = json.loads(text)
        return found

    def revision(self, release: str, namespace: str) -> str:
        (last,) = json.loads(self.run("history", release, "--namespace", namespace, "--max", "1", "--output", "json"))
        return str(last["revision"])


@contextmanager
def forwarded(kubectl: Kubectl, resource: str, port: int) -> Iterator[str]:
    """Forward a free local port; yields the URL that leads to `port` of the resource.

    kubectl ends it with the first connection that is refused, so each look at a process that starts anew takes another.
    """
    command = ["kubectl", "--context", kubectl.context, "-n", kubectl.namespace, "port-forward", resource, f":{port}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        watchdog = threading.Timer(FORWARD_SECONDS, process.kill)
        watchdog.start()
        line = process.stdout.readline() if process.stdout else ""
        watchdog.cancel()
        assert line.startswith("Forwarding from 127.0.0.1:"), f"{resource}: {line}"
        try:
            yield f"http://{line.split()[2]}"
        finally:
            process.terminate()


def get(kubectl: Kubectl, resource: str, port: int, path: str) -> httpx.Response:
    """Return the answer of a port of a resource's pod.

    Raises:
        httpx.HTTPError: nothing answers there now.
    """
    with forwarded(kubectl, resource, port) as url:
        return httpx.get(f"{url}{path}", timeout=10)


def running(kubectl: Kubectl, image: str) -> list[tuple[str, str]]:
    """Return the pod and name of every running container of an image."""
    return [
        (pod["metadata"]["name"], container["name"])
        for pod in kubectl.list("pods")
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        for container in pod["spec"]["containers"]
        if container["image"] == image
    ]


def sync(kubectl: Kubectl, image: str, files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Write files (place in the container: text) into every running container of an image, and return these."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    reached = running(kubectl, image)
    assert reached, f"no container runs {image}"
    for pod, container in reached:
        subprocess.run(
            ["kubectl", "--context", kubectl.context, "-n", kubectl.namespace, "exec", "-i", pod, "-c", container, "--",
             "tar", "xmf", "-", "-C", "/", "--no-same-owner"], input=archive.getvalue(), check=True, timeout=60,
        )  # fmt: skip
    return reached


def restarts(kubectl: Kubectl) -> dict[str, int]:
    """Return how often Kubernetes has restarted each container, by pod and container."""
    return {
        f"{pod['metadata']['name']} {status['name']}": status["restartCount"]
        for pod in kubectl.list("pods")
        if "deletionTimestamp" not in pod["metadata"]
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
