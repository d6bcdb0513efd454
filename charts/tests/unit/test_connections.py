"""Connections to PostgreSQL: no more than it takes, and than its memory has room for."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

LISTENING = {"user": 1, "course": 2, "notification": 2}
KEPT_BACK = 20
MEBIBYTES = {"Mi": 1, "Gi": 1024}


def named(objects: list[Document], kind: str, name: str) -> Document | None:
    return next((each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)), None)


def server(objects: list[Document]) -> Document | None:
    found = named(objects, "StatefulSet", "academy-postgres")
    return found["spec"]["template"]["spec"]["containers"][0] if found else None


def parameters(container: Document) -> dict[str, str]:
    program, *rest = container["args"]
    assert program == "postgres"
    assert set(rest[::2]) == {"-c"}
    return dict(each.split("=", 1) for each in rest[1::2])


def most_pods(objects: list[Document], service: str) -> int:
    scaler = named(objects, "HorizontalPodAutoscaler", f"academy-{service}")
    deployment = named(objects, "Deployment", f"academy-{service}")
    assert deployment
    pods: int = scaler["spec"]["maxReplicas"] if scaler else deployment["spec"]["replicas"]
    return min(pods + 2, 2 * pods)


def connections_of_a_pod(objects: list[Document], service: str) -> int:
    deployment = named(objects, "Deployment", f"academy-{service}")
    assert deployment
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    return int(env["DATABASE_POOL_SIZE"]) + int(env["DATABASE_MAX_OVERFLOW"]) + LISTENING[service]


def test_the_server_takes_what_all_pods_of_a_rollout_may_open(objects: list[Document]) -> None:
    if container := server(objects):
        opened = sum(most_pods(objects, name) * connections_of_a_pod(objects, name) for name in LISTENING)
        assert opened + KEPT_BACK <= int(parameters(container)["max_connections"])


def test_the_servers_memory_has_room_for_its_parameters(objects: list[Document]) -> None:
    if container := server(objects):
        limit = container["resources"]["limits"]["memory"]
        mebibytes = int(limit[:-2]) * MEBIBYTES[limit[-2:]]
        made = parameters(container)
        assert int(made["max_connections"]) * 4 <= mebibytes
        assert int(made["shared_buffers"].removesuffix("MB")) * 4 == mebibytes


def test_only_what_serves_is_told_of_its_pool(pods: dict[str, Document]) -> None:
    told = {
        where
        for where, pod in pods.items()
        for container in [*pod.get("initContainers", []), *pod["containers"]]
        if "DATABASE_POOL_SIZE" in {each["name"] for each in container.get("env", [])}
    }
    assert told == {f"Deployment academy-{name}" for name in LISTENING}, "a Job would run again for another pool"
