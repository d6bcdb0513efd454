"""Bringing one SmartCourseRestore to its end.

Pending → Checking → Stopping → Restoring → Starting → Completed
             └─ Refused: nothing was touched     └─ Failed: the services are started again
"""

from __future__ import annotations

from dataclasses import dataclass

from smartcourse_operator.core import names, stopping, versions
from smartcourse_operator.core.backup_jobs import Task
from smartcourse_operator.core.backups import (
    BackupPhase,
    BackupStatus,
    Repository,
    RestorePhase,
    RestoreSpec,
    RestoreStatus,
)
from smartcourse_operator.core.objects import BACKUP, DEPLOYMENT, POD, RESTORE, SMART_COURSE, Document
from smartcourse_operator.core.status import ConditionStatus, ConditionType
from smartcourse_operator.reconcile.reconciler import Outcome, Tools
from smartcourse_operator.reconcile.tasks import Course, Ended, Tasks


class RefusedError(Exception):
    """The restore cannot be done, and nothing was touched."""


class WaitingError(Exception):
    """The restore cannot begin yet."""


@dataclass(frozen=True)
class Source:
    """What is restored."""

    snapshot: str
    repository: Repository
    release: str | None = None
    course: str | None = None


class RestoreReconciler:
    """Proves the backup, stops what writes, replaces the data, starts it again."""

    def __init__(self, tools: Tools, tasks: Tasks) -> None:
        self._cluster = tools.cluster
        self._tasks = tasks

    async def reconcile(self, namespace: str, name: str) -> Outcome:
        """Do what can be done now for one restore; one that has ended is left alone.

        Raises:
            ApiError: the API server could not be worked with; to be tried again later.
        """
        return await self._tasks.reconcile(RESTORE, namespace, name, self._advance, RestoreStatus)

    async def _advance(self, document: Document, before: RestoreStatus) -> RestoreStatus:
        wanted = RestoreSpec.model_validate(document["spec"])
        try:
            course = await self._course(document, wanted)
            match before.phase:
                case None | RestorePhase.PENDING:
                    return await self._begin(document, wanted, course, before)
                case RestorePhase.CHECKING:
                    return await self._check(document, wanted, course, before)
                case RestorePhase.STOPPING:
                    return await self._stop(document, wanted, course, before)
                case RestorePhase.RESTORING:
                    return await self._restore(document, wanted, course, before)
                case _:
                    return await self._start(course, before)
        except RefusedError as error:
            return self._ended(before, RestorePhase.REFUSED, str(error))
        except (WaitingError, versions.VersionError) as error:
            return before.model_copy(update={"phase": before.phase or RestorePhase.PENDING, "message": str(error)})

    async def _course(self, document: Document, wanted: RestoreSpec) -> Course:
        course = await self._tasks.course(document["metadata"]["namespace"], wanted.smart_course)
        if course is None:
            raise WaitingError(f"there is no SmartCourse {wanted.smart_course} here")
        return course

    async def _begin(
        self, document: Document, wanted: RestoreSpec, course: Course, before: RestoreStatus
    ) -> RestoreStatus:
        source = await self._source(document, wanted)
        self._fits(source.release, course)
        if hindrance := course.hindrance():
            raise WaitingError(hindrance)
        if course.status.restoring:
            raise WaitingError(f"SmartCourseRestore {course.status.restoring} is at work on SmartCourse {course.name}")
        involved = {course.name, *([source.course] if source.course else [])}
        if other := await self._tasks.others(document["metadata"]["namespace"], involved, document):
            raise WaitingError(f"Job {other} is at work on the same data")
        await self._run(Task.CHECK, document, course, source)
        started = {
            "started_at": self._tasks.now(),
            "snapshot": source.snapshot,
            "message": "the backup is being checked",
        }
        return before.model_copy(update={**started, "phase": RestorePhase.CHECKING})

    async def _check(
        self, document: Document, wanted: RestoreSpec, course: Course, before: RestoreStatus
    ) -> RestoreStatus:
        found = await self._tasks.result(Task.CHECK, document)
        if not isinstance(found, Ended):
            await self._run(Task.CHECK, document, course, await self._source(document, wanted))
            return before.model_copy(update={"message": found})
        if not found.is_done:
            raise RefusedError(f"the backup was not found to be whole, nothing was touched: {found.error}")
        facts = found.facts()
        self._fits(facts["release"], course)
        return before.model_copy(
            update={**facts, "phase": RestorePhase.STOPPING, "message": "services and gateway are being stopped"}
        )

    async def _stop(
        self, document: Document, wanted: RestoreSpec, course: Course, before: RestoreStatus
    ) -> RestoreStatus:
        namespace, name = document["metadata"]["namespace"], document["metadata"]["name"]
        if course.status.restoring != name:
            if course.status.restoring:
                raise WaitingError(f"SmartCourseRestore {course.status.restoring} is at work on {course.name}")
            if hindrance := course.hindrance():
                raise WaitingError(hindrance)
            await self._mark(course, {"restoring": name})
            return before
        selector = names.instance_selector(course.name)
        deployments = await self._cluster.select(DEPLOYMENT, namespace, selector)
        running = stopping.with_pods(deployments)
        if running := running or stopping.writers(await self._cluster.select(POD, namespace, selector)):
            return before.model_copy(update={"message": f"waits for {', '.join(running[:5])} to stop"})
        await self._run(Task.RESTORE, document, course, await self._source(document, wanted))
        return before.model_copy(update={"phase": RestorePhase.RESTORING, "message": "the data is being replaced"})

    async def _restore(
        self, document: Document, wanted: RestoreSpec, course: Course, before: RestoreStatus
    ) -> RestoreStatus:
        found = await self._tasks.result(Task.RESTORE, document)
        if not isinstance(found, Ended):
            await self._run(Task.RESTORE, document, course, await self._source(document, wanted))
            return before.model_copy(update={"message": found})
        if not found.is_done:
            await self._mark(course, {"restoring": None})
            return self._ended(before, RestorePhase.FAILED, found.error)
        await self._mark(course, {"restoring": None, "restored": document["metadata"]["uid"]})
        return before.model_copy(update={"phase": RestorePhase.STARTING, "message": "the services are being started"})

    async def _start(self, course: Course, before: RestoreStatus) -> RestoreStatus:
        """Wait until the platform serves; its migrations run anew first, for the backup may be of an older schema.

        It was not Ready while its services were stopped, so that it is means that they have been started since.
        """
        ready = course.status.condition(ConditionType.READY)
        if ready and ready.status is ConditionStatus.TRUE:
            return self._ended(before, RestorePhase.COMPLETED, None)
        told = ready.message if ready else "it is being started"
        return before.model_copy(update={"message": f"the data is restored; SmartCourse {course.name}: {told}"})

    async def _run(self, task: Task, document: Document, course: Course, source: Source) -> None:
        await self._tasks.begin(task, document, course, source.repository, {"SNAPSHOT": source.snapshot})

    async def _source(self, document: Document, wanted: RestoreSpec) -> Source:
        """Return what is to be restored.

        Raises:
            RefusedError: there is nothing that could be.
        """
        if wanted.snapshot and wanted.repository:
            return Source(wanted.snapshot, wanted.repository)
        name = str(wanted.backup)
        backup = await self._cluster.find(BACKUP, document["metadata"]["namespace"], name)
        if backup is None:
            raise RefusedError(f"there is no SmartCourseBackup {name} here")
        status = BackupStatus.model_validate(backup.get("status") or {})
        if status.phase is not BackupPhase.COMPLETED or not status.snapshot or not status.repository:
            raise RefusedError(
                f"SmartCourseBackup {name} is {status.phase or 'new'}: only a completed one can be restored"
            )
        return Source(status.snapshot, status.repository, status.release, backup["spec"]["smartCourse"])

    @staticmethod
    def _fits(release: str | None, course: Course) -> None:
        """See that the platform's release knows the backup's schema.

        Raises:
            RefusedError: the backup is of a newer release.
        """
        version = course.status.version
        if release and version and versions.order(release) > versions.order(version):
            raise RefusedError(
                f"the backup is of release {release}, and SmartCourse {course.name} runs {version}: upgrade it first"
            )

    def _ended(self, before: RestoreStatus, phase: RestorePhase, message: str | None) -> RestoreStatus:
        return before.model_copy(update={"phase": phase, "message": message, "completed_at": self._tasks.now()})

    async def _mark(self, course: Course, marks: Document) -> None:
        metadata = course.owner["metadata"]
        await self._cluster.merge(
            SMART_COURSE, metadata["namespace"], metadata["name"], {"status": marks}, subresource="status"
        )
