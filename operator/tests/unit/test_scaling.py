"""What the scale subresource tells."""

from __future__ import annotations

from typing import Any

from smartcourse_operator import crd
from smartcourse_operator.core import names
from smartcourse_operator.core.scaling import Scale


def deployment(**status: Any) -> dict[str, Any]:
    return {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}, "status": status}


def test_all_pods_are_counted_as_a_deployments_own_scale_does() -> None:
    assert Scale.of(deployment(replicas=3, readyReplicas=1)) == Scale(3, "a=1,b=2")


def test_none_is_told_of_no_pods_and_nothing_of_no_deployment() -> None:
    assert Scale.of(deployment()) == Scale(0, "a=1,b=2")
    assert Scale.of(None) == Scale(None, None)


def test_the_paths_of_the_scale_are_fields_of_the_resource() -> None:
    version = crd.definition()["spec"]["versions"][0]
    for path in version["subresources"]["scale"].values():
        part, field = path.strip(".").split(".")
        assert field in version["schema"]["openAPIV3Schema"]["properties"][part]["properties"]
    others = (names.BACKUP_PLURAL, names.RESTORE_PLURAL)
    assert all("scale" not in crd.definition(each)["spec"]["versions"][0]["subresources"] for each in others)
