"""Growing volumes to the sizes that a spec asks for. A volume never shrinks."""

from __future__ import annotations

from collections.abc import Iterable

from smartcourse_operator.core import backup_jobs, names
from smartcourse_operator.core.backups import BackupVolume
from smartcourse_operator.core.conditions import Problem
from smartcourse_operator.core.drift import quantity
from smartcourse_operator.core.objects import STATEFUL_SET, Document, labels
from smartcourse_operator.core.spec import DatabaseMode, SmartCourseSpec
from smartcourse_operator.core.status import GrowthReason, Storage

FAILURES = ("ControllerResizeError", "NodeResizeError")
"""Conditions of a claim under which its driver has said why it does not grow."""
PENDING_FILE_SYSTEM = "FileSystemResizePending"
MESSAGE_LENGTH = 800
"""Of one volume; a condition tells of four at most in 4096 characters."""


def wanted_sizes(spec: SmartCourseSpec) -> dict[str, str]:
    """Return the sizes that are asked for, by component; of what is kept outside there is none."""
    databases = {store: getattr(spec.databases, store) for store in names.DATASTORES}
    sizes = {store: one.size for store, one in databases.items() if one.mode is DatabaseMode.EMBEDDED}
    if spec.backup and not spec.backup.destination.s3:
        sizes[backup_jobs.COMPONENT] = (spec.backup.destination.volume or BackupVolume()).size
    return sizes


def component_of(claim: Document) -> str:
    return labels(claim).get(names.LABEL_COMPONENT, "")


def is_to_be_asked(claim: Document, wanted: str) -> bool:
    """Whether the claim has to ask for another size: the API server lets one that is bound do so.

    A size that was asked for and never reached may be taken back to a smaller one that is still more than there is.
    """
    return _is_bound(claim) and _is_short(claim, wanted) and quantity(_requested(claim)) != quantity(wanted)


def storage_of(claim: Document, wanted: str, refusal: str = "") -> Storage:
    """Return what there is to tell of a volume; `refusal` is what the API server said to the size asked for."""
    found = Storage(claim=claim["metadata"]["name"], component=component_of(claim), size=_capacity(claim))
    if not _is_short(claim, wanted):
        return found
    if failure := refusal or _failure(claim):
        told = {"reason": GrowthReason.NOT_GROWN, "message": failure[:MESSAGE_LENGTH]}
    else:
        told = {"reason": GrowthReason.GROWING, "message": _progress(claim)[:MESSAGE_LENGTH]}
    return found.model_copy(update={"wanted": wanted, **told})


def shortfall(storage: Iterable[Storage]) -> Problem | None:
    """Return what is wrong if volumes cannot grow: the platform serves all the same."""
    small = [one for one in storage if one.reason is GrowthReason.NOT_GROWN]
    if not small:
        return None
    told = "; ".join(f"{one.claim} has {one.size}, {one.wanted} is asked for: {one.message}" for one in small)
    return Problem(GrowthReason.NOT_GROWN, f"{told}. The ways out: docs/how-to/grow-a-volume.md")


def is_under_way(storage: Iterable[Storage]) -> bool:
    return any(one.reason is GrowthReason.GROWING for one in storage)


def with_live_sizes(rendered: Document, live: Document) -> Document:
    """Return what is rendered with the sizes that a live StatefulSet's claim templates have: they cannot be changed.

    They are only read where a claim is missing; the claim that is made of one then grows like any other.
    """
    if rendered["kind"] != STATEFUL_SET.kind:
        return rendered
    sizes = {one["metadata"]["name"]: _requested(one) for one in live["spec"].get("volumeClaimTemplates") or ()}
    templates = [
        _of_size(template, sizes.get(template["metadata"]["name"]))
        for template in rendered["spec"]["volumeClaimTemplates"]
    ]
    return {**rendered, "spec": {**rendered["spec"], "volumeClaimTemplates": templates}}


def _of_size(claim: Document, size: str | None) -> Document:
    if size is None:
        return claim
    return {**claim, "spec": {**claim["spec"], "resources": {"requests": {"storage": size}}}}


def _is_bound(claim: Document) -> bool:
    return bool((claim.get("status") or {}).get("phase") == "Bound")


def _requested(claim: Document) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def _capacity(claim: Document) -> str | None:
    found: str | None = ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    return found


def _is_short(claim: Document, wanted: str) -> bool:
    """Whether there is less than is wanted; a claim without a volume is told by what it asks for."""
    has, wants = quantity(_capacity(claim) or _requested(claim)), quantity(wanted)
    return has is not None and wants is not None and has < wants


def _failure(claim: Document) -> str:
    """Return why the driver does not grow a volume, as it says itself."""
    status = claim.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition["type"] in FAILURES and condition["status"] == "True":
            return str(condition.get("message") or condition["type"])
    stage = str((status.get("allocatedResourceStatuses") or {}).get("storage", ""))
    return f"the storage driver cannot do it ({stage})" if stage.endswith("Infeasible") else ""


def _progress(claim: Document) -> str:
    status = claim.get("status") or {}
    if not _is_bound(claim):
        return f"the claim is {status.get('phase', 'new')}: its volume grows once it is bound"
    under = {one["type"] for one in status.get("conditions") or () if one["status"] == "True"}
    if PENDING_FILE_SYSTEM in under:
        return "the volume has grown; its file system follows when a pod that uses it runs, or is started anew"
    return "the storage driver is growing the volume" if "Resizing" in under else "the storage driver has been asked"
