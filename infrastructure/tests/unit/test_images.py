"""What an image's tag depends on, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from smartcourse_dev import docker, images
from smartcourse_dev.catalogue import Source
from smartcourse_dev.shell import StepError

DOCKERFILE = """\
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS pins
COPY infrastructure/images/pins.py constraints.txt /
RUN python3 /pins.py /constraints.txt smartcourse-user-service > /pins.txt
FROM ${PYTHON_IMAGE}
COPY --from=pins /pins.txt /
COPY services/user-service/src \\
     /app/src
"""
CONSTRAINTS = """\
fastapi==1.0 \\
    --hash=sha256:aa
    # via smartcourse-user-service (services/user-service/pyproject.toml)
ruff=={ruff} \\
    --hash=sha256:bb
    # via smartcourse-dev (infrastructure/pyproject.toml)
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one service, on an engine whose base image has a known id."""
    (tmp_path / "services/user-service/src/user_service").mkdir(parents=True)
    (tmp_path / "services/user-service/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "services/user-service/src/user_service/main.py").write_text("app = 1\n")
    (tmp_path / "infrastructure/images").mkdir(parents=True)
    (tmp_path / "infrastructure/images/pins.py").write_text("")
    (tmp_path / "constraints.txt").write_text(CONSTRAINTS.format(ruff="1.0"))
    monkeypatch.setattr(images, "ROOT", tmp_path)
    monkeypatch.setattr(docker, "image_id", lambda reference: f"sha256:{reference}")
    return tmp_path


def tag() -> str:
    return images.content_hash("user", Source.OFFLINE)


def test_the_same_content_has_the_same_tag(repository: Path) -> None:
    before = tag()
    (repository / "services/user-service/src/user_service/__pycache__").mkdir()
    (repository / "services/user-service/src/user_service/__pycache__/main.pyc").write_text("x")
    (repository / "services/user-service/README.md").write_text("not copied")
    assert tag() == before
    assert len(before) == 12


def test_an_edit_of_what_is_copied_changes_the_tag(repository: Path) -> None:
    before = tag()
    (repository / "services/user-service/src/user_service/main.py").write_text("app = 2\n")
    assert tag() != before


def test_a_pin_that_the_service_does_not_install_leaves_the_tag(repository: Path) -> None:
    before = tag()
    (repository / "constraints.txt").write_text(CONSTRAINTS.format(ruff="2.0"))
    assert tag() == before


def test_a_pin_that_the_service_installs_changes_the_tag(repository: Path) -> None:
    before = tag()
    (repository / "constraints.txt").write_text(CONSTRAINTS.format(ruff="1.0").replace("sha256:aa", "sha256:cc"))
    assert tag() != before


def test_another_base_image_changes_the_tag(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tag()
    monkeypatch.setattr(docker, "image_id", lambda reference: "sha256:other")
    assert tag() != before


def test_a_copied_path_that_is_missing_is_named(repository: Path) -> None:
    (repository / "infrastructure/images/pins.py").unlink()
    with pytest.raises(StepError, match=r"infrastructure/images/pins\.py"):
        tag()


def test_only_what_comes_from_the_context_counts_as_copied() -> None:
    assert images.copied(DOCKERFILE) == [
        "constraints.txt",
        "infrastructure/images/pins.py",
        "services/user-service/src",
    ]


def test_only_declared_build_arguments_are_given() -> None:
    assert images.build_arguments(DOCKERFILE, Source.OFFLINE) == {"PYTHON_IMAGE": "smartcourse.local/python:3.11"}
