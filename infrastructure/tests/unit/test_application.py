"""Reading a SmartCourse's status, and the memory figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartcourse_dev import golang, kubectl
from smartcourse_dev.application import described, is_ready, progress_of
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.status import Pod, pods, quantity_bytes, total_memory


def resource(*, ready: str, generation: int = 2, observed: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"generation": generation},
        "status": {
            "observedGeneration": observed,
            "phase": "services",
            "conditions": [{"type": "Ready", "status": ready, "reason": "Waiting", "message": "user: 0 of 1 ready"}],
        },
    }


def test_ready_counts_only_for_the_generation_it_was_said_of() -> None:
    assert is_ready(resource(ready="True"))
    assert not is_ready(resource(ready="True", generation=3))
    assert not is_ready(resource(ready="False"))
    assert not is_ready({})


def test_phase_and_message_make_the_line_that_is_shown() -> None:
    assert described(resource(ready="False")) == "services: user: 0 of 1 ready"
    assert described({}) == "not seen by the operator yet: no condition yet"


@pytest.mark.parametrize(("text", "size"), [("12Mi", 12 * 2**20), ("3Ki", 3072), ("7", 7), ("1G", 10**9)])
def test_memory_quantities(text: str, size: int) -> None:
    assert quantity_bytes(text) == size


def test_pods_are_joined_with_their_memory_and_finished_ones_left_out() -> None:
    def pod(name: str, phase: str) -> dict[str, Any]:
        return {
            "metadata": {"namespace": "a", "name": name},
            "spec": {"containers": [{}, {}]},
            "status": {
                "phase": phase,
                "containerStatuses": [{"ready": True, "restartCount": 1}, {"ready": False, "restartCount": 2}],
            },
        }

    usage = [{"usage": {"memory": "1Mi"}}, {"usage": {"memory": "2Mi"}}]
    metrics = [{"metadata": {"namespace": "a", "name": "gateway"}, "containers": usage}]
    (found,) = pods([pod("gateway", "Running"), pod("job", "Succeeded")], metrics)
    assert (found.ready, found.restarts, found.memory_bytes) == ("1/2", 3, 3 * 2**20)


def test_memory_that_nobody_measured_is_not_called_none() -> None:
    def pod(memory_bytes: int) -> Pod:
        return Pod("a", "b", "1/1", "Running", 0, memory_bytes)

    assert total_memory([pod(0)]) == "not known yet"
    assert total_memory([pod(2**20), pod(0)]) == "1 MiB"


def test_where_there_is_no_kubectl_no_cluster_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(golang, "output", lambda _: tmp_path)
    assert kubectl.kubectl_program() == str(tmp_path / "kubectl")
    assert not Kubectl("kind-nowhere").answers()
    assert Kubectl("kind-nowhere").find("pods") is None


def deployment(image: str, *, available: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"name": "academy-user", "generation": 4},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": image}]}}},
        "status": {"observedGeneration": 4, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        ([deployment("user:new")], False),
        ([deployment("user:old")], True),
        ([deployment("user:new", available=0)], True),
        ([], True),
    ],
    ids=["rolled out", "old image", "not available yet", "missing"],
)
def test_ready_with_yesterdays_images_is_not_the_end(found: list[dict[str, Any]], *, waits: bool) -> None:
    assert bool(progress_of(resource(ready="True"), found, {"user": "user:new"})) is waits


def test_a_resource_that_names_its_own_images_is_not_held_to_ours() -> None:
    own = resource(ready="True") | {"spec": {"images": {"user": "mine"}}}
    assert progress_of(own, [deployment("mine")], {"user": "user:new"}) == ""
