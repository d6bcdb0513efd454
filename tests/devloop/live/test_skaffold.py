"""`skaffold build`, `run`, `verify` and `delete`: the platform as in production, from this checkout's images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smartcourse_dev import registry
from tests.e2e.kubernetes import Kubectl

from .. import skaffold as declared
from ..sources import RELOADED
from .cluster import pods, wait_until_gone, wait_until_jobs_are_done
from .program import Skaffold

pytestmark = pytest.mark.timeout(1500)  # cases build, install and install again
MODULE = "smartcourse"


@pytest.fixture(scope="module")
def builds(skaffold: Skaffold) -> Path:
    """The file in which `skaffold build` says what it built."""
    file = skaffold.state / "build.json"
    skaffold.run("build", MODULE, f"--file-output={file}")
    return file


@pytest.fixture(scope="module")
def built(builds: Path) -> dict[str, str]:
    """Image -> the reference that it was pushed as."""
    return {each["imageName"]: each["tag"] for each in json.loads(builds.read_text("utf-8"))["builds"]}


@pytest.fixture(scope="module")
def deployed(skaffold: Skaffold, kubectl: Kubectl, built: dict[str, str]) -> Kubectl:
    assert built
    skaffold.run("run", MODULE)
    wait_until_jobs_are_done(kubectl)
    return kubectl


def test_every_image_is_built_and_pushed_to_the_clusters_registry(built: dict[str, str]) -> None:
    assert built.keys() == declared.artifacts(declared.module(MODULE)).keys()
    for image, reference in built.items():
        name, _, digest = reference.partition("@")
        assert name.startswith(f"{registry.PUSH_HOST}/{image}:")
        assert registry.get(f"/v2/{image}/manifests/{digest}"), reference


def test_what_runs_is_what_was_built_and_runs_as_in_production(deployed: Kubectl, built: dict[str, str]) -> None:
    containers = [container for pod in pods(deployed) for container in pod["spec"]["containers"]]
    assert set(built.values()) <= {container["image"] for container in containers}
    assert not [container for container in containers if container.get("command", [])[1:3] == RELOADED[1:]]


def test_the_verification_asks_the_deployed_gateway(deployed: Kubectl, skaffold: Skaffold, builds: Path) -> None:
    assert deployed
    said = skaffold.run("verify", MODULE, f"--build-artifacts={builds}")
    for line in ("[gateway-answers] /health 200", "[gateway-answers] /api/courses 200"):
        assert line in said


def test_running_again_makes_only_what_is_missing(deployed: Kubectl, skaffold: Skaffold) -> None:
    jobs = {job["metadata"]["uid"] for job in deployed.list("jobs")}
    auth = deployed.secret("academy-auth")
    deployed.run("delete", "secret", "academy-admin")
    assert "academy-admin" in skaffold.run("run", MODULE)
    assert {job["metadata"]["uid"] for job in deployed.list("jobs")} == jobs
    assert deployed.secret("academy-auth") == auth
    assert deployed.secret("academy-admin")["password"]


def test_delete_takes_all_away_but_volumes_and_secrets(deployed: Kubectl, skaffold: Skaffold) -> None:
    skaffold.run("delete", MODULE)
    wait_until_gone(deployed)
    assert len(deployed.list("persistentvolumeclaims")) == 3
    assert deployed.secret("academy-auth")
