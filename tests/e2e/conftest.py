"""What every end-to-end case needs: the platform's URL, kubectl against its cluster, and people to act as.

The cluster is chosen by `SMARTCOURSE_CONTEXT` and `SMARTCOURSE_URL` (`make test` sets both to its own cluster);
nothing here imports a service: cases speak HTTP and custom resources only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from .kubernetes import Kubectl
from .people import Person, Platform

NAMESPACE = "smartcourse"
NAME = "academy"


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return Kubectl(context=os.environ.get("SMARTCOURSE_CONTEXT", "kind-smartcourse-test"), namespace=NAMESPACE)


@pytest.fixture(scope="session")
def base_url() -> str:
    return os.environ.get("SMARTCOURSE_URL", "http://localhost:8081")


@pytest.fixture(scope="session")
def platform(kubectl: Kubectl, base_url: str) -> Iterator[Platform]:
    """The sample SmartCourse, Ready before the first case."""
    kubectl.wait_ready(NAME)
    with httpx.Client(base_url=base_url, timeout=30) as client:
        yield Platform(client, admin=kubectl.secret(f"{NAME}-admin"))


@pytest.fixture
def student(platform: Platform) -> Person:
    return platform.new_student()


@pytest.fixture(scope="session")
def admin(platform: Platform) -> Person:
    return platform.log_in(platform.admin["email"], platform.admin["password"])


@pytest.fixture(scope="session")
def instructor(platform: Platform, admin: Person) -> Person:
    return platform.new_instructor(admin)
