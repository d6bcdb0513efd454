"""Which claims ask for another size, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from smartcourse_operator.core import growing
from smartcourse_operator.core.spec import SmartCourseSpec


def claim(requested: str, capacity: str | None = None, phase: str = "Bound", **status: Any) -> dict[str, Any]:
    has = {"capacity": {"storage": capacity}} if capacity else {}
    return {
        "metadata": {"name": "data-a-postgres-0", "labels": {"app.kubernetes.io/component": "postgres"}},
        "spec": {"resources": {"requests": {"storage": requested}}},
        "status": {"phase": phase, **has, **status},
    }


def condition(kind: str, status: str = "True", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "message": message}]}


@pytest.mark.parametrize(
    ("found", "wanted", "is_asked"),
    [
        (claim("2Gi", "2Gi"), "2Gi", False),
        (claim("2Gi", "2Gi"), "2048Mi", False),
        (claim("2Gi", "2Gi"), "4Gi", True),
        (claim("4Gi", "2Gi"), "4Gi", False),  # under way
        (claim("9Gi", "2Gi"), "4Gi", True),  # taken back to less than was asked for
        (claim("9Gi", "2Gi"), "2Gi", False),  # to what there is: the API server takes no such request
        (claim("8Gi", "8Gi"), "2Gi", False),  # a kept volume that is larger
        (claim("2Gi", "3Gi"), "3Gi", False),  # the driver gave more than was asked for
        (claim("2Gi", phase="Pending"), "4Gi", False),
        (claim("2Gi", "unreadable"), "4Gi", False),
    ],
)
def test_a_claim_asks_when_its_volume_is_bound_and_too_small(
    found: dict[str, Any], wanted: str, is_asked: bool
) -> None:
    assert growing.is_to_be_asked(found, wanted) is is_asked


def test_of_a_volume_that_is_large_enough_its_size_alone_is_told() -> None:
    told = growing.storage_of(claim("2Gi", "2Gi"), "2Gi")
    assert told.document() == {"claim": "data-a-postgres-0", "component": "postgres", "size": "2Gi"}


@pytest.mark.parametrize(
    ("found", "refusal", "reason", "words"),
    [
        (claim("4Gi", "2Gi"), "", "Growing", "has been asked"),
        (claim("4Gi", "2Gi", **condition("Resizing")), "", "Growing", "is growing the volume"),
        (claim("4Gi", "2Gi", **condition("Resizing", "False")), "", "Growing", "has been asked"),
        (claim("4Gi", "2Gi", **condition("FileSystemResizePending")), "", "Growing", "its file system follows"),
        (claim("2Gi", phase="Pending"), "", "Growing", "the claim is Pending"),
        (claim("2Gi", "2Gi"), "not by this class", "VolumeNotGrown", "not by this class"),
        (claim("4Gi", "2Gi", **condition("ControllerResizeError", message="full")), "", "VolumeNotGrown", "full"),
        (claim("4Gi", "2Gi", **condition("NodeResizeError")), "", "VolumeNotGrown", "NodeResizeError"),
        (
            claim("4Gi", "2Gi", allocatedResourceStatuses={"storage": "ControllerResizeInfeasible"}),
            "",
            "VolumeNotGrown",
            "(ControllerResizeInfeasible)",
        ),
    ],
)
def test_of_a_volume_that_is_too_small_it_is_told_why(
    found: dict[str, Any], refusal: str, reason: str, words: str
) -> None:
    told = growing.storage_of(found, "4Gi", refusal)
    assert (told.reason, told.wanted) == (reason, "4Gi")
    assert words in (told.message or "")
    assert growing.is_under_way([told]) is (reason == "Growing")
    assert bool(growing.shortfall([told])) is (reason == "VolumeNotGrown")


def test_what_is_wrong_names_the_claim_both_sizes_and_the_page_with_the_ways_out() -> None:
    problem = growing.shortfall([growing.storage_of(claim("2Gi", "2Gi"), "4Gi", "no")])
    assert problem
    assert problem.message.startswith("data-a-postgres-0 has 2Gi, 4Gi is asked for: no. ")
    assert problem.message.endswith("docs/how-to/grow-a-volume.md")


def test_no_message_is_longer_than_a_condition_takes() -> None:
    long = [growing.storage_of(claim("2Gi", "2Gi"), "4Gi", "x" * 5000)] * 4
    problem = growing.shortfall(long)
    assert problem
    assert len(problem.message) <= 4096


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"postgres": "2Gi", "mongodb": "2Gi", "redis": "1Gi"}),
        ({"backup": {}}, {"postgres": "2Gi", "mongodb": "2Gi", "redis": "1Gi", "backup": "10Gi"}),
        (
            {"databases": {"postgres": {"mode": "external", "secretName": "s"}, "redis": {"size": "3Gi"}}},
            {"mongodb": "2Gi", "redis": "3Gi"},
        ),
        (
            {"backup": {"destination": {"s3": {"endpoint": "http://s", "bucket": "abc", "secretName": "s"}}}},
            {"postgres": "2Gi", "mongodb": "2Gi", "redis": "1Gi"},
        ),
    ],
)
def test_sizes_are_asked_for_of_what_is_kept_inside(spec: dict[str, Any], expected: dict[str, str]) -> None:
    assert growing.wanted_sizes(SmartCourseSpec.model_validate(spec)) == expected


def stateful_set(size: str) -> dict[str, Any]:
    template = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}
    return {"kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {"volumeClaimTemplates": [template]}}


def test_a_live_statefulset_keeps_the_size_of_its_template_and_nothing_else() -> None:
    assert growing.with_live_sizes(stateful_set("4Gi"), stateful_set("2Gi")) == stateful_set("2Gi")
    other = {"kind": "Deployment", "spec": {"replicas": 1}}
    assert growing.with_live_sizes(other, {"kind": "Deployment", "spec": {}}) is other
    without = {"kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {}}
    assert growing.with_live_sizes(stateful_set("4Gi"), without) == stateful_set("4Gi")
