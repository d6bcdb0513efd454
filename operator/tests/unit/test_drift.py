"""Telling what somebody changed from what the API server completed."""

from __future__ import annotations

from typing import Any

import pytest

from smartcourse_operator.core import drift


def deployment(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a-user", "labels": {"a": "b"}},
        "spec": spec,
    }


def found(rendered: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return drift.shown(drift.differences(rendered, live))


def pod(**container: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "user", **container}]}}}


def test_what_the_server_completes_is_no_difference() -> None:
    live = deployment(replicas=1, progressDeadlineSeconds=600, **pod(image="i", terminationMessagePath="/dev/log"))
    live["metadata"] |= {"uid": "1", "labels": {"a": "b", "other": "c"}}
    live["status"] = {"replicas": 1}
    assert found(deployment(replicas=1, **pod(image="i")), live) == []


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ({"limits": {"cpu": "0.5", "memory": "1024Mi"}}, {"limits": {"cpu": "500m", "memory": "1Gi"}}),
        ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"}}),
        ({"requests": {"cpu": 1}}, {"requests": {"cpu": "1"}}),
        ({"sizeLimit": "1Gi"}, {"sizeLimit": "1024Mi"}),
        ({"env": []}, {}),
        ({"readOnly": False}, {}),
        ({"initialDelaySeconds": 0}, {}),
        ({"selector": {}}, {"selector": {}}),
    ],
)
def test_two_ways_of_writing_the_same_are_no_difference(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert found(deployment(**wanted), deployment(**live)) == []


@pytest.mark.parametrize(
    ("wanted", "live", "difference"),
    [
        ({"replicas": 1}, {"replicas": 3}, "spec.replicas"),
        ({"replicas": 1}, {}, "spec.replicas"),
        ({"automountServiceAccountToken": False}, {}, "spec.automountServiceAccountToken"),
        ({"limits": {"memory": "1Gi"}}, {"limits": {"memory": "2Gi"}}, "spec.limits.memory"),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B", "value": "1"}]}, "spec.env"),
        ({"port": 8000}, {"port": True}, "spec.port"),
    ],
)
def test_an_edit_is_a_difference(wanted: dict[str, Any], live: dict[str, Any], difference: str) -> None:
    assert found(deployment(**wanted), deployment(**live)) == [difference]


def test_items_of_a_named_list_are_compared_by_name_whatever_their_order() -> None:
    wanted = deployment(env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}])
    live = deployment(env=[{"name": "B", "value": "x"}, {"name": "A", "value": "1"}])
    assert found(wanted, live) == ["spec.env.0.value"]


def test_a_label_that_lost_its_value_is_a_difference() -> None:
    live = deployment()
    live["metadata"] = {"name": "a-user", "labels": {"a": "mine"}}
    assert found(deployment(), live) == ["metadata.labels.a"]


def test_a_jobs_spec_is_not_compared() -> None:
    wanted = {**deployment(parallelism=1), "kind": "Job"}
    assert found(wanted, {**deployment(parallelism=2), "kind": "Job"}) == []


@pytest.mark.parametrize(
    ("text", "amount"), [("1", 1), ("1500m", "1.5"), ("1Ki", 1024), ("2G", 2 * 10**9), ("much", None)]
)
def test_quantities(text: str, amount: Any) -> None:
    assert drift.quantity(text) == (None if amount is None else drift.Decimal(amount))
