"""Views of documents, and what is drawn of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from smartcourse_kubectl.core.ages import span
from smartcourse_kubectl.core.view import View, to_json, view
from smartcourse_kubectl.render.tree import tree

NOW = datetime(2026, 1, 2, 3, 14, 5, tzinfo=UTC)
SINCE = "2026-01-02T03:04:05Z"


def condition(kind: str, status: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": "Because", "message": message, "lastTransitionTime": SINCE}


def resource(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "academy", "namespace": "school", "generation": 2, "creationTimestamp": SINCE},
        "spec": status.pop("spec", {}),
        "status": {"observedGeneration": 2, "conditions": list(conditions), **status},
    }


def pod(name: str, component: str, *, ready: bool = True, phase: str = "Running", **status: Any) -> dict[str, Any]:
    statuses = [{"name": "c", "ready": ready, "restartCount": 0, "state": {"running": {}}}]
    return {
        "metadata": {"name": name, "creationTimestamp": SINCE, "labels": {"app.kubernetes.io/component": component}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "localhost:5001/x/user-service:1.2.3"}]},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }


def drawn(shown: View, width: int = 100) -> str:
    console = Console(width=width, no_color=True, highlight=False)
    with console.capture() as capture:
        console.print(tree(shown, NOW))
    return capture.get()


READY = condition("Ready", "True", "It serves.")


def test_ready_is_what_the_operator_says_of_the_present_generation() -> None:
    assert view(resource(READY)).is_ready
    assert not view(resource(READY, observedGeneration=1)).is_ready
    assert not view(resource(condition("Ready", "False", "a pod"))).is_ready
    assert not view(resource()).is_ready


def test_what_it_waits_for_is_the_ready_conditions_message() -> None:
    assert view(resource(condition("Ready", "False", "a pod"))).waits_for == "a pod"
    assert view(resource()).waits_for == "the operator's first look at it"
    assert view(resource(READY)).waits_for == ""


def test_a_resource_without_any_status_can_be_shown() -> None:
    young = {"metadata": {"name": "academy", "namespace": "school", "generation": 1}}
    assert "none yet" in drawn(view(young))
    assert to_json(view(young))["ready"] is False


def test_pods_are_in_the_order_of_a_requests_way_and_finished_jobs_are_left_out() -> None:
    found = [pod("academy-postgres-0", "postgres"), pod("academy-user-1", "user"), pod("academy-gateway-1", "gateway"),
             pod("academy-user-migrate-1", "user", phase="Succeeded")]  # fmt: skip
    shown = view(resource(READY), found)
    assert [one.name for one in shown.pods] == ["academy-gateway-1", "academy-user-1", "academy-postgres-0"]


def test_the_tree_of_a_ready_one() -> None:
    spec = {"storageClassName": "standard", "resources": {"requests": {"storage": "1Gi"}}}
    status = {"phase": "Bound", "capacity": {"storage": "2Gi"}}
    claim = {"metadata": {"name": "data-academy-postgres-0"}, "spec": spec, "status": status}
    document = resource(READY, condition("Degraded", "False"), phase="ready", url="http://x", version="1.0.0")
    text = drawn(view(document, [pod("academy-user-1", "user")], [claim]))
    assert text.splitlines()[0] == "academy  Ready  namespace school · 10m old"
    assert "✓ secrets  ✓ datastores" in text
    assert "✓  Ready=True      Because  10m  It serves." in text
    assert "✓  academy-user-1  1/1  0 restarts  10m  node-1  user-service:1.2.3" in text
    assert "✓  data-academy-postgres-0  2Gi  Bound  standard" in text
    assert "Waits for" not in text


def test_the_last_backup_is_shown_and_that_there_is_none() -> None:
    told = {"lastName": "nightly-1", "lastCompletedAt": SINCE}
    text = drawn(view(resource(READY, backup=told, spec={"backup": {}})))
    assert "Backup   nightly-1, 10m old" in text
    assert to_json(view(resource(READY, backup=told)))["lastBackup"] == {"name": "nightly-1", "at": SINCE}
    assert "Backup   none yet" in drawn(view(resource(READY, spec={"backup": {}})))
    assert "spec.backup is not set" in drawn(view(resource(READY)))


def test_the_tree_of_one_in_trouble_says_where_and_why() -> None:
    waiting = [{"name": "c", "ready": False, "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}}]  # fmt: skip
    trouble = pod("academy-user-1", "user", ready=False, containerStatuses=waiting)
    document = resource(
        condition("Ready", "False", "the user-service"), condition("Degraded", "True"), phase="services"
    )
    text = drawn(view(document, [trouble]))
    assert "Degraded" in text.splitlines()[0]
    assert "✓ migrations  … services  · gateway" in text
    assert "academy-user-1: CrashLoopBackOff: back-off" in text
    assert "3 restarts" in text


def test_messages_wrap_in_a_narrow_terminal_and_brackets_are_no_markup() -> None:
    text = drawn(view(resource(condition("Ready", "False", "word " * 40 + "[red]end[/red]"))), width=60)
    assert "[red]end[/red]" in text.replace("│", "").replace("\n", "").replace(" ", "")
    assert all(len(line) <= 60 for line in text.splitlines())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (190, "3m10s"), (3000, "50m"), (4 * 3600, "4h"), (50 * 3600, "2d")],
)
def test_spans(seconds: int, text: str) -> None:
    assert span(seconds) == text


def test_a_volume_that_has_less_than_is_asked_for_shows_both_sizes() -> None:
    claim = {
        "metadata": {"name": "data-academy-postgres-0"},
        "spec": {"resources": {"requests": {"storage": "2Gi"}}},
        "status": {"phase": "Bound", "capacity": {"storage": "2Gi"}},
    }
    short = {"claim": "data-academy-postgres-0", "component": "postgres", "size": "2Gi", "wanted": "4Gi"}
    shown = view(resource(READY, storage=[short]), claims=[claim])
    assert "2Gi, 4Gi asked for" in drawn(shown)
    assert [(one["size"], one["wanted"]) for one in to_json(shown)["volumes"]] == [("2Gi", "4Gi")]
    assert "asked for" not in drawn(view(resource(READY), claims=[claim]))
