"""From nothing to a serving platform: the operator's apply → Ready beside `helm install --wait` of the same umbrella.

Both install into a fresh namespace of the running cluster, with the same images already on the node, the same values,
and in turn, so that neither has the machine to itself for longer than the other. A round ends when `/health` answers
200 through the ingress, which is what a person waits for.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.e2e.kubernetes import Kubectl, eventually
from tests.e2e.releases import images
from tests.load.harness import ROOT, row

GOAL = 1.15
LIMIT_SECONDS = 300
Install = Callable[[Kubectl, str], None]


def with_operator(kubectl: Kubectl, host: str) -> None:
    resource = {
        "apiVersion": "smartcourse.io/v1alpha1",
        "kind": "SmartCourse",
        "metadata": {"name": "bench", "namespace": kubectl.namespace},
        "spec": {"route": {"host": host}, "deletionPolicy": "Delete"},
    }
    kubectl.apply(resource)
    limit = f"--timeout={LIMIT_SECONDS}s"
    kubectl.run("wait", "smc/bench", "--for=condition=Ready", limit, timeout_seconds=LIMIT_SECONDS + 30)


def with_helm(kubectl: Kubectl, host: str) -> None:
    namespace = kubectl.namespace
    secrets = [sys.executable, "-m", "smartcourse_operator.secrets", "--name", "bench", "--namespace", namespace]
    kubectl.run("apply", "-f", "-", stdin=subprocess.run(secrets, capture_output=True, text=True, check=True).stdout)
    found = {component: image for component, image in images(kubectl).items() if component != "backup"}
    values = {"global": {"images": found}, "route": {"host": host}}
    install = [
        os.environ["HELM"], "install", "bench", "charts/smartcourse", "--kube-context", kubectl.context,
        "-n", namespace, "--wait", "--wait-for-jobs", f"--timeout={LIMIT_SECONDS}s", "--values", "-",
    ]  # fmt: skip
    done = subprocess.run(install, input=json.dumps(values), text=True, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise AssertionError(f"helm install failed:\n{done.stderr}")


def measure(kubectl: Kubectl, url: str, install: Install) -> float:
    """Return the seconds until it is served; afterwards nothing of it is left."""
    host = f"{kubectl.namespace}.localhost"
    kubectl.run("create", "namespace", kubectl.namespace)
    try:
        started = time.monotonic()
        install(kubectl, host)
        eventually(
            lambda: httpx.get(f"{url}/health", headers={"Host": host}, timeout=5).status_code == 200,
            timeout_seconds=LIMIT_SECONDS, what=f"{url}/health for {host} to answer 200", every_seconds=0.2,
        )  # fmt: skip
        return time.monotonic() - started
    finally:
        limit = f"--timeout={LIMIT_SECONDS}s"
        kubectl.run("delete", "smc", "--all", limit, timeout_seconds=LIMIT_SECONDS + 30)
        kubectl.run("delete", "namespace", kubectl.namespace, limit, timeout_seconds=LIMIT_SECONDS + 30)


def rows(kubectl: Kubectl, url: str, *, rounds: int) -> list[dict[str, Any]]:
    """Let both install in turns; return the row of the medians."""
    seconds: dict[str, list[float]] = {"operator": [], "helm": []}
    installs: dict[str, Install] = {"operator": with_operator, "helm": with_helm}
    for turn in range(rounds):
        for name in sorted(installs, reverse=bool(turn % 2)):
            seconds[name].append(measure(kubectl.in_namespace(f"bench-{name}-{turn}"), url, installs[name]))
            print(f"install with {name}: {seconds[name][-1]:.1f} s", flush=True)
    ours, rival = statistics.median(seconds["operator"]), statistics.median(seconds["helm"])
    return [
        row("apply to served", ours=ours, rival=rival, rival_name="helm install --wait", unit="s", ratio=ours / rival,
            goal=f"<= {GOAL}")
    ]  # fmt: skip
