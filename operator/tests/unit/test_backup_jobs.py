"""The Jobs of backups and restores."""

from __future__ import annotations

from typing import Any

from smartcourse_operator.core import backup_jobs
from smartcourse_operator.core.backup_jobs import Assignment, Task
from smartcourse_operator.core.backups import Backup, Repository
from smartcourse_operator.core.spec import SmartCourseSpec

OWNER = {"kind": "SmartCourseBackup", "metadata": {"name": "first", "namespace": "here", "uid": "u-1"}}
BUCKET = {"endpoint": "https://s3.example.org/", "bucket": "backups", "secretName": "bucket"}


def assignment(task: Task = Task.BACKUP, spec: dict[str, Any] | None = None, backup: Any = None) -> Assignment:
    repository = backup_jobs.repository_of("academy", "here", Backup.model_validate(backup or {}))
    return Assignment(
        task, OWNER, "academy", SmartCourseSpec.model_validate(spec or {}), repository, "image:1", "IfNotPresent",
        {"BACKUP_NAME": "first.u-1"},
    )  # fmt: skip


def environment(made: Assignment) -> dict[str, Any]:
    found = backup_jobs.environment(made)
    assert len({entry["name"] for entry in found}) == len(found)
    return {entry["name"]: entry.get("value") or tuple(entry["valueFrom"]["secretKeyRef"].values()) for entry in found}


def test_secrets_reach_the_program_from_secrets_only() -> None:
    found = environment(assignment(backup={"destination": {"s3": BUCKET}}))
    assert found["POSTGRES_ADMIN_URL"] == ("academy-postgres", "admin-url")
    assert found["MONGODB_ADMIN_URL"] == ("academy-mongodb", "admin-url")
    assert found["RESTIC_PASSWORD"] == ("academy-backup", "password")
    assert found["AWS_SECRET_ACCESS_KEY"] == ("bucket", "secret-access-key")
    assert found["RESTIC_REPOSITORY"] == "s3:https://s3.example.org/backups/here/academy"
    assert "REDIS_URL" not in found
    assert backup_jobs.pod(assignment())["containers"][0]["args"] == ["backup"]


def test_external_databases_are_reached_by_their_own_secrets() -> None:
    outside = {"postgres": {"mode": "external", "secretName": "pg"}, "redis": {"mode": "external", "secretName": "r"}}
    found = environment(assignment(Task.RESTORE, {"databases": outside}))
    assert (found["POSTGRES_ADMIN_URL"], found["REDIS_URL"]) == (("pg", "admin-url"), ("r", "url"))


def test_the_pod_is_one_that_the_restricted_standard_admits() -> None:
    pod = backup_jobs.pod(assignment())
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False


def test_a_job_goes_with_what_asked_for_it_and_a_broken_backup_is_not_tried_again() -> None:
    job = backup_jobs.job(assignment())
    assert [owner["uid"] for owner in job["metadata"]["ownerReferences"]] == ["u-1"]
    fail, ignore = job["spec"]["podFailurePolicy"]["rules"]
    assert (fail["action"], fail["onExitCodes"]["values"], ignore["action"]) == ("FailJob", [3], "Ignore")


def test_a_volume_of_backups_belongs_to_nobody_and_a_bucket_needs_none() -> None:
    volume = Backup.model_validate({"destination": {"volume": {"size": "3Gi", "storageClassName": "slow"}}})
    claim = backup_jobs.claim("academy", "here", volume)
    assert claim
    assert "ownerReferences" not in claim["metadata"]
    assert (claim["spec"]["resources"]["requests"]["storage"], claim["spec"]["storageClassName"]) == ("3Gi", "slow")
    assert backup_jobs.claim("academy", "here", Backup.model_validate({"destination": {"s3": BUCKET}})) is None


def test_a_repository_is_known_without_its_smart_course() -> None:
    found = backup_jobs.repository_of("academy", "here", Backup.model_validate({"encryptionSecretName": "key"}))
    assert found == Repository(claim_name="academy-backup", encryption_secret_name="key")
