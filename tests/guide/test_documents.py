"""What the documents say can be done as they say it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from smartcourse_dev import cli, suite

from .guide import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
# A stage of `make test` and the word by which the lists of commands tell it.
STAGES = {
    "checks": "checks", "unit": "unit", "integration": "integration", "platform": "as processes",
    "compose and venv": "Compose and in virtual environments", "end to end": "end-to-end",
    "development loops": "Skaffold", "mutations": "defences", "nodes": "drained",
}  # fmt: skip
PREPARATION = {"servers and programs", "cluster"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_group_in_a_diagram_has_a_name_that_arrows_can_lead_to(page: Path) -> None:
    groups = re.findall(r"^ *subgraph (.*)$", page.read_text("utf-8"), re.MULTILINE)
    assert [group for group in groups if not re.fullmatch(r"\w+(\[.+\])?", group)] == []


def test_commands_about_the_development_loops_pods_name_their_namespace() -> None:
    text = (ROOT / "docs/development.md").read_text("utf-8")
    commands = re.findall(r"`(kubectl [^`]*academy-[^`]*)`", text)
    assert len(commands) > 1
    assert [command for command in commands if " -n " not in command] == []


@pytest.mark.parametrize("verb", ["test", "test-full"])
def test_what_the_suite_runs_is_told_where_commands_are_listed(verb: str) -> None:
    names = {name for name, _ in suite.stages(verb)} - PREPARATION
    assert names <= STAGES.keys(), "give a new stage its word here, in README.md and in the help of `make`"
    for text in (cli.HELP, (ROOT / "README.md").read_text("utf-8")):
        told = " ".join(text.split("make test", 1)[1].split("make bench")[0].split())
        assert [name for name in names if STAGES[name] not in told] == []
