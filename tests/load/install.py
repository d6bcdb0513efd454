"""From nothing to a serving platform: the operator's apply → Ready beside `helm install --wait` of the same umbrella.

Both install into a fresh namespace of the running cluster (`make up` first), with the same images already on the node,
the same values, and in turn, so that neither has the machine to itself for longer than the other. A round ends
when `/health` answers 200 through the ingress, which is what a person waits for. Writes build/bench/install.json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = f"kind-{os.environ.get('CLUSTER', 'smartcourse')}"
URL = f"http://localhost:{os.environ.get('HTTP_PORT', '8080')}"
ROUNDS = 2
LIMIT_SECONDS = 300
COMPONENTS = {
    "gateway": "deployment", "user": "deployment", "course": "deployment", "notification": "deployment",
    "postgres": "statefulset", "mongodb": "statefulset", "redis": "statefulset",
}  # fmt: skip


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    command = ["kubectl", "--context", CONTEXT, *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=True, timeout=LIMIT_SECONDS
    ).stdout


def images() -> dict[str, str]:
    """The references the running sample uses: they are on the node already."""
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return {
        component: kubectl("-n", "smartcourse", "get", kind, f"academy-{component}", "-o", path)
        for component, kind in COMPONENTS.items()
    }


def wait_served(host: str) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if httpx.get(f"{URL}/health", headers={"Host": host}, timeout=5).status_code == 200:
            return
        time.sleep(0.2)
    raise TimeoutError(f"{URL}/health for {host} did not answer 200 within {LIMIT_SECONDS} s")


def with_operator(namespace: str, host: str) -> None:
    resource: dict[str, Any] = {
        "apiVersion": "smartcourse.io/v1alpha1",
        "kind": "SmartCourse",
        "metadata": {"name": "bench", "namespace": namespace},
        "spec": {"route": {"host": host}, "deletionPolicy": "Delete"},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(resource))
    kubectl("-n", namespace, "wait", "smc/bench", "--for=condition=Ready", f"--timeout={LIMIT_SECONDS}s")


def with_helm(namespace: str, host: str) -> None:
    secrets = [sys.executable, "-m", "smartcourse_operator.secrets", "--name", "bench", "--namespace", namespace]
    made = subprocess.run(secrets, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    kubectl("-n", namespace, "apply", "-f", "-", stdin=made)
    values = json.dumps({"global": {"images": images()}, "route": {"host": host}})
    install = [
        os.environ.get("HELM", "helm"), "install", "bench", "charts/smartcourse", "--kube-context", CONTEXT,
        "-n", namespace, "--wait", "--wait-for-jobs", f"--timeout={LIMIT_SECONDS}s", "--values", "-",
    ]  # fmt: skip
    subprocess.run(install, input=values, text=True, check=True, cwd=ROOT, capture_output=True)


def measure(install: Callable[[str, str], None], namespace: str) -> float:
    host = f"{namespace}.localhost"
    kubectl("create", "namespace", namespace)
    try:
        started = time.monotonic()
        install(namespace, host)
        wait_served(host)
        return time.monotonic() - started
    finally:
        kubectl("-n", namespace, "delete", "smc", "--all", f"--timeout={LIMIT_SECONDS}s")
        kubectl("delete", "namespace", namespace, f"--timeout={LIMIT_SECONDS}s")


def main() -> None:
    seconds: dict[str, list[float]] = {"operator": [], "helm": []}
    for round_number in range(ROUNDS):
        for name, install in (("operator", with_operator), ("helm", with_helm)):
            seconds[name].append(measure(install, f"bench-{name}-{round_number}"))
            print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
    ours, rival = statistics.median(seconds["operator"]), statistics.median(seconds["helm"])
    row = {
        "name": "apply to served", "ours": ours, "rival": rival, "rival_name": "helm install --wait",
        "unit": "s", "ratio": ours / rival, "goal": "<= 1.2",
    }  # fmt: skip
    target = ROOT / "build" / "bench" / "install.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([row], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
