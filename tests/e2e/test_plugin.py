"""`kubectl smartcourse` as a platform engineer uses it: found by kubectl, on a real cluster."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import NAME
from .kubernetes import OPERATOR_NAMESPACE, Kubectl, eventually
from .people import Platform

PATH = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
"""This checkout's plugin, wherever `make up` was run last."""
Plugin = Callable[..., subprocess.CompletedProcess[str]]
HELM_RELEASE = "helm.sh/release.v1"


@pytest.fixture
def plugin(kubectl: Kubectl) -> Plugin:
    def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        where = ("--context", kubectl.context, "-n", kubectl.namespace)
        done = subprocess.run(
            ["kubectl", "smartcourse", *arguments, *where], env=os.environ | PATH, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.mark.core
def test_status_exits_zero_and_shows_ready_with_the_pods(platform: Platform, kubectl: Kubectl, plugin: Plugin) -> None:
    kubectl.wait_ready(NAME)
    shown = plugin("status").stdout
    assert shown.splitlines()[0].startswith(f"{NAME}  Ready")
    pods = [pod for pod in kubectl.list("pods", f"app.kubernetes.io/instance={NAME}")
            if pod["status"]["phase"] == "Running"]  # fmt: skip
    assert len(pods) >= 7
    for pod in pods:
        assert pod["metadata"]["name"] in shown
    assert f"data-{NAME}-postgres-0" in shown
    assert json.loads(plugin("status", NAME, "-o", "json").stdout)["waitsFor"] == ""


@pytest.mark.core
def test_the_printed_password_logs_in(platform: Platform, plugin: Plugin) -> None:
    email, password = plugin("admin-password", "--email").stdout.strip(), plugin("admin-password").stdout.strip()
    assert platform.log_in(email, password).get("/api/auth/me").json()["role"] == "admin"


@pytest.mark.core
def test_a_support_bundle_holds_logs_and_metrics_and_no_secret(
    platform: Platform, kubectl: Kubectl, plugin: Plugin, tmp_path: Path
) -> None:
    target = tmp_path / "bundle.tar.gz"
    plugin("support-bundle", "-f", str(target))
    with tarfile.open(target) as tar:
        files = {entry.name.partition("/")[2]: content.read().decode()
                 for entry in tar.getmembers() if (content := tar.extractfile(entry))}  # fmt: skip
    text = "\n".join(files.values())
    values = [
        base64.b64decode(value).decode()
        for namespace in (kubectl.namespace, OPERATOR_NAMESPACE)
        for secret in kubectl.in_namespace(namespace).list("secrets")
        if secret["type"] != HELM_RELEASE
        for value in secret["data"].values()
    ]
    assert len(values) > 15
    for value in values:
        assert value not in text
        assert quote(value, safe="") not in text
        assert base64.b64encode(value.encode()).decode() not in text
    assert '"message"' in next(log for path, log in files.items() if path.startswith(f"logs/{NAME}-user-"))
    assert "smartcourse_operator_reconciles_total" in "".join(
        metrics for path, metrics in files.items() if path.startswith("operator/metrics/")
    )


@pytest.mark.core
def test_logs_of_a_component_come_from_all_its_containers_and_are_followed(
    platform: Platform, kubectl: Kubectl, plugin: Plugin, tmp_path: Path
) -> None:
    assert "/nginx " in plugin("logs", "gateway").stdout
    last = plugin("logs", "user", "--raw", "--tail", "1").stdout.splitlines()[-1]
    assert json.loads(last)["service"] == "user-service"
    followed = tmp_path / "log"
    command = ["kubectl", "smartcourse", "logs", "gateway", "-f", "--tail", "0", "--context", kubectl.context]
    command += ["-n", kubectl.namespace]
    with followed.open("w") as file, subprocess.Popen(command, stdout=file, env=os.environ | PATH) as following:
        try:

            def is_seen() -> bool:
                platform.client.get("/api/courses/999999999")
                return "/api/courses/999999999" in followed.read_text()

            eventually(is_seen, timeout_seconds=30, what="a request in the followed log")
        finally:
            following.terminate()


@pytest.mark.core
def test_the_operators_releases_can_be_checked(platform: Platform, plugin: Plugin) -> None:
    assert plugin("upgrade", "--check").stdout == "1.0.0 runs already.\n"
    assert "The operator has no release 9.9.9" in plugin("upgrade", "9.9.9", "--check", code=1).stdout


@pytest.mark.core
def test_kubectls_completion_knows_the_plugins_commands() -> None:
    done = subprocess.run(
        ["kubectl", "__complete", "smartcourse", "restart", "gat"], env=os.environ | PATH, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "gateway"


def test_what_is_paused_says_so_and_is_ready_again_when_resumed(
    platform: Platform, kubectl: Kubectl, plugin: Plugin
) -> None:
    try:
        assert f"{NAME} is paused" in plugin("pause").stderr
        assert f"{NAME}  Paused" in plugin("status").stdout
    finally:
        assert f"{NAME} is Ready" in plugin("resume").stderr


@pytest.mark.core
def test_what_hibernates_runs_nothing_and_has_its_data_when_it_wakes(
    platform: Platform, kubectl: Kubectl, plugin: Plugin
) -> None:
    instance = f"app.kubernetes.io/instance={NAME}"

    def volumes() -> set[str]:
        return {claim["metadata"]["uid"] for claim in kubectl.list("persistentvolumeclaims", instance)}

    courses, before = platform.client.get("/api/courses").json()["total"], volumes()
    try:
        assert f"{NAME} is hibernated" in plugin("hibernate").stderr
        assert plugin("status", code=1).stdout.startswith(f"{NAME}  Hibernated")
        pods = kubectl.list("pods", instance)
        assert [pod for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed")] == []
        assert before
        assert volumes() == before
    finally:
        plugin("wake", "--no-wait")
        kubectl.wait_ready(NAME)
    eventually(lambda: platform.client.get("/health").status_code == 200, timeout_seconds=60, what="health to be 200")
    assert platform.client.get("/api/courses").json()["total"] == courses


def test_a_restarted_component_has_new_pods(platform: Platform, kubectl: Kubectl, plugin: Plugin) -> None:
    def pods() -> set[str]:
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/name=notification"
        return {pod["metadata"]["name"] for pod in kubectl.list("pods", selector)
                if "deletionTimestamp" not in pod["metadata"]}  # fmt: skip

    before = pods()
    assert f"{NAME}-notification is replaced" in plugin("restart", "notification").stderr
    assert before
    assert not before & pods()
    kubectl.wait_ready(NAME)
