"""What is told when a cluster cannot be asked, or will not answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.testing.controlplane import ControlPlane, running
from shared.testing.processes import free_port

from .conftest import Plugin, World


@pytest.fixture(scope="module")
def bare() -> Iterator[ControlPlane]:
    with running() as plane:
        yield plane


def test_a_cluster_without_the_definition_says_how_to_install_it(
    bare: ControlPlane, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig("admin", tmp_path)))
    done = plugin("status", namespace="default")
    assert done.code == 3
    assert "does not know smartcourses.smartcourse.io" in done.err
    assert "helm upgrade --install smartcourse-operator" in done.err


def test_a_cluster_that_is_away_is_named_with_its_address(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"https://127.0.0.1:{free_port()}"
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "gone", "users": [{"name": "me", "user": {}}],
        "clusters": [{"name": "gone", "cluster": {"server": address}}],
        "contexts": [{"name": "gone", "context": {"cluster": "gone", "user": "me"}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    done = plugin("status")
    assert done.code == 3
    assert "context gone does not answer" in done.err
    assert address in done.err


def test_an_unknown_context_is_told(plugin: Plugin) -> None:
    done = plugin("status", "--context", "nowhere")
    assert done.code == 3
    assert "nowhere" in done.err
    assert "kubectl config get-contexts" in done.err


def test_a_missing_permission_is_told_in_the_api_servers_words(
    world: World, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.plane.kubeconfig("traefik", tmp_path)))
    done = plugin("status")
    assert done.code == 3
    assert 'cannot list resource "smartcourses"' in done.err
    assert "plugin/README.md" in done.err


def test_the_contexts_namespace_is_the_default(world: World, plugin: Plugin, tmp_path: Path) -> None:
    path = world.plane.kubeconfig("admin", tmp_path)
    config = json.loads(path.read_text())
    config["contexts"][0]["context"]["namespace"] = world.namespace
    path.write_text(json.dumps(config))
    world.smart_course()
    assert plugin("status", namespace="").code == 0
