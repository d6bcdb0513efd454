"""Bringing one SmartCourseBackup to its end."""

from __future__ import annotations

from smartcourse_operator.core import backup_jobs, names, upgrades
from smartcourse_operator.core.backup_jobs import Task
from smartcourse_operator.core.backups import Backup, BackupPhase, BackupSpec, BackupStatus, Repository
from smartcourse_operator.core.objects import BACKUP, VOLUME_CLAIM, Document, labels
from smartcourse_operator.core.versions import VersionError
from smartcourse_operator.reconcile.reconciler import Outcome, Tools
from smartcourse_operator.reconcile.tasks import Course, Ended, Tasks


class BackupReconciler:
    """Makes the volume and the Job, and tells what came of it."""

    def __init__(self, tools: Tools, tasks: Tasks) -> None:
        self._cluster = tools.cluster
        self._tasks = tasks

    async def reconcile(self, namespace: str, name: str) -> Outcome:
        """Do what can be done now for one backup; one that has ended is left alone.

        Raises:
            ApiError: the API server could not be worked with; to be tried again later.
        """
        return await self._tasks.reconcile(BACKUP, namespace, name, self._advance, BackupStatus)

    async def _advance(self, document: Document, before: BackupStatus) -> BackupStatus:
        wanted = BackupSpec.model_validate(document["spec"])
        namespace = document["metadata"]["namespace"]
        course = await self._tasks.course(namespace, wanted.smart_course)
        if before.phase is not BackupPhase.RUNNING:
            hindrance = self._hindrance(wanted, course) or await self._busy(document, wanted)
            if hindrance:
                return before.model_copy(update={"phase": BackupPhase.PENDING, "message": hindrance})
        found = await self._tasks.result(Task.BACKUP, document)
        if isinstance(found, Ended):
            return self._ended(before, found)
        if course is None or course.spec.backup is None:  # taken away since: its Job goes on, another is not made
            return before.model_copy(update={"message": found})
        repository = before.repository or backup_jobs.repository_of(
            course.name, document["metadata"]["namespace"], course.spec.backup
        )
        try:
            await self._begin(document, course, course.spec.backup, repository)
        except VersionError as error:
            return before.model_copy(update={"phase": BackupPhase.PENDING, "message": str(error)})
        return before.model_copy(
            update={
                "phase": BackupPhase.RUNNING,
                "message": found,
                "started_at": before.started_at or self._tasks.now(),
                "repository": repository,
            }
        )

    @staticmethod
    def _hindrance(wanted: BackupSpec, course: Course | None) -> str | None:
        if course is None:
            return f"there is no SmartCourse {wanted.smart_course} here"
        if course.spec.backup is None:
            return f"spec.backup of SmartCourse {course.name} is not set: nothing says where backups go"
        if course.status.restoring:
            return f"SmartCourseRestore {course.status.restoring} is at work on SmartCourse {course.name}"
        return course.hindrance()

    async def _busy(self, document: Document, wanted: BackupSpec) -> str | None:
        namespace = document["metadata"]["namespace"]
        other = await self._tasks.others(namespace, {wanted.smart_course}, document)
        return f"Job {other} is at work on the same backups" if other else None

    async def _begin(self, document: Document, course: Course, backup: Backup, repository: Repository) -> None:
        metadata = document["metadata"]
        namespace = metadata["namespace"]
        claim = backup_jobs.claim(course.name, namespace, backup)
        if claim and await self._cluster.find(VOLUME_CLAIM, namespace, claim["metadata"]["name"]) is None:
            await self._cluster.create(VOLUME_CLAIM, claim)
        settings = {
            "BACKUP_NAME": f"{metadata['name']}.{metadata['uid']}",  # one of the same name may have been there before
            "BACKUP_SOURCE": f"{namespace}/{course.name}",
            "BACKUP_RELEASE": upgrades.oldest_served(course.status) or "",
            "IS_SCHEDULED": str(names.LABEL_SCHEDULED in labels(document)).lower(),
            "KEEP": str(backup.keep),
            "VERIFY": str(backup.verify).lower(),
        }
        await self._tasks.begin(Task.BACKUP, document, course, repository, settings)

    def _ended(self, before: BackupStatus, found: Ended) -> BackupStatus:
        ended = {"completed_at": self._tasks.now()}
        if not found.is_done:
            return before.model_copy(update={**ended, "phase": BackupPhase.FAILED, "message": found.error})
        facts = {"size_bytes": found.told.get("sizeBytes"), "is_verified": found.told.get("isVerified")}
        return before.model_copy(
            update={**ended, **found.facts(), **facts, "phase": BackupPhase.COMPLETED, "message": None}
        )
