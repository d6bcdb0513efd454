"""Helm and kubectl on a real API server: what is left when Helm is killed, and what is told when a rollout fails."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.testing.controlplane import running
from smartcourse_dev import application
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.settings import ROOT
from smartcourse_dev.shell import CommandError, Log

PENDING_SECONDS = 60
Helm = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubectl]:
    with running() as plane:
        monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig("admin", tmp_path)))
        yield Kubectl("test")


@pytest.fixture
def helm(kubectl: Kubectl) -> Helm:
    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [os.environ["HELM"], "upgrade", "--install", application.OPERATOR]
        command += [str(ROOT / "charts" / application.OPERATOR), "--namespace", application.OPERATOR_NAMESPACE]
        command += ["--create-namespace", "--skip-crds", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


def states(kubectl: Kubectl) -> set[str]:
    place = ("--namespace", application.OPERATOR_NAMESPACE)
    found = json.loads(kubectl.read("get", "secrets", *place, "--selector", "owner=helm", "--output", "json"))
    return {item["metadata"]["labels"]["status"] for item in found["items"]}


def test_a_release_in_which_helm_was_killed_is_upgraded_all_the_same(
    kubectl: Kubectl, helm: Helm, tmp_path: Path
) -> None:
    killed = helm("--wait", "--timeout", "5m")  # no kubelet runs, so it waits
    until = time.monotonic() + PENDING_SECONDS
    while "pending-install" not in states(kubectl):
        assert killed.poll() is None, killed.communicate()[0]
        assert time.monotonic() < until, "Helm recorded nothing"
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    refused = helm()
    assert "another operation" in refused.communicate()[0]
    assert refused.returncode

    application.forget_interrupted(kubectl, Log(tmp_path / "log"))
    resumed = helm()
    output = resumed.communicate()[0]
    assert not resumed.returncode, output
    assert states(kubectl) == {"deployed"}

    application.forget_interrupted(kubectl, Log(tmp_path / "log"))
    assert states(kubectl) == {"deployed"}, "a release that is whole is left alone"


def test_why_a_rollout_fails_is_in_the_log(kubectl: Kubectl, tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "full", "namespace": "default"},
        "involvedObject": {"kind": "Pod", "name": "traefik-1", "namespace": "default"},
        "reason": "FailedScheduling",
        "message": "no room on any node",
        "type": "Warning",
    }
    kubectl.apply(log, json.dumps(event))
    with pytest.raises(CommandError, match="rollout"), kubectl.explaining(log, "default", "traefik"):
        kubectl.run(log, "rollout", "status", "deployment/traefik")
    assert "no room on any node" in log.path.read_text(encoding="utf-8")
