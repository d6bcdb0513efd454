"""Skaffold on a copy of the checkout, and the namespace that `skaffold.yaml` deploys to, removed afterwards."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcourse_dev import catalogue
from smartcourse_dev.registry import HOST
from tests import checkout
from tests.e2e.kubernetes import Kubectl

from .. import skaffold as declared
from .cluster import Helm
from .program import Skaffold

OPERATOR = "smartcourse-operator"
OPERATOR_NAMESPACE = "smartcourse-system"


@pytest.fixture(scope="session")
def context() -> str:
    return os.environ.get("SMARTCOURSE_CONTEXT", "kind-smartcourse-test")


@pytest.fixture(scope="session")
def helm(context: str) -> Helm:
    return Helm(context)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout to edit, whose commands run in this interpreter: a virtual environment of its own takes minutes."""
    made = checkout.copy(tmp_path_factory.mktemp("checkout"))
    (made / "infrastructure" / "bootstrap").write_text(f"#!/bin/sh\necho '{sys.executable}'\n", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def skaffold(copied: Path, context: str, helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Skaffold:
    """Skaffold with the images that the cluster has: where `make up` assembled them, so does Skaffold."""
    postgres = helm.values(OPERATOR, OPERATOR_NAMESPACE)["images"]["postgres"]
    assert postgres in {catalogue.IMAGES["postgres"].upstream, f"{HOST}/{catalogue.IMAGES['postgres'].offline}"}
    profiles = ["offline"] if postgres.startswith(HOST) else []
    return Skaffold(copied, context, tmp_path_factory.mktemp("skaffold"), profiles)


@pytest.fixture(scope="session")
def kubectl(context: str) -> Iterator[Kubectl]:
    """The namespace that the platform is deployed to."""
    namespace = declared.release(declared.module("smartcourse"))["namespace"]
    found = Kubectl(context=context, namespace=namespace)
    yield found
    found.run("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s", timeout_seconds=200)
