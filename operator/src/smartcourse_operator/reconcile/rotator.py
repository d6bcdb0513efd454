"""Taking rotations a step further, when nothing else is under way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from smartcourse_operator.adapters.cluster import ApiError, Cluster
from smartcourse_operator.core import credentials, names, rotation
from smartcourse_operator.core.objects import POD, SECRET, Document
from smartcourse_operator.core.rotation import Machine, Mark, Step, Wish
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import Rotation
from smartcourse_operator.reconcile.keeper import ENCODED, Kept, encode

log = structlog.get_logger()
WAITS = "it begins when the platform is Ready, no rotation of it is under way and no pod of an earlier revision is left"


class Rotator:
    """Writes the steps of rotations into the generated Secrets."""

    def __init__(self, cluster: Cluster, now: Callable[[], datetime]) -> None:
        self._cluster = cluster
        self._now = now

    async def advance(self, owner: Document, spec: SmartCourseSpec, kept: Kept) -> bool:
        """Take what is due a step further; to be called when every pod runs with what was `kept`.

        Returns whether something was written: all has to be looked at anew then.
        """
        name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
        machines = rotation.machines(name, spec)
        steps = [(machine, step) for machine in machines if (step := self._step(owner, spec, kept, machine))]
        if not steps or await self._has_leaving_pods(name, namespace):
            return False
        touched: set[str] = set()
        for machine, step in steps:
            if machine.suffix not in touched:  # two values of one Secret go one after the other: what was kept is stale
                await self._write(name, namespace, kept, machine, step)
                touched.add(machine.suffix)
        return True

    def _step(self, owner: Document, spec: SmartCourseSpec, kept: Kept, machine: Machine) -> Step | None:
        metadata = kept.metadata[machine.suffix]
        annotations = owner["metadata"].get("annotations") or {}
        wish = Wish(
            request=annotations.get(rotation.ANNOTATION_REQUEST[machine.what], ""),
            days=rotation.days_of(spec, machine.what),
            born=datetime.fromisoformat(metadata["creationTimestamp"]),
        )
        try:
            return rotation.next_step(
                machine, mark_of(kept, machine), kept.contents[machine.suffix], wish,
                keep=timedelta(days=spec.auth.refresh_token_days), now=self._now(), generate=credentials.generate,
            )  # fmt: skip
        except credentials.SecretError as error:
            log.warning("cannot rotate", namespace=metadata["namespace"], secret=error.secret, why=str(error))
            return None

    async def _has_leaving_pods(self, name: str, namespace: str) -> bool:
        """Whether a pod of an earlier revision still answers the requests that it has."""
        pods = await self._cluster.select(POD, namespace, names.instance_selector(name))
        return any(pod["metadata"].get("deletionTimestamp") for pod in pods)

    async def _write(self, name: str, namespace: str, kept: Kept, machine: Machine, step: Step) -> None:
        set_to = encode({key: value for key, value in step.changes.items() if value is not None})
        removed = {key: None for key, value in step.changes.items() if value is None}
        metadata = {
            "annotations": {rotation.annotation(machine.what): step.mark.text()},
            # Whoever wrote in between wins: the step was decided from what was there before.
            "resourceVersion": kept.metadata[machine.suffix]["resourceVersion"],
        }
        patch = {"metadata": metadata, ENCODED: {**set_to, **removed}}
        try:
            made = await self._cluster.merge(SECRET, namespace, f"{name}-{machine.suffix}", patch)
        except ApiError as error:
            if not error.is_conflict:
                raise
            return
        kept.metadata[machine.suffix] = made["metadata"]
        log.info(
            "rotating", namespace=namespace, name=name, secret=f"{name}-{machine.suffix}", what=machine.what.value,
            step=step.mark.phase.value,
        )  # fmt: skip

    @staticmethod
    def told(owner: Document, spec: SmartCourseSpec, kept: Kept) -> list[Rotation]:
        """Return what the status says of rotations."""
        marks = [(machine, mark_of(kept, machine)) for machine in rotation.machines(owner["metadata"]["name"], spec)]
        return rotation.told(spec, owner["metadata"].get("annotations") or {}, marks, waits=WAITS)


def mark_of(kept: Kept, machine: Machine) -> Mark | None:
    annotations = kept.metadata[machine.suffix].get("annotations") or {}
    return Mark.read(annotations.get(rotation.annotation(machine.what)))
