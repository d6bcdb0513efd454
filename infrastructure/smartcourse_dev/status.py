"""`make status`: one screen, and exit code 0 only when every SmartCourse of the cluster is Ready."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from smartcourse_dev.application import OPERATOR_NAMESPACE, conditions, is_ready
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.settings import Settings

UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1000, "M": 10**6, "G": 10**9}
SYSTEM_NAMESPACES = ("kube-system", "local-path-storage", "traefik", "smartcourse-mail")


def quantity_bytes(text: str) -> int:
    """Return a Kubernetes memory quantity in bytes."""
    match = re.fullmatch(r"(\d+)(\w*)", text)
    if not match or match[2] not in UNITS:
        raise ValueError(f"{text!r} is no memory quantity")
    return int(match[1]) * UNITS[match[2]]


@dataclass(frozen=True)
class Pod:
    namespace: str
    name: str
    ready: str
    phase: str
    restarts: int
    memory_bytes: int


def pods(listed: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> list[Pod]:
    """Join the API's pods with metrics-server's figures; a finished pod is left out."""
    used = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): sum(
            quantity_bytes(container["usage"]["memory"]) for container in item["containers"]
        )
        for item in metrics
    }
    found = []
    for item in listed:
        status, meta = item["status"], item["metadata"]
        if status.get("phase") == "Succeeded":
            continue
        containers = status.get("containerStatuses", [])
        ready = f"{sum(bool(container['ready']) for container in containers)}/{len(item['spec']['containers'])}"
        restarts = sum(int(container["restartCount"]) for container in containers)
        memory = used.get((meta["namespace"], meta["name"]), 0)
        found.append(Pod(meta["namespace"], meta["name"], ready, status.get("phase", ""), restarts, memory))
    return found


def show_resource(resource: dict[str, Any], console: Console) -> None:
    """Print one SmartCourse: a headline, then a line for each condition."""
    status, meta = resource.get("status", {}), resource["metadata"]
    style, word = ("bold green", "Ready") if is_ready(resource) else ("bold red", "not Ready")
    facts = [
        f"phase {status.get('phase', 'unknown')}",
        f"version {status.get('version', 'unknown')}",
        status.get("url", ""),
    ]
    headline = Text(f"{meta['namespace']}/{meta['name']}  ").append(word, style).append("  " + "  ".join(facts))
    console.print(headline, soft_wrap=True)
    table = Table("condition", "status", "reason", "message", box=None, padding=(0, 2, 0, 0))
    for condition in conditions(resource):
        row = (condition["type"], condition["status"], condition.get("reason", ""), condition.get("message", ""))
        table.add_row(*map(escape, row))
    console.print(table, "")


def pods_table(found: list[Pod]) -> Table:
    table = Table("namespace", "pod", "ready", "phase", "restarts", "memory", box=None, padding=(0, 2, 0, 0))
    for pod in found:
        memory = f"{pod.memory_bytes / 2**20:.0f} MiB" if pod.memory_bytes else "-"
        table.add_row(pod.namespace, pod.name, pod.ready, pod.phase, str(pod.restarts), memory)
    return table


def total_memory(found: list[Pod]) -> str:
    """Return what the pods take together; pods of which nothing is measured yet don't make it nothing."""
    total = sum(pod.memory_bytes for pod in found) / 2**20
    return f"{total:.0f} MiB" if total else "not known yet"


def show(settings: Settings, console: Console) -> int:
    kubectl = Kubectl(settings.context)
    if not kubectl.answers():
        console.print(f"Cluster {settings.cluster} does not answer. `make up` starts it.", highlight=False)
        return 1
    resources = (kubectl.find("smartcourses", "--all-namespaces") or {}).get("items", [])
    listed = (kubectl.raw("/api/v1/pods") or {}).get("items", [])
    metrics = (kubectl.raw("/apis/metrics.k8s.io/v1beta1/pods") or {}).get("items", [])
    everything = pods(listed, metrics)
    system = [pod for pod in everything if pod.namespace in SYSTEM_NAMESPACES]
    namespaces = {resource["metadata"]["namespace"] for resource in resources} | {OPERATOR_NAMESPACE}
    ours = [pod for pod in everything if pod.namespace in namespaces]
    for resource in resources:
        show_resource(resource, console)
    console.print(pods_table(ours))
    told = f"Memory: {total_memory(ours)} for SmartCourse, its datastores and the operator together; "
    told += f"{total_memory(system)} for Kubernetes, metrics-server, Traefik and the mailbox."
    console.print("", Text(told), sep="\n", soft_wrap=True)
    ready = bool(resources) and all(is_ready(resource) for resource in resources)
    if not resources:
        console.print("There is no SmartCourse in this cluster. `make up` applies the sample.", highlight=False)
    return 0 if ready else 1
