"""A copy of the repository with a complete `.env`, and the platform brought up from it.

`make test` prepares the engine, `docker compose` and the base images (`smartcourse_dev.compose.steps`); by hand
`make compose` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from smartcourse_dev import catalogue
from smartcourse_dev.settings import Settings

from .. import checkout
from ..e2e.people import Person, Platform
from .stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The project, configured and not yet started."""
    source = catalogue.choose(Settings.from_environment().images)
    made = Stack(checkout.copy(tmp_path_factory.mktemp("compose")), source)
    yield made
    made.down("--volumes", "--timeout", "5")


@pytest.fixture
def complete(stack: Stack, tmp_path: Path) -> Path:
    """A folder of its own with the Compose files and a complete `.env`, for cases that spoil it."""
    for file in [*stack.checkout.glob("docker-compose*.yml"), stack.checkout / ".env"]:
        (tmp_path / file.name).write_text(file.read_text())
    return tmp_path


@pytest.fixture(scope="session")
def running(stack: Stack) -> Stack:
    stack.up()
    return stack


@pytest.fixture(scope="session")
def developing(running: Stack) -> Stack:
    """The same project with the development overrides; whoever asks for the base comes before."""
    running.up("dev")
    return running


@pytest.fixture(scope="session")
def platform(running: Stack) -> Iterator[Platform]:
    """Its public face: the gateway's port."""
    admin = {"email": running.env["ADMIN_EMAIL"], "password": running.env["ADMIN_PASSWORD"]}
    with httpx.Client(base_url=running.url(), timeout=30) as client:
        yield Platform(client, admin=admin)


@pytest.fixture(scope="session")
def admin(platform: Platform) -> Person:
    return platform.log_in(platform.admin["email"], platform.admin["password"])
