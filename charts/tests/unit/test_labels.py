"""Labels and selectors: what the operator, people and other objects find things by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Render = Callable[..., list[Document]]

COMPONENTS = {"gateway", "user", "course", "notification", "postgres", "mongodb", "redis", "backup"}
PHASES = {"datastores", "provision", "migrations", "services", "gateway", "route", "forwardAuth", "contract", "seed",
          "monitoring"}  # fmt: skip
LONGEST_RELEASE = "n" * 40


def matches(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector selects an object that has the labels."""
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", [])
    )


def test_every_object_says_what_it_is_and_when_its_turn_is(objects: list[Document]) -> None:
    for each in objects:
        labels = each["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"]
        assert component in COMPONENTS
        assert labels["app.kubernetes.io/name"] == component
        assert labels["app.kubernetes.io/instance"] == "academy"
        assert labels["app.kubernetes.io/part-of"] == "smartcourse"
        assert labels["app.kubernetes.io/version"] == "1.0.0"
        assert labels["app.kubernetes.io/managed-by"]
        assert labels["smartcourse.io/phase"] in PHASES
        assert each["metadata"]["name"].startswith(f"academy-{component}")


def test_phases_hold_what_they_are_called_after(render: Render) -> None:
    def kinds(phase: str, case: str = "httproute") -> set[str]:
        found = [each for each in render(case) if each["metadata"]["labels"]["smartcourse.io/phase"] == phase]
        return {each["kind"] for each in found}

    assert "StatefulSet" in kinds("datastores")
    assert kinds("provision") == {"ConfigMap", "Job"}
    assert kinds("migrations") == {"Job"}
    assert kinds("services") == kinds("gateway") == {"Deployment", "Service", "PodDisruptionBudget"}
    assert kinds("route") == {"HTTPRoute"}
    assert kinds("seed") == {"Job"}
    assert kinds("monitoring") == kinds("contract") == set()
    assert kinds("contract", "contract") == {"Job"}


def test_selectors_and_what_may_not_change_name_no_version(objects: list[Document]) -> None:
    for each in objects:
        template = each.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
        assert "app.kubernetes.io/version" not in template
        selector = each.get("spec", {}).get("selector") or {}
        labels = selector.get("matchLabels", selector)
        assert labels.keys() <= {"app.kubernetes.io/name", "app.kubernetes.io/instance"}


def test_a_service_selects_its_pods_and_never_a_jobs(render: Render) -> None:
    objects = render("httproute")
    pods = [
        (each["kind"], each["spec"]["template"]["metadata"]["labels"])
        for each in objects
        if "template" in each.get("spec", {})
    ]
    for service in (each for each in objects if each["kind"] == "Service"):
        selected = [kind for kind, labels in pods if matches({"matchLabels": service["spec"]["selector"]}, labels)]
        assert len(selected) == 1
        assert selected[0] in {"Deployment", "StatefulSet"}


def test_every_pod_is_under_exactly_one_network_policy(objects: list[Document]) -> None:
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    assert all(policy["policyTypes"] == ["Ingress", "Egress"] for policy in policies)
    for each in objects:
        if labels := each.get("spec", {}).get("template", {}).get("metadata", {}).get("labels"):
            assert len([policy for policy in policies if matches(policy["podSelector"], labels)]) == 1, each["metadata"]


def test_the_longest_name_of_a_smartcourse_gives_valid_names(render: Render) -> None:
    for each in render("httproute", release=LONGEST_RELEASE):
        assert len(each["metadata"]["name"]) <= 63, each["metadata"]["name"]
        assert all(len(value) <= 63 for value in each["metadata"]["labels"].values())
