"""infrastructure/images/pins.py: what a member's image installs."""

from __future__ import annotations

import pytest

from smartcourse_dev import catalogue, pins
from smartcourse_dev.settings import OFFLINE, ROOT

CONSTRAINTS = """\
anyio==4.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via
    #   httpx
    #   starlette
httpx==0.28 \\
    --hash=sha256:bb
    # via
    #   smartcourse-dev (infrastructure/pyproject.toml)
    #   smartcourse-shared (shared/pyproject.toml)
ruff==1.0 \\
    --hash=sha256:cc
    # via smartcourse-dev (infrastructure/pyproject.toml)
starlette==1.0 \\
    --hash=sha256:dd
    # via smartcourse-user-service (services/user-service/pyproject.toml)
"""


def names(*members: str) -> list[str]:
    lines = pins.closure(CONSTRAINTS, set(members)).splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line]


def test_a_member_gets_its_requirements_and_theirs() -> None:
    assert names("smartcourse-shared") == ["anyio", "httpx"]


def test_members_are_united_in_file_order() -> None:
    assert names("smartcourse-shared", "smartcourse-user-service") == ["anyio", "httpx", "starlette"]


def test_a_distribution_can_stand_for_a_member() -> None:
    assert names("starlette") == ["anyio", "starlette"]


def test_hashes_travel_with_the_pin() -> None:
    assert "--hash=sha256:ab" in pins.closure(CONSTRAINTS, {"smartcourse-shared"})


def test_an_unknown_member_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="smartcourse-nobody"):
        names("smartcourse-nobody")


def test_traefik_is_tested_in_the_version_that_clusters_run() -> None:
    pinned = (OFFLINE / "images" / "traefik" / "pins.txt").read_text(encoding="utf-8").split()[0]
    assert f"{pinned} \\\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert catalogue.IMAGES["traefik"].upstream.endswith(f":v{pinned.partition('==')[2]}")
