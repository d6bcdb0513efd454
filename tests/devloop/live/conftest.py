"""A platform installed as `skaffold dev -m smartcourse` installs it, in a namespace of its own, and removed afterwards.

The images are those of the operator that runs in the cluster: what `make up` built of this checkout.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pytest

from smartcourse_dev import catalogue, images
from smartcourse_dev.registry import HOST
from tests.e2e.kubernetes import Kubectl

from .. import skaffold
from ..sources import IMAGE_CODE, RELOADED_CODE, Document
from .cluster import Helm, run, running, wait_until_rolled_out

OPERATOR = "smartcourse-operator"
OPERATOR_NAMESPACE = "smartcourse-system"


@dataclass(frozen=True)
class Platform:
    """A module of `skaffold.yaml` and what was deployed of it."""

    module: Document
    images: dict[str, str]
    kubectl: Kubectl
    helm: Helm
    made: list[str] = field(default_factory=list)

    def make_secrets(self) -> str:
        """Run the module's hook as Skaffold does."""
        (hook,) = self.module["deploy"]["helm"]["hooks"]["before"]
        return run(*hook["host"]["command"], **os.environ, SKAFFOLD_KUBE_CONTEXT=self.kubectl.context)

    def deploy(self) -> None:
        arguments = skaffold.helm_arguments(self.module, self.images)
        self.helm.run("upgrade", "--install", *arguments)
        wait_until_rolled_out(self.kubectl)

    def edited(self, image: str, path: str, old: str, new: str) -> dict[str, str]:
        """Return an edit of a file as a sync takes it: place in the container, and text."""
        text = self.original(image, path)
        assert old in text, f"{path} has no {old!r}"
        return {self.place(image, path): text.replace(old, new)}

    def appended(self, image: str, path: str, line: str) -> dict[str, str]:
        """Return an edit that adds a line to a file's end."""
        return {self.place(image, path): f"{self.original(image, path)}\n{line}\n"}

    def original(self, image: str, path: str) -> str:
        """Return a file as the image has it: the checkout's may be newer."""
        pod, container = running(self.kubectl, self.images[image])[0]
        place = IMAGE_CODE / PurePosixPath(self.place(image, path)).relative_to(RELOADED_CODE)
        return self.kubectl.run("exec", pod, "-c", container, "--", "cat", str(place))

    def place(self, image: str, path: str) -> str:
        """Return where a sync puts the file."""
        (found,) = skaffold.destinations(skaffold.artifacts(self.module)[image], path)
        return found


@pytest.fixture(scope="session")
def context() -> str:
    return os.environ.get("SMARTCOURSE_CONTEXT", "kind-smartcourse-test")


@pytest.fixture(scope="session")
def helm(context: str) -> Helm:
    return Helm(context)


@pytest.fixture(scope="session")
def built(helm: Helm) -> dict[str, str]:
    """Image -> the reference that the cluster's operator installs it by."""
    values = helm.values(OPERATOR, OPERATOR_NAMESPACE)
    by_component = values["images"] | {"operator": values["image"]}
    return {
        name: by_component[component] for component, (_, name) in images.COMPONENTS.items() if component in by_component
    }


@pytest.fixture(scope="session")
def profiles(helm: Helm) -> list[str]:
    postgres = helm.values(OPERATOR, OPERATOR_NAMESPACE)["images"]["postgres"]
    assert postgres in {catalogue.IMAGES["postgres"].upstream, f"{HOST}/{catalogue.IMAGES['postgres'].offline}"}
    return ["dev", "offline"] if postgres.startswith(HOST) else ["dev"]


@pytest.fixture(scope="session")
def platform(context: str, helm: Helm, built: dict[str, str], profiles: list[str]) -> Iterator[Platform]:
    module = skaffold.module("smartcourse", *profiles)
    namespace = skaffold.release(module)["namespace"]
    found = Platform(module, built, Kubectl(context=context, namespace=namespace), helm)
    try:
        found.made.append(found.make_secrets())
        found.deploy()
        yield found
    finally:
        found.kubectl.run("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s", timeout_seconds=200)
