"""What backups and restores have in common: a Job that is made, watched and read, and a status that is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import backup_jobs, names, versions
from smartcourse_operator.core.backup_jobs import Assignment, Task
from smartcourse_operator.core.backups import ENDED, GOOD, BackupStatus, Contents, Repository, RestoreStatus
from smartcourse_operator.core.fields import changes, timestamp
from smartcourse_operator.core.objects import JOB, POD, SMART_COURSE, Document, Kind, is_owned
from smartcourse_operator.core.readiness import Progress, pods_of, state_of, trouble_of
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import ConditionStatus, ConditionType, SmartCourseStatus
from smartcourse_operator.reconcile import reporter
from smartcourse_operator.reconcile.reconciler import Outcome, Tools

log = structlog.get_logger()
S = TypeVar("S", BackupStatus, RestoreStatus)
Advance = Callable[[Document, S], Awaitable[S]]
"""From the resource and its status to the status that it has when all was done that could be done now."""
MESSAGE_LENGTH = 2000


@dataclass(frozen=True)
class Course:
    """The SmartCourse that a backup or restore is about."""

    owner: Document
    spec: SmartCourseSpec
    status: SmartCourseStatus

    @property
    def name(self) -> str:
        return str(self.owner["metadata"]["name"])

    def hindrance(self) -> str | None:
        """Return why nothing can be done with its data now."""
        if self.owner["metadata"].get("deletionTimestamp"):
            return f"SmartCourse {self.name} is being deleted"
        if self.spec.paused:
            return f"SmartCourse {self.name} is paused"
        if self.spec.hibernated:
            return f"SmartCourse {self.name} is hibernated: `kubectl smartcourse wake {self.name}` wakes it"
        if not (self.status.version and (self.status.volumes or self.status.completed_jobs)):
            return f"the schema of SmartCourse {self.name} is not there yet"
        databases = self.status.condition(ConditionType.DATABASES_READY)
        if databases and databases.status is not ConditionStatus.TRUE:
            return f"the databases of SmartCourse {self.name} do not serve: {databases.message}"
        return None


@dataclass(frozen=True)
class Ended:
    """How a Job ended, and what its program told."""

    is_done: bool
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> str:
        return str(self.told.get("error") or "")[:MESSAGE_LENGTH]

    @property
    def is_broken(self) -> bool:
        return bool(self.told.get("isBroken"))

    def facts(self) -> dict[str, Any]:
        """Return the status' fields that are the same for backups and restores."""
        contents = {store: Contents.model_validate(self.told[store]) for store in ("postgres", "mongodb")}
        return {
            "snapshot": self.told["snapshot"],
            "release": self.told["release"] or None,
            "taken_at": self.told["takenAt"],
            **contents,
        }


class Tasks:
    """Makes Jobs and reads what became of them. One thing is begun at a time, whatever asks for it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._cluster: Cluster = tools.cluster
        self._turn = asyncio.Lock()

    def now(self) -> str:
        return timestamp(self._tools.now())

    async def course(self, namespace: str, name: str) -> Course | None:
        owner = await self._cluster.find(SMART_COURSE, namespace, name)
        if owner is None:
            return None
        spec = SmartCourseSpec.model_validate(owner.get("spec") or {})
        return Course(owner, spec, SmartCourseStatus.model_validate(owner.get("status") or {}))

    async def others(self, namespace: str, courses: set[str], own: Document) -> str | None:
        """Return a Job of other backups or restores of these SmartCourses that has not ended."""
        for job in await self._cluster.select(JOB, namespace, names.LABEL_TASK):
            is_of_them = (job["metadata"].get("labels") or {}).get(names.LABEL_INSTANCE) in courses
            is_running = state_of(job).progress is Progress.WAITING
            if is_of_them and is_running and not is_owned(job, own["metadata"]["uid"]):
                return str(job["metadata"]["name"])
        return None

    async def begin(
        self, task: Task, owner: Document, course: Course, repository: Repository, settings: dict[str, str]
    ) -> None:
        """Make a Job, unless it is there."""
        release = self._tools.releases.get(str(course.status.version))
        assignment = Assignment(
            task, owner, course.name, course.spec, repository,
            versions.backup_image(release, course.spec.images),
            self._tools.settings.image_pull_policy, settings,
        )  # fmt: skip
        namespace, name = owner["metadata"]["namespace"], backup_jobs.job_name(owner, task)
        if await self._cluster.find(JOB, namespace, name) is None:
            log.info("beginning", namespace=namespace, job=name, course=course.name)
            await self._cluster.create(JOB, backup_jobs.job(assignment))

    async def result(self, task: Task, owner: Document) -> Ended | str:
        """Return how a Job ended; while it has not, a sentence on what it does."""
        namespace, name = owner["metadata"]["namespace"], backup_jobs.job_name(owner, task)
        job = await self._cluster.find(JOB, namespace, name)
        if job is None or not is_owned(job, owner["metadata"]["uid"]):
            return f"Job {name} is to be made"
        pods = await self._cluster.select(POD, namespace, f"{names.LABEL_JOB}={name}")
        newest = sorted(pods_of(job, pods), key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)
        state, told = state_of(job), next((found for found in map(told_by, newest) if found), {})
        if state.progress is Progress.DONE and "snapshot" not in told:
            await self._cluster.delete(JOB, namespace, name)  # what it has done it finds done, and tells anew
            return f"Job {name} is done and its result is gone: it is run again"
        if state.progress is Progress.DONE:
            return Ended(is_done=True, told=told)
        if state.progress is Progress.FAILED:
            return Ended(is_done=False, told={"error": state.message, **told})
        trouble = next((found for found in map(trouble_of, newest[:1]) if found), None)
        reason = f": {trouble.reason}: {trouble.message}" if trouble else ""
        return f"Job {name} is at work{reason}"[:MESSAGE_LENGTH]

    async def reconcile(self, kind: Kind, namespace: str, name: str, advance: Advance[S], model: type[S]) -> Outcome:
        """Take one backup or restore as far as it can be now; one that has ended is left alone.

        Raises:
            ApiError: the API server could not be worked with; to be tried again later.
        """
        document = await self._cluster.find(kind, namespace, name)
        if document is None or document["metadata"].get("deletionTimestamp"):
            return Outcome.GONE
        before = model.model_validate(document.get("status") or {})
        if before.phase in ENDED:
            return Outcome.GONE
        async with self._turn:
            after = await advance(document, before)
        await self._tell(kind, document, before, after)
        return Outcome.GONE if after.phase in ENDED else Outcome.WAITING

    async def _tell(self, kind: Kind, document: Document, before: S, after: S) -> None:
        """Write a status that has changed, and post an Event where a phase has ended the work."""
        patch = changes(before, after)
        if not patch:
            return
        metadata = document["metadata"]
        await self._cluster.merge(
            kind, metadata["namespace"], metadata["name"], {"status": patch}, subresource="status"
        )
        if before.phase == after.phase:
            return
        log.info("task", kind=kind.kind, namespace=metadata["namespace"], name=metadata["name"], phase=after.phase,
                 message=after.message)  # fmt: skip
        if after.phase in ENDED:
            told = after.message or f"of {after.taken_at}"
            is_warning = after.phase not in GOOD
            about = reporter.about(document, str(after.phase), told, self._tools.now(), is_warning=is_warning)
            await reporter.post(self._cluster, about)


def told_by(pod: Document) -> dict[str, Any]:
    """Return what a pod of ours wrote when it ended, nothing if it wrote no JSON."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        ended = (container.get("state") or {}).get("terminated") or {}
        try:
            found = json.loads(ended.get("message") or "")
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}
