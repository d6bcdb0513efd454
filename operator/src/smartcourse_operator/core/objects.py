"""Objects of the Kubernetes API as plain documents, and the kinds that the charts may render."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.core.status import Phase

Document = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """Where objects of a kind are found in the API."""

    api_version: str
    kind: str
    plural: str

    @property
    def prefix(self) -> str:
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
JOB = Kind("batch/v1", "Job", "jobs")
SERVICE = Kind("v1", "Service", "services")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
MIDDLEWARE = Kind("traefik.io/v1alpha1", "Middleware", "middlewares")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor", "servicemonitors")

MANAGED = (
    DEPLOYMENT, STATEFUL_SET, JOB, SERVICE, CONFIG_MAP, SERVICE_ACCOUNT, INGRESS, NETWORK_POLICY, DISRUPTION_BUDGET,
    AUTOSCALER, HTTP_ROUTE, MIDDLEWARE, SERVICE_MONITOR,
)  # fmt: skip
"""What the charts may render: the operator watches, repairs and removes these."""
EXTENSIONS = frozenset({HTTP_ROUTE, MIDDLEWARE, SERVICE_MONITOR})
"""Kinds among them that a cluster has only if somebody installed them."""

SMART_COURSE = Kind(names.API_VERSION, names.KIND, names.PLURAL)
BACKUP = Kind(names.API_VERSION, names.BACKUP_KIND, names.BACKUP_PLURAL)
RESTORE = Kind(names.API_VERSION, names.RESTORE_KIND, names.RESTORE_PLURAL)
SECRET = Kind("v1", "Secret", "secrets")
VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

BY_NAME = {kind.kind: kind for kind in MANAGED}


class UnexpectedObjectError(Exception):
    """The chart rendered something that the operator does not handle."""


@dataclass(frozen=True, order=True)
class Reference:
    """An object within the resource's namespace."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def reference(document: Document) -> Reference:
    return Reference(document["kind"], document["metadata"]["name"])


def labels(document: Document) -> dict[str, str]:
    return document["metadata"].get("labels") or {}


def phase_of(document: Document) -> Phase:
    """Return the phase in which the chart wants `document` applied.

    Raises:
        UnexpectedObjectError: its label names none.
    """
    label = labels(document).get(names.LABEL_PHASE)
    try:
        return Phase(str(label))
    except ValueError as error:
        raise UnexpectedObjectError(f"{reference(document)} has no known phase, its label says {label!r}") from error


def owner_reference(owner: Document) -> Document:
    """Return the entry that makes an object go with its SmartCourse."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }


def is_owned(document: Document, uid: str) -> bool:
    return any(entry.get("uid") == uid for entry in document["metadata"].get("ownerReferences") or ())


def foreign_owner(document: Document, uid: str) -> str | None:
    """Return who controls `document` if that is another object than the one with `uid`."""
    owners = document["metadata"].get("ownerReferences") or ()
    return next((f"{o['kind']} {o['name']}" for o in owners if o.get("controller") and o.get("uid") != uid), None)


def adopt(rendered: Iterable[Document], owner: Document) -> list[Document]:
    """Return the chart's objects as the operator applies them: in the owner's namespace, owned, with their digest.

    Raises:
        UnexpectedObjectError: a kind that the operator has no permission for.
    """
    adopted = []
    for document in rendered:
        if document["kind"] not in BY_NAME:
            raise UnexpectedObjectError(
                f"the chart rendered {reference(document)}, a kind that the operator does not manage"
            )
        metadata = {
            **document["metadata"],
            "namespace": owner["metadata"]["namespace"],
            "labels": {**labels(document), names.LABEL_MANAGED_BY: names.OPERATOR},
            "ownerReferences": [owner_reference(owner)],
        }
        adopted.append(with_digest(without_nulls({**document, "metadata": metadata})))
    return adopted


def without_nulls(value: Any) -> Any:
    """Return `value` without the fields that are null: a chart writes them where it has nothing to say."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def with_digest(document: Document) -> Document:
    text = json.dumps(document, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    metadata = document["metadata"]
    annotations = {**(metadata.get("annotations") or {}), names.ANNOTATION_APPLIED: digest}
    return {**document, "metadata": {**metadata, "annotations": annotations}}
