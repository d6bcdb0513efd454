"""Telling by the API server's records what others have set."""

from __future__ import annotations

from typing import Any

import pytest

from smartcourse_operator.core import names, ownership

Fields = dict[str, Any]
RENDERED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a-user"}}
OURS: Fields = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:template": {"f:spec": {"f:a": {}}}}}
CONTAINER = 'k:{"name":"user"}'
ARGUMENTS: Fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: {"f:args": {}}}}}}}
RESTARTED: Fields = {
    "f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/restartedAt": {}}}}}
}


def entry(manager: str, fields: Fields, operation: str = "Update", **other: str) -> dict[str, Any]:
    known = {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsType": "FieldsV1"}
    return {**known, **other, "fieldsV1": fields}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    ours = entry(names.FIELD_MANAGER, OURS, "Apply")
    annotations = {names.ANNOTATION_APPLIED: "digest", "note": "1"}
    metadata = {"name": "a-user", "resourceVersion": "7", "annotations": annotations}
    return {**RENDERED, "metadata": {**metadata, "managedFields": [ours, *entries]}}


def contested(*entries: dict[str, Any], **rendered: str) -> list[str]:
    return list(ownership.paths(ownership.contested({**RENDERED, **rendered}, live(*entries))))


def reclaimed(document: dict[str, Any]) -> dict[str, Any]:
    return {one["path"].rpartition("/")[2]: one["value"] for one in ownership.reclaiming(RENDERED, document)}


def test_what_others_have_set_in_the_content_is_contested_and_named_as_people_write_it() -> None:
    edits = [entry("kubectl-edit", ARGUMENTS), entry("flux", {"f:spec": {"f:paused": {}}}, "Apply")]
    assert contested(*edits) == ["spec.template.spec.containers[name=user].args", "spec.paused"]


def test_an_edit_in_our_name_that_is_no_apply_is_contested_too() -> None:
    assert contested(entry(names.FIELD_MANAGER, ARGUMENTS)) == ["spec.template.spec.containers[name=user].args"]


@pytest.mark.parametrize(
    "other",
    [
        entry("kubectl-annotate", {"f:metadata": {"f:annotations": {"f:note": {}}}}),
        entry("kube-controller-manager", {"f:spec": {"f:a": {}}}),
        entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        entry("kubelet", {"f:status": {"f:replicas": {}}}, subresource="status"),
        entry("keda", {"f:spec": {"f:replicas": {}}}),
        entry("kubectl-rollout", RESTARTED),
        entry("openshift-controller-manager", {"f:imagePullSecrets": {}, "f:secrets": {}}),
        entry("kubectl-edit", {"f:spec": {"f:a": {}}}, apiVersion="apps/v2"),
    ],
)
def test_what_may_be_set_by_others_is_not_contested(other: dict[str, Any]) -> None:
    assert contested(other) == []


def test_a_jobs_content_is_never_contested() -> None:
    assert contested(entry("kubectl-edit", ARGUMENTS), kind="Job") == []


def test_reclaiming_makes_the_contested_fields_ours_and_leaves_the_others_where_they_are() -> None:
    controller = entry("kube-controller-manager", {"f:status": {}}, subresource="status")
    both = {"f:spec": ARGUMENTS["f:spec"] | {"f:paused": {}, "f:replicas": {}}, "f:metadata": {"f:x": {}}}
    patch = reclaimed(live(entry("kubectl-edit", both), controller))
    kept, untouched, ours = patch["managedFields"]
    assert kept["fieldsV1"] == {"f:spec": {"f:replicas": {}}, "f:metadata": {"f:x": {}}}
    assert untouched == controller
    assert (ours["manager"], ours["operation"]) == (names.FIELD_MANAGER, "Apply")
    assert ours["fieldsV1"]["f:metadata"] == OURS["f:metadata"]
    assert set(ours["fieldsV1"]["f:spec"]) == {"f:template", "f:paused"}
    assert set(ours["fieldsV1"]["f:spec"]["f:template"]["f:spec"]) == {"f:a", "f:containers"}


def test_a_manager_with_nothing_left_is_forgotten() -> None:
    patch = reclaimed(live(entry("kubectl-edit", ARGUMENTS)))
    assert [one["manager"] for one in patch["managedFields"]] == [names.FIELD_MANAGER]


def test_a_restart_is_kept_beside_another_edit_of_the_pods_annotations() -> None:
    annotations = {**RESTARTED["f:spec"]["f:template"]["f:metadata"]["f:annotations"], "f:stray": {}}
    edit = entry("kubectl-edit", {"f:spec": {"f:template": {"f:metadata": {"f:annotations": annotations}}}})
    assert contested(edit) == ["spec.template.metadata.annotations.stray"]
    kept = reclaimed(live(edit))["managedFields"][0]["fieldsV1"]["f:spec"]["f:template"]["f:metadata"]["f:annotations"]
    assert "f:kubectl.kubernetes.io/restartedAt" in kept


def test_reclaiming_leaves_a_mark_that_the_object_has_to_be_applied_and_is_void_if_it_has_changed_since() -> None:
    patch = reclaimed(live(entry("kubectl-edit", ARGUMENTS)))
    assert patch["resourceVersion"] == "7"
    assert patch["annotations"] == {names.ANNOTATION_APPLIED: "", "note": "1"}
