"""What tools and nodes are told about the local image registry fits together."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from smartcourse_dev import cluster, registry
from smartcourse_dev.cluster import FILES
from smartcourse_dev.settings import Settings


def announced() -> dict[str, str]:
    configured = yaml.safe_load((FILES / "local-registry.yaml").read_text("utf-8"))
    assert configured["metadata"] == {"name": "local-registry-hosting", "namespace": "kube-public"}
    found: dict[str, str] = yaml.safe_load(configured["data"]["localRegistryHosting.v1"])
    return found


def directory(host: str) -> str:
    """Return the name by which containerd looks for a host's settings: a colon is no part of it."""
    return re.sub(r":(\d+)$", r"_\1_", host)


def test_tools_are_told_the_names_that_the_registry_has_here_and_on_the_nodes() -> None:
    assert announced()["host"] == registry.PUSH_HOST
    assert announced()["hostFromContainerRuntime"] == registry.HOST


def test_nodes_find_the_registry_under_both_names() -> None:
    for host in (registry.PUSH_HOST, registry.HOST):
        text = (FILES / "certs.d" / directory(host) / "hosts.toml").read_text("utf-8")
        assert f'[host."http://{registry.CONTAINER}:5000"]' in text


def test_nodes_mount_copies_of_every_file_that_they_need() -> None:
    settings = Settings(cluster="any")
    mounted = dict(cluster.mounted(settings))
    assert set(mounted) == {FILES / "audit-policy.yaml", *(FILES / "certs.d").glob("*/hosts.toml")}
    relative = {target.relative_to(settings.directory) for target in mounted.values()}
    assert Path("policies/audit-policy.yaml") in relative
    assert Path("certs.d/localhost_5001_/hosts.toml") in relative
