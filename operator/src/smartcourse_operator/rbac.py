"""The operator's permissions, no more than it uses: `python -m smartcourse_operator.rbac` prints them.

Secrets can be fetched by name but never listed or watched: RBAC cannot limit a list by label, and the operator has no
business with other Secrets. The chart binds the ClusterRole for the cluster, or per namespace with `watchNamespaces`.
"""

from __future__ import annotations

import sys
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.crd import to_yaml

MANAGED = ["create", "delete", "get", "list", "patch", "watch"]


def rule(
    groups: str, resources: list[str], verbs: list[str], resource_names: list[str] | None = None
) -> dict[str, Any]:
    only = {"resourceNames": resource_names} if resource_names else {}
    return {"apiGroups": [groups], "resources": resources, **only, "verbs": verbs}


CLUSTER_RULES = [
    rule(names.GROUP, [names.PLURAL], ["get", "list", "patch", "watch"]),
    rule(names.GROUP, [names.BACKUP_PLURAL], ["create", "delete", "get", "list", "watch"]),
    rule(names.GROUP, [names.RESTORE_PLURAL], ["get", "list", "watch"]),
    rule(names.GROUP, [f"{plural}/status" for plural in names.PLURALS], ["patch"]),
    rule("apps", ["deployments", "statefulsets"], MANAGED),
    rule("batch", ["jobs"], MANAGED),
    rule("", ["configmaps", "serviceaccounts", "services"], MANAGED),
    rule("networking.k8s.io", ["ingresses", "networkpolicies"], MANAGED),
    rule("policy", ["poddisruptionbudgets"], MANAGED),
    rule("autoscaling", ["horizontalpodautoscalers"], MANAGED),
    rule("gateway.networking.k8s.io", ["httproutes"], MANAGED),
    rule("traefik.io", ["middlewares"], MANAGED),
    rule("monitoring.coreos.com", ["servicemonitors"], MANAGED),
    rule("", ["secrets"], ["create", "delete", "get", "patch"]),
    rule("", ["persistentvolumeclaims"], ["create", "delete", "get", "list", "patch"]),
    rule("", ["pods"], ["list"]),
    rule("", ["pods/log"], ["get"]),
    rule("", ["events"], ["create"]),
]
OWN_NAMESPACE_RULES = [
    rule("coordination.k8s.io", ["leases"], ["create"]),
    rule("coordination.k8s.io", ["leases"], ["get", "update"], [names.OPERATOR]),
]


def bound(kind: str, metadata: dict[str, Any]) -> dict[str, Any]:
    account = {"kind": "ServiceAccount", "name": names.OPERATOR, "namespace": names.OPERATOR_NAMESPACE}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": names.OPERATOR},
        "subjects": [account],
    }


def role(kind: str, metadata: dict[str, Any], rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, "rules": rules}


def permissions() -> dict[str, Any]:
    """Return a List of the roles and of their bindings for the whole cluster."""
    labels = {names.LABEL_NAME: names.OPERATOR, names.LABEL_PART_OF: names.PART_OF}
    everywhere = {"name": names.OPERATOR, "labels": labels}
    own = {"name": names.OPERATOR, "namespace": names.OPERATOR_NAMESPACE, "labels": labels}
    items = [
        role("ClusterRole", everywhere, CLUSTER_RULES),
        bound("ClusterRole", everywhere),
        role("Role", own, OWN_NAMESPACE_RULES),
        bound("Role", own),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


if __name__ == "__main__":
    sys.stdout.write(to_yaml(permissions(), "smartcourse_operator.rbac"))
