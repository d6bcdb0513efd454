"""A crowd of hibernated SmartCourses beside large Secrets, and the operator that serves them as a process of its own.

What is looked for is what grows with the crowd: the operator's memory, and its requests for each resource.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from shared.testing.controlplane import ControlPlane, Document
from shared.testing.processes import Process, family, free_port, resident_bytes

NAMESPACE = "crowd"
SECRETS = 600
SECRET_BYTES = 100 * 1024
COURSES = f"/apis/smartcourse.io/v1alpha1/namespaces/{NAMESPACE}/smartcourses"
CONTROLLERS = ("deployment-controller", "replicaset-controller", "statefulset-controller")
READS = frozenset({"get", "list"})
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
LIMIT_SECONDS = 1800
TELL_SECONDS = 10
QUIET_SECONDS = 5
"""Nothing was reconciled for so long: what the last events led to is done."""
MIB = 1024 * 1024


class OperatorProcess:
    """`python -m smartcourse_operator` for all namespaces, with the operator's permissions and its usual settings.

    The clock alone does not make it look at what is settled, so that what it does can be counted.
    """

    def __init__(self, plane: ControlPlane, root: Path) -> None:
        port = free_port()
        self._metrics = f"http://127.0.0.1:{port}/metrics"
        settings = {
            "CHART": root / "charts" / "smartcourse", "RELEASES": root / "manifests" / "releases",
            "BIND_ADDRESS": "127.0.0.1", "HEALTH_PORT": free_port(), "METRICS_PORT": port, "RESYNC_SECONDS": 86_400,
        }  # fmt: skip
        environment = {f"SMARTCOURSE_OPERATOR_{name}": str(value) for name, value in settings.items()}
        environment["KUBECONFIG"] = str(plane.kubeconfig("operator", plane.directory))
        command = [sys.executable, "-m", "smartcourse_operator"]
        log = plane.directory / "operator.log"
        self._process = Process(command, log=log, environment=os.environ | environment)
        self._process.wait_until(self._leads)

    def _leads(self) -> bool:
        with suppress(httpx.TransportError):
            return self.metric("smartcourse_operator_is_leader") == 1
        return False

    def metric(self, sample: str) -> float:
        """Return the sum of a metric's samples of this name, whatever their labels."""
        text = httpx.get(self._metrics, timeout=30).raise_for_status().text
        families = text_string_to_metric_families(text)
        return sum(one.value for family in families for one in family.samples if one.name == sample)

    @property
    def reconciles(self) -> int:
        return int(self.metric("smartcourse_operator_reconciles_total"))

    @property
    def renders(self) -> int:
        """How often it ran Helm."""
        return int(self.metric("smartcourse_operator_render_seconds_count"))

    @property
    def reconcile_seconds(self) -> float:
        """The time that all reconciles took together."""
        return self.metric("smartcourse_operator_reconcile_seconds_sum")

    @property
    def memory_mib(self) -> float:
        """What is resident of it now, in MiB."""
        return resident_bytes(self._process.pid) / MIB

    @property
    def memory_with_programs_mib(self) -> float:
        """What is resident now of it and of the programs that it runs, in MiB."""
        return sum(map(resident_bytes, family(self._process.pid))) / MIB

    def log_tail(self) -> str:
        return self._process.log_tail()

    def stop(self) -> None:
        self._process.stop()


@dataclass(frozen=True)
class Settled:
    """What it took until every SmartCourse was hibernated and the operator had nothing left to do."""

    seconds: float
    requests: int
    """To the API server, those of its Lease and watches aside."""
    memory_mib: float
    """The operator's, at the end."""
    peak_mib: float
    """The most that was seen of the operator and the programs that it ran."""


@dataclass(frozen=True)
class Unchanged:
    """What reconciles cost where there was nothing to do."""

    reconciles: int
    reads: int
    writes: int
    renders: int
    """Runs of Helm."""
    seconds: float
    """The sum of all of them."""
    memory_mib: float


@dataclass
class Crowd:
    """So many SmartCourses that are hibernated from the beginning, in one namespace with the Secrets of others."""

    plane: ControlPlane
    client: httpx.Client
    operator: OperatorProcess
    number: int
    tell: Callable[[str], object]

    def settle(self) -> Settled:
        """Create them all once the operator has begun to watch, and wait."""
        self._until_quiet()
        requests, peak, began = self._requests(READS | WRITES), 0.0, time.monotonic()
        for index in range(self.number):
            create(self.client, COURSES, course(index))

        def settled() -> bool:
            nonlocal peak
            peak = max(peak, self.operator.memory_with_programs_mib)
            return self._hibernated() == self.number

        self._until(settled, "all to be hibernated")
        seconds = time.monotonic() - began
        self._until_quiet()
        requests = self._requests(READS | WRITES) - requests
        return Settled(seconds, requests, self.operator.memory_mib, peak)

    def look_again(self) -> Unchanged:
        """Have each reconciled once more, though nothing has changed that concerns the operator."""
        operator, (reads, writes) = self.operator, (self._requests(READS), self._requests(WRITES))
        reconciles, seconds, renders = operator.reconciles, operator.reconcile_seconds, operator.renders
        patch = {"metadata": {"annotations": {"example.org/looked": secrets.token_hex(4)}}}
        for index in range(self.number):
            path = f"{COURSES}/{course(index)['metadata']['name']}"
            headers = {"Content-Type": "application/merge-patch+json"}
            self.client.patch(path, json=patch, headers=headers).raise_for_status()
        self._until(lambda: operator.reconciles >= reconciles + self.number, "each to be looked at again")
        self._until_quiet()
        return Unchanged(
            reconciles=operator.reconciles - reconciles, seconds=operator.reconcile_seconds - seconds,
            reads=self._requests(READS) - reads, writes=self._requests(WRITES) - writes,
            renders=operator.renders - renders, memory_mib=operator.memory_mib,
        )  # fmt: skip

    def _hibernated(self) -> int:
        found = self.client.get(COURSES).raise_for_status().json()["items"]
        return sum(one.get("status", {}).get("phase") == "hibernated" for one in found)

    def _requests(self, verbs: Set[str]) -> int:
        return len(self.plane.operator_requests(set(verbs)))

    def _until_quiet(self) -> None:
        seen, since = -1, 0.0

        def quiet() -> bool:
            nonlocal seen, since
            if (now := self.operator.reconciles) != seen or self.operator.metric("smartcourse_operator_queue_depth"):
                seen, since = now, time.monotonic()
            return time.monotonic() - since > QUIET_SECONDS

        self._until(quiet, "the operator to have nothing left to do")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        began = told = time.monotonic()
        while not holds():
            now = time.monotonic()
            if now - began > LIMIT_SECONDS:
                said = self.operator.log_tail()
                raise TimeoutError(f"waited {LIMIT_SECONDS} s for {what}; the operator says:\n{said}")
            if now - told > TELL_SECONDS:
                told = now
                self.tell(f"{self._hibernated()} of {self.number} hibernated, {now - began:.0f} s")
            time.sleep(0.25)


def course(index: int) -> Document:
    metadata = {"name": f"course-{index:03}", "namespace": NAMESPACE}
    return {"apiVersion": "smartcourse.io/v1alpha1", "kind": "SmartCourse", "metadata": metadata,
            "spec": {"hibernated": True}}  # fmt: skip


def create(client: httpx.Client, path: str, document: Document) -> None:
    client.post(path, json=document).raise_for_status()


def put_secrets_beside(client: httpx.Client) -> None:
    """Create the Secrets of others, which are none of the operator's business."""
    value = base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    for index in range(SECRETS):
        metadata = {"name": f"of-somebody-else-{index:03}", "namespace": NAMESPACE}
        create(client, f"/api/v1/namespaces/{NAMESPACE}/secrets", {"metadata": metadata, "data": {"value": value}})


@contextmanager
def crowd(
    plane: ControlPlane, root: Path, number: int, *, tell: Callable[[str], object] = lambda _: None
) -> Iterator[Crowd]:
    """Yield a crowd that is to be settled, on a control plane that has the operator's kinds and roles and no crowd yet.

    `root` is where charts/ and manifests/ are.
    """
    plane.start_controllers(*CONTROLLERS)
    with plane.client() as client:
        create(client, "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        put_secrets_beside(client)
        operator = OperatorProcess(plane, root)
        try:
            yield Crowd(plane, client, operator, number, tell)
        finally:
            operator.stop()
