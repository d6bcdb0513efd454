"""The how-to pages name files that exist, and all those that a change of their kind has to touch."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .guide import ROOT

PAGES = sorted((ROOT / "docs/how-to").glob("*.md"))
ADD_A_SERVICE = ROOT / "docs/how-to/add-a-service.md"
# What git searches for: the ways in which code and configuration name notification-service.
NAMED = (
    "notification[-_]service", "[\"']notification[\"']", "(^|[ ,])notification:", "name: notification$",
    "charts/notification", "NOTIFICATION_", ", notification",
)  # fmt: skip
# A service's own files, tests, documents and what is generated.
ELSEWHERE = ("services/*-service/*", "charts/notification", "*/tests/*", "tests", "docs", "*.md", "manifests",
             "charts/smartcourse/files",
             "constraints.txt")  # fmt: skip


def naming_a_service() -> list[str]:
    patterns = [part for each in NAMED for part in ("-e", each)]
    excluded = [f":!{each}" for each in ELSEWHERE]
    command = ["git", "grep", "--untracked", "-lE", *patterns, "--", ".", *excluded]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def exists(path: str) -> bool:
    """Whether a quoted path is one of the repository, of a service, or of a package."""
    roots = [ROOT, *ROOT.glob("services/*"), *ROOT.glob("services/*/src/*"), *ROOT.glob("operator/src/*")]
    return any((root / path).exists() for root in roots)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_files_that_exist(page: Path) -> None:
    quoted = re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", page.read_text("utf-8"))  # none with a placeholder
    assert [path for path in quoted if not exists(path)] == []


def test_adding_a_service_names_every_file_that_names_one() -> None:
    text = ADD_A_SERVICE.read_text("utf-8")
    found = naming_a_service()
    assert "pyproject.toml" in found
    known = [f"`{path}`" in text or f"`{Path(path).parent}/`" in text for path in found]
    forgotten = [path for path, is_known in zip(found, known, strict=True) if not is_known]
    assert forgotten == [], f"tell in {ADD_A_SERVICE.relative_to(ROOT)} what to add there"
