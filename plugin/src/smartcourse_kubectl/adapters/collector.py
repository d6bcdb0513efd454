"""What goes into a support bundle. What cannot be had is noted, and the rest goes in all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from smartcourse_kubectl.adapters.cluster import ApiError, Cluster, path_of
from smartcourse_kubectl.core.bundle import Bundle
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import (
    BACKUP,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    LEASE,
    MANAGED,
    POD,
    RESTORE,
    SECRET,
    SMART_COURSE,
    VOLUME_CLAIM,
    Document,
    Kind,
)

T = TypeVar("T")
PARALLEL = 8
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets")
NODE = Kind("v1", "Node", "nodes")
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses")
DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions")
POD_METRICS = Kind("metrics.k8s.io/v1beta1", "PodMetrics", "pods")
METRICS_PORT = 9090


@dataclass(frozen=True)
class Bounds:
    """How much of each container's log is taken."""

    lines: int
    bytes: int
    since_seconds: int

    def query(self, container: str, *, previous: bool) -> dict[str, str]:
        return {
            "container": container,
            "tailLines": str(self.lines),
            "limitBytes": str(self.bytes),
            "sinceSeconds": str(self.since_seconds),
            "previous": str(previous).lower(),
            "timestamps": "true",
        }


@dataclass
class Collector:
    """Reads what belongs to one SmartCourse, and its operator, into a bundle."""

    cluster: Cluster
    bundle: Bundle
    bounds: Bounds
    tell: Callable[[str], None]

    def collect(self, resource: Document) -> None:
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        selector = names.instance_selector(name)
        self.bundle.documents("smartcourse.yaml", [resource])
        self.tell("objects")
        for kind in (*MANAGED, REPLICA_SET, VOLUME_CLAIM, POD, SECRET):
            self._objects(kind, namespace, selector, f"objects/{kind.plural}.yaml")
        for kind in (BACKUP, RESTORE):
            self._objects(kind, namespace, "", f"objects/{kind.plural}.yaml")
        self._events(namespace, "events.yaml")
        self.tell("logs")
        pods = self.attempt(f"the pods of {name}", lambda: self.cluster.select(POD, namespace, selector)) or []
        self._logs(pods, "logs")
        self.tell("metrics")
        self._metrics(pods, "metrics")
        self._usage(namespace)
        self.tell("operator")
        self._operator()
        self.tell("cluster")
        self._versions()

    def attempt(self, what: str, ask: Callable[[], T]) -> T | None:
        """Return what `ask` returns, None where the API refuses it: that is noted."""
        try:
            return ask()
        except ApiError as error:
            self.bundle.problems.append(f"{what}: {error}")
            return None

    def _objects(self, kind: Kind, namespace: str, selector: str, path: str) -> None:
        found = self.attempt(path, lambda: self.cluster.select(kind, namespace, selector))
        if found:
            self.bundle.documents(path, found)

    def _events(self, namespace: str, path: str) -> None:
        found = self.attempt(path, lambda: self.cluster.select(EVENT, namespace)) or []
        self.bundle.documents(
            path, sorted(found, key=lambda one: one.get("lastTimestamp") or one.get("eventTime") or "")
        )

    def _logs(self, pods: Iterable[Document], folder: str) -> None:
        wanted = [
            (pod["metadata"], container, previous)
            for pod in pods
            for container, previous in logged(pod)
        ]  # fmt: skip
        with ThreadPoolExecutor(PARALLEL) as pool:
            texts = pool.map(lambda one: self._log(*one), wanted)
            for (metadata, container, previous), text in zip(wanted, texts, strict=True):
                if text:
                    suffix = ".previous.log" if previous else ".log"
                    self.bundle.text(f"{folder}/{metadata['name']}/{container}{suffix}", text)

    def _log(self, metadata: Document, container: str, previous: bool) -> str | None:
        path = path_of(POD, metadata["namespace"], metadata["name"], "log")
        query = self.bounds.query(container, previous=previous)
        return self.attempt(f"log of {metadata['name']}/{container}", lambda: self.cluster.text(path, query))

    def _metrics(self, pods: Iterable[Document], folder: str) -> None:
        """Read what the pods serve for Prometheus, through the API server; it may not reach them, that is noted."""
        for pod in pods:
            metadata = pod["metadata"]
            if (metadata.get("annotations") or {}).get("prometheus.io/scrape") != "true":
                continue
            name = f"{metadata['name']}:{(metadata['annotations']).get('prometheus.io/port', METRICS_PORT)}"
            path = f"{path_of(POD, metadata['namespace'])}/{name}/proxy/metrics"
            if text := self.attempt(f"metrics of {name}", lambda path=path: self.cluster.text(path)):  # type: ignore[misc]
                self.bundle.text(f"{folder}/{metadata['name']}.txt", text)

    def _usage(self, namespace: str) -> None:
        if found := self.attempt("CPU and memory of pods", lambda: self.cluster.select(POD_METRICS, namespace)):
            self.bundle.documents("usage.yaml", found)

    def _operator(self) -> None:
        namespace, selector = names.OPERATOR_NAMESPACE, f"{names.LABEL_NAME}={names.OPERATOR}"
        for kind in (DEPLOYMENT, POD, CONFIG_MAP):
            self._objects(kind, namespace, selector, f"operator/{kind.plural}.yaml")
        lease = self.attempt("the operator's Lease", lambda: self.cluster.find(LEASE, namespace, names.OPERATOR))
        if lease:
            self.bundle.documents("operator/lease.yaml", [lease])
        self._events(namespace, "operator/events.yaml")
        pods = self.attempt("the operator's pods", lambda: self.cluster.select(POD, namespace, selector)) or []
        self._logs(pods, "operator/logs")
        self._metrics(pods, "operator/metrics")

    def _versions(self) -> None:
        if version := self.attempt("the cluster's version", lambda: json.loads(self.cluster.text("/version"))):
            self.bundle.documents("cluster/version.yaml", [version])
        for kind in (NODE, STORAGE_CLASS):
            self._objects(kind, "", "", f"cluster/{kind.plural}.yaml")
        definition = f"{SMART_COURSE.plural}.{names.GROUP}"
        if found := self.attempt("the definition", lambda: self.cluster.find(DEFINITION, "", definition)):
            self.bundle.documents("cluster/definition.yaml", [found])


def logged(pod: Document) -> Iterable[tuple[str, bool]]:
    """Yield a pod's containers that have a log, and again with True those that have one of before their restart."""
    status = pod.get("status") or {}
    for group in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(group) or ():
            if "waiting" not in (container.get("state") or {}) or container.get("restartCount"):
                yield container["name"], False
            if container.get("restartCount"):
                yield container["name"], True
