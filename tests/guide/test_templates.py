"""The templates of the guide (Dockerfile, Compose, pyproject.toml, commands) are ours, but for decided departures."""

from __future__ import annotations

import re

import pytest

from . import guide, templates
from .cases import quoted
from .guide import ROOT
from .test_traceability import departures, table


def departed() -> list[str]:
    """Return the patterns of what is not taken from the templates."""
    return [pattern for cell, *_ in table("Departures from templates") for pattern in quoted(cell)]


def test_what_the_templates_say_is_ours_or_is_departed_from_by_decision() -> None:
    left, _ = templates.unmatched(templates.guides() - templates.ours(), departed())
    assert left == [], "take it over, or give it a row in docs/traceability.md, `Departures from templates`"


def test_no_departure_from_a_template_is_listed_that_is_none() -> None:
    _, idle = templates.unmatched(templates.guides() - templates.ours(), departed())
    assert idle == []


@pytest.mark.parametrize(
    ("ours", "guides"),
    [
        ("image ${X:-postgres:16-alpine}", "image postgres:15-alpine"),
        ("environment POSTGRES_USER=other", "environment POSTGRES_USER=smartcourse"),
        ("networks elsewhere", "networks smartcourse-network"),
    ],
)
def test_a_template_that_says_something_else_is_noticed(ours: str, guides: str) -> None:
    _, _, said = guides.partition(" ")
    assert f"Compose: postgres {guides}" in templates.guides()
    changed = {fact.replace(said, ours.partition(" ")[2]) for fact in templates.ours()}
    left, _ = templates.unmatched(templates.guides() - changed, departed())
    assert f"Compose: postgres {guides}" in left


@pytest.mark.parametrize("name", [name for name in departures() if "/" not in name])
def test_what_is_departed_from_is_words_of_the_guide(name: str) -> None:
    assert name in guide.text()


def test_every_instant_has_a_zone_and_a_certificates_date_is_a_date() -> None:
    tables = (ROOT / "docs/SmartCourse-ERD-Complete.md").read_text("utf-8")
    assert set(re.findall(r"\| (timestamp[^|]*?) \|", tables)) == {"timestamp with time zone"}
    assert "| `issue_date` | date |" in tables


def test_no_list_of_public_prefixes_opens_what_lies_below_them() -> None:
    sources = [path.read_text("utf-8") for path in ROOT.glob("services/api-gateway/src/**/*.py")]
    assert sources
    assert not [text for text in sources if "PUBLIC_ENDPOINTS" in text]
