"""The kind cluster: made, started again, or left alone when it runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smartcourse_dev import catalogue, docker, golang, registry
from smartcourse_dev.catalogue import Source
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.settings import INFRASTRUCTURE, Settings, SettingsError
from smartcourse_dev.shell import CommandError, Log, StepError, capture

KIND_VERSION = "v0.33.0"
INGRESS_NODE_PORT = 30080
RESTART_TIMEOUT_SECONDS = 120
FILES = INFRASTRUCTURE / "kind"
POLICIES = "/etc/kubernetes/policies"
AUDIT_LOGS = "/var/log/kubernetes"


def has_kind_on_path() -> bool:
    """Whether the `kind` on PATH is of the version that the node images are for."""
    found = shutil.which("kind")
    return bool(found) and KIND_VERSION in capture(str(found), "version")


def kind_program() -> str:
    return str(shutil.which("kind")) if has_kind_on_path() else str(golang.output("kind") / "kind")


def configuration(settings: Settings, source: Source) -> dict[str, Any]:
    """Return kind's configuration of the cluster."""
    mirror = {
        "hostPath": str(settings.directory / "certs.d"),
        "containerPath": "/etc/containerd/certs.d",
        "readOnly": True,
    }
    policies = {"hostPath": str(settings.directory / "policies"), "containerPath": POLICIES, "readOnly": True}
    ingress = {
        "containerPort": INGRESS_NODE_PORT,
        "hostPort": settings.http_port,
        "listenAddress": "127.0.0.1",
        "protocol": "TCP",
    }
    control_plane = {"role": "control-plane", "extraPortMappings": [ingress], "extraMounts": [mirror, policies]}
    workers = [{"role": "worker", "extraMounts": [mirror]} for _ in range(1, settings.nodes)]
    networking: dict[str, Any] = {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"}
    if source is Source.OFFLINE:
        networking["disableDefaultCNI"] = True  # our nodes bring theirs
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": settings.cluster,
        "networking": networking,
        "kubeadmConfigPatches": [yaml.safe_dump(patch) for patch in (cluster_patch(source), kubelet_patch(source))],
        "nodes": [control_plane, *workers],
    }


def cluster_patch(source: Source) -> dict[str, Any]:
    """Return kubeadm's part: the audit log, and offline the images."""
    arguments = {
        "audit-policy-file": f"{POLICIES}/audit-policy.yaml",
        "audit-log-path": f"{AUDIT_LOGS}/audit.log",
        "audit-log-maxsize": "50",
        "audit-log-maxbackup": "1",
    }
    volumes = [
        {"name": name, "hostPath": path, "mountPath": path, "readOnly": read_only, "pathType": "DirectoryOrCreate"}
        for name, path, read_only in (("policies", POLICIES, True), ("audit-logs", AUDIT_LOGS, False))
    ]
    patch: dict[str, Any] = {
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": [{"name": name, "value": value} for name, value in arguments.items()],
            "extraVolumes": volumes,
        },
    }
    if source is Source.OFFLINE:
        patch |= {
            "imageRepository": registry.HOST,
            "etcd": {"local": {"imageTag": catalogue.IMAGES["etcd"].offline.partition(":")[2]}},
            "dns": {"imageTag": catalogue.IMAGES["coredns"].offline.partition(":")[2]},
        }
    return patch


def kubelet_patch(source: Source) -> dict[str, Any]:
    patch: dict[str, Any] = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "failCgroupV1": False,
        "serializeImagePulls": False,
    }
    if source is Source.OFFLINE:  # no systemd on our nodes, and their volumes' file system tells nothing of quotas
        patch |= {"cgroupDriver": "cgroupfs", "localStorageCapacityIsolation": False}
    return patch


@dataclass(frozen=True)
class Made:
    """How a cluster was made; it stays so until it is deleted."""

    source: Source
    http_port: int
    nodes: int

    @classmethod
    def of(cls, configuration: dict[str, Any]) -> Made:
        """Read it from kind's configuration."""
        (ingress,) = configuration["nodes"][0]["extraPortMappings"]
        source = Source.OFFLINE if configuration["networking"].get("disableDefaultCNI") else Source.UPSTREAM
        return cls(source, ingress["hostPort"], len(configuration["nodes"]))


def made(settings: Settings) -> Made | None:
    """Return how the cluster was made, None where there is none; while the engine is down its files are believed."""
    file = settings.directory / "kind.yaml"
    if not (settings.directory / "created").exists() or not file.exists():
        return None
    if docker.is_reachable() and not nodes(settings):
        return None
    return Made.of(yaml.safe_load(file.read_text(encoding="utf-8")))


def source(settings: Settings) -> Source:
    """Return where images come from: a cluster keeps to its source, for another database server can't read its data.

    Raises:
        SettingsError: the cluster was made otherwise than is asked for now.
    """
    found = made(settings)
    if found is None:
        return catalogue.choose(settings.images)
    others = {
        "IMAGES": (settings.images and settings.images != found.source, settings.images, found.source),
        "HTTP_PORT": (settings.http_port != found.http_port, settings.http_port, found.http_port),
        "NODES": (settings.nodes > found.nodes, settings.nodes, found.nodes),
    }
    for name, (is_other, wanted, present) in others.items():
        if is_other:
            raise SettingsError(
                f"{name} is {wanted}, and the cluster {settings.cluster} was made with {name}={present}: give that, or "
                f"run `make down` first, which gives up the cluster and its data"
            )
    return found.source


def nodes(settings: Settings) -> list[str]:
    """Return the names of the cluster's containers, running or not."""
    label = f"label=io.x-k8s.kind.cluster={settings.cluster}"
    return capture(*docker.command("ps", "--all", "--filter", label, "--format", "{{.Names}}")).split()


def clusters() -> set[str]:
    """Return the names of all kind clusters on this engine."""
    shown = '{{.Label "io.x-k8s.kind.cluster"}}'
    return set(
        capture(*docker.command("ps", "--all", "--filter", "label=io.x-k8s.kind.cluster", "--format", shown)).split()
    )


def is_up(settings: Settings) -> bool:
    """Whether the cluster was made wholly, has the mounted files as they are now, runs and answers."""
    found = nodes(settings)
    current = all(
        target.exists() and target.read_bytes() == source.read_bytes() for source, target in mounted(settings)
    )
    complete = current and (settings.directory / "created").exists() and len(found) >= settings.nodes
    return complete and all(docker.state(node) == "running" for node in found) and Kubectl(settings.context).answers()


def ensure(settings: Settings, source: Source, log: Log) -> None:
    """Leave the cluster running: start it if it is stopped, make it if there is none or only half of one.

    Raises:
        StepError: it was made wholly once and does not come back; its data is left alone.
    """
    marker = settings.directory / "created"
    for file, target in mounted(settings):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, target)
    if nodes(settings) and marker.exists():
        restart(settings, log)
        return
    if nodes(settings):
        log.tell("a cluster that was never finished is made anew")
        delete(settings, log)
    marker.unlink(missing_ok=True)
    create(settings, source, log)
    marker.touch()


def mounted(settings: Settings) -> Iterator[tuple[Path, Path]]:
    """Yield the files that nodes mount, each with the copy that they mount: the checkout may move or go."""
    yield FILES / "audit-policy.yaml", settings.directory / "policies" / "audit-policy.yaml"
    for file in sorted((FILES / "certs.d").rglob("hosts.toml")):
        yield file, settings.directory / file.relative_to(FILES)


def create(settings: Settings, source: Source, log: Log) -> None:
    """Make the cluster, whose nodes mount the files that are already copied."""
    file = settings.directory / "kind.yaml"
    file.write_text(yaml.safe_dump(configuration(settings, source), sort_keys=False), encoding="utf-8")
    image = catalogue.reference("node", source)
    log.run(
        kind_program(),
        "create",
        "cluster",
        "--image",
        image,
        "--config",
        str(file),
        "--retain",  # so that the logs of a node that failed can be read; the next run deletes it
        "-v",
        "1",
        env=docker.environment(),
    )


def restart(settings: Settings, log: Log) -> None:
    for node in nodes(settings):
        if docker.state(node) != "running":
            log.tell(f"starting {node}")
            log.run(*docker.command("start", node))
    log.run(kind_program(), "export", "kubeconfig", "--name", settings.cluster, env=docker.environment())
    wait_for_api(settings, log)


def wait_for_api(settings: Settings, log: Log) -> None:
    until = time.monotonic() + RESTART_TIMEOUT_SECONDS
    while not Kubectl(settings.context).answers():
        if time.monotonic() > until:
            raise StepError(
                f"cluster {settings.cluster} was started; its API does not answer within {RESTART_TIMEOUT_SECONDS} s",
                remedy=f"see `docker logs {settings.cluster}-control-plane`; `make down` gives up cluster and data",
            )
        log.wait(1)


def wait_for_nodes(settings: Settings, log: Log) -> None:
    Kubectl(settings.context).run(log, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s")


def delete(settings: Settings, log: Log) -> None:
    """Delete the cluster, and the registry with the last cluster; what is cached stays."""
    log.run(kind_program(), "delete", "cluster", "--name", settings.cluster, env=docker.environment())
    (settings.directory / "created").unlink(missing_ok=True)
    if not clusters():
        docker.remove(registry.CONTAINER)


def has_programs() -> bool:
    return all(map(shutil.which, ("kind", "kubectl")))


def install_programs(settings: Settings, source: Source, log: Log) -> None:
    """Put kind and kubectl on PATH where there is none; kubectl is the one that was built, or the node's own."""
    if not shutil.which("kind"):
        golang.install("kind", "kind")
    if shutil.which("kubectl"):
        return
    if source is Source.OFFLINE:
        golang.install("kubernetes", "kubectl")
        return
    target = Path("/usr/local/bin/kubectl")
    try:
        log.run(*docker.command("cp", f"{settings.cluster}-control-plane:/usr/bin/kubectl", str(target)))
    except CommandError as error:
        raise StepError(
            f"kubectl can't be put into {target.parent}: {error}", remedy="install kubectl and run again"
        ) from error
