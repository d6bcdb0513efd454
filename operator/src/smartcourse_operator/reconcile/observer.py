"""What there is of a SmartCourse in the cluster, read afresh for each reconcile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import names, stopping
from smartcourse_operator.core.objects import (
    BY_NAME,
    DEPLOYMENT,
    EXTENSIONS,
    JOB,
    MANAGED,
    POD,
    VOLUME_CLAIM,
    Document,
    Kind,
    Reference,
    is_owned,
    reference,
)
from smartcourse_operator.core.readiness import (
    LOG_LINES,
    Progress,
    State,
    Trouble,
    describe,
    pods_of,
    trouble_of,
)

Objects = dict[Reference, Document]


def ours(name: str) -> str:
    """Return the label selector of a SmartCourse's objects that passes over another program's of the same name."""
    return f"{names.instance_selector(name)},{names.LABEL_PART_OF}={names.PART_OF}"


class Observer:
    """Reads; never writes."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def children(
        self, owner: Document, applied: Iterable[Reference], rendered: Iterable[Reference] = ()
    ) -> Objects:
        """Return the managed objects with the owner's label, and those once `applied` that are owned but lost it.

        A kind that the cluster may lack is asked for only if an object of it was applied, or is `rendered`.
        """
        applied = list(applied)
        name, namespace, uid = (owner["metadata"][key] for key in ("name", "namespace", "uid"))
        unasked = EXTENSIONS - {BY_NAME[one.kind] for one in (*applied, *rendered) if one.kind in BY_NAME}
        lists = await asyncio.gather(
            *(
                self._cluster.select(kind, namespace, names.instance_selector(name))
                for kind in MANAGED
                if kind not in unasked
            )
        )
        found = {reference(document): document for listed in lists for document in listed}
        for one in applied:
            if one not in found and (document := await self.find(one, namespace)) and is_owned(document, uid):
                found[one] = document
        return found

    async def unknown(self, wanted: Iterable[Reference]) -> frozenset[str]:
        """Return those kinds of the `wanted` objects that nobody has installed in this cluster."""
        asked = [kind for kind in EXTENSIONS if any(one.kind == kind.kind for one in wanted)]
        served = await asyncio.gather(*(self._cluster.serves(kind) for kind in asked))
        return frozenset(kind.kind for kind, is_served in zip(asked, served, strict=True) if not is_served)

    async def find(self, one: Reference, namespace: str) -> Document | None:
        kind: Kind | None = BY_NAME.get(one.kind)
        return await self._cluster.find(kind, namespace, one.name) if kind else None

    async def claims(self, name: str, namespace: str) -> list[Document]:
        return await self._cluster.select(VOLUME_CLAIM, namespace, ours(name))

    async def awake(self, name: str, namespace: str) -> stopping.Awake:
        """Return what runs of a SmartCourse."""
        selector = ours(name)
        deployments, tasks, pods = await asyncio.gather(
            self._cluster.select(DEPLOYMENT, namespace, selector),
            self._cluster.select(JOB, namespace, f"{selector},{names.LABEL_TASK}"),
            self._cluster.select(POD, namespace, selector),
        )
        return stopping.Awake.of(deployments, tasks, pods)

    async def explain(
        self, owner: Document, pending: dict[Reference, tuple[Document, State]]
    ) -> dict[Reference, State]:
        """Return better states for workloads that are not done: what their pods say."""
        name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
        pods = await self._cluster.select(POD, namespace, names.instance_selector(name))
        explained = {}
        for one, (document, state) in pending.items():
            mine = sorted(pods_of(document, pods), key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
            relevant = mine[:1] if one.kind == "Job" else mine  # a Job's earlier pods have failed and been followed
            trouble = next((found for found in map(trouble_of, relevant) if found), None)
            if trouble:
                explained[one] = await self._describe(one, namespace, state, trouble)
        return explained

    async def _describe(self, one: Reference, namespace: str, state: State, trouble: Trouble) -> State:
        log = ""
        if trouble.has_log:
            log = await self._cluster.log(namespace, trouble.pod, trouble.container, lines=LOG_LINES)
        described = describe(trouble, one, log)
        if state.progress is Progress.FAILED:
            return State(state.progress, state.reason, f"{state.message}; {described.message}")
        return described
