"""`backup` and `restore`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from smartcourse_kubectl.adapters.cluster import Cluster
from smartcourse_kubectl.adapters.observer import resolve
from smartcourse_kubectl.commands.arguments import name_argument, name_option, timeout_option, wait_option
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import Session, with_session
from smartcourse_kubectl.waiting import Progress, wait
from smartcourse_operator.core import names
from smartcourse_operator.core.backups import ENDED, GOOD, BackupPhase
from smartcourse_operator.core.objects import BACKUP, RESTORE, Document, Kind

BACKUP_SECONDS = 3600
STAMP = "%Y%m%d-%H%M%S"


@click.command(short_help="Back it up now.")
@name_argument
@wait_option
@timeout_option(BACKUP_SECONDS)
@with_session
def backup(session: Session, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Make a SmartCourseBackup and wait until it is completed. Prints its name, which `restore` takes."""
    document = resolve(session.cluster, name)
    metadata = document["metadata"]
    if document["spec"].get("backup") is None:
        raise PluginError(
            f"spec.backup of SmartCourse {metadata['name']} is not set: nothing says where backups go.",
            remedy=f"`kubectl -n {metadata['namespace']} patch smartcourse {metadata['name']} --type merge "
            """-p '{"spec": {"backup": {}}}'` keeps them on a volume; docs/how-to/back-up-and-restore.md knows more.""",
            code=Exit.NO,
        )
    made = create(session, BACKUP, metadata, {"smartCourse": metadata["name"]})
    if waits:
        finish(session, BACKUP, metadata["namespace"], made, timeout_seconds)
    click.echo(made)


@click.command(short_help="Put a backup's data in place of what is there.")
@click.argument("backup_name", metavar="BACKUP")
@name_option
@click.option("--yes", is_flag=True, help="Don't ask: the present data is replaced.")
@wait_option
@timeout_option(BACKUP_SECONDS)
@with_session
def restore(
    session: Session, backup_name: str, name: str | None, *, yes: bool, waits: bool, timeout_seconds: int
) -> None:
    """Replace a SmartCourse's data by that of a SmartCourseBackup, which is checked before anything is touched.

    What was done since the backup is gone, and accounts and passwords are those of the backup. `kubectl get smcb`
    lists backups. Without -s the data goes back into the SmartCourse that it is of. Prints the restore's name.
    """
    cluster = session.cluster
    found = cluster.find(BACKUP, cluster.namespace, backup_name)
    if found is None:
        raise PluginError(f"There is no SmartCourseBackup {backup_name} in namespace {cluster.namespace}.",
                          remedy=listed(cluster))  # fmt: skip
    phase = (found.get("status") or {}).get("phase", "Pending")
    if phase != BackupPhase.COMPLETED:
        raise PluginError(f"SmartCourseBackup {backup_name} is {phase}, not Completed.", remedy=listed(cluster),
                          code=Exit.NO)  # fmt: skip
    metadata = resolve(cluster, name or found["spec"]["smartCourse"])["metadata"]
    if not yes and not is_wanted(found, metadata):
        raise PluginError("Nothing was changed.", code=Exit.NO)
    made = create(session, RESTORE, metadata, {"smartCourse": metadata["name"], "backup": backup_name})
    if waits:
        finish(session, RESTORE, metadata["namespace"], made, timeout_seconds)
    click.echo(made)


def is_wanted(backup: Document, course: Document) -> bool:
    """Ask whether the SmartCourse's data may be replaced."""
    question = (
        f"The data of SmartCourse {course['name']} in namespace {course['namespace']} is replaced by that of "
        f"{backup['status'].get('takenAt', 'an unknown moment')}. Go on?"
    )
    return click.confirm(question, err=True)


def listed(cluster: Cluster) -> str:
    """Return which backups could be restored."""
    found = cluster.select(BACKUP, cluster.namespace) or []
    good = [one["metadata"]["name"] for one in found if (one.get("status") or {}).get("phase") == BackupPhase.COMPLETED]
    return f"Completed ones here: {', '.join(good)}." if good else "No backup here is completed."


def create(session: Session, kind: Kind, course: Document, spec: Document) -> str:
    """Create a task of a SmartCourse, named after it and the time, and return its name."""
    stamp = datetime.now(UTC).strftime(STAMP)
    name = f"{course['name'][: names.TASK_NAME_MAX_LENGTH - len(stamp) - 1]}-{stamp}"
    metadata = {"name": name, "namespace": course["namespace"]}
    document = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
    session.cluster.create(kind, document)
    session.err.print(f"{kind.kind} {name} is made", markup=False, soft_wrap=True)
    return name


def finish(session: Session, kind: Kind, namespace: str, name: str, timeout_seconds: int) -> None:
    probe = until_ended(session.cluster, kind, namespace, name)
    wait(session.err, probe, what=f"{kind.kind} {name} to be completed", timeout_seconds=timeout_seconds)


def until_ended(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Callable[[], Progress]:
    def probe() -> Progress:
        found = cluster.find(kind, namespace, name)
        if found is None:
            raise PluginError(f"{kind.kind} {name} has been deleted.", code=Exit.NO)
        status = found.get("status") or {}
        phase, message = status.get("phase", "Pending"), status.get("message", "")
        text = f"{name}: {phase}" + (f": {message}" if message else "")
        failed = text if phase in ENDED and phase not in GOOD else ""
        return Progress(is_done=phase in GOOD, text=text, failed=failed)

    return probe
