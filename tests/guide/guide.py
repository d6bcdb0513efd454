"""What the Week 1 guide asks for, read out of its own text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "SmartCourse-Week1-Implementation-Guide.md"
SHA256 = "5667ce7220e8ec8a357efb4ba6c9d48824354eee5c5cd18874267d84d8a6f50d"
"""Of the guide as its user wrote it: another text would ask for other things."""
PYPROJECTS = {
    "4.1": "shared",
    "4.2": "services/user-service",
    "4.3": "services/course-service",
    "4.4": "services/api-gateway",
}
"""The members whose pyproject.toml the guide writes down, by its section."""
TREE_LINE = re.compile(r"^(?P<indent>(?:[│ ]   )*)(?:├── |└── )(?P<name>[^#\s]+)")


def text() -> str:
    return GUIDE.read_text(encoding="utf-8")


def section(number: str) -> str:
    """Return a section or subsection by its number (`6.2`), up to the next heading of its level or above."""
    level = "#" * (2 + number.count("."))
    pattern = rf"^{level} {re.escape(number)}[. ].*?$(.*?)(?=^#{{2,{len(level)}}} |\Z)"
    found = re.search(pattern, text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"the guide has no section {number}")
    return found[1]


def rows(number: str) -> list[list[str]]:
    """Return the cells of a section's Markdown tables, without their heads."""
    lines = [line for line in section(number).splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("*") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells[1:] if not set("".join(row)) <= set("- ")]


def endpoints() -> list[str]:
    return [f"{method} {path}" for method, path, _ in rows("6.2")]


def services() -> list[str]:
    return [f"{name}, port {port}" for name, port, _ in rows("6.1")]


def rules() -> list[str]:
    """Return the DOs and DON'Ts with heading and number, as in `DO 2: Use HS256 algorithm for JWT tokens`."""
    found: list[str] = []
    heading = ""
    for line in section("10").splitlines():
        if line.startswith("### "):
            heading = line[4:].rstrip(":")
        elif match := re.match(r"(\d+)\. [✅❌] (.+)", line):
            found.append(f"{heading} {match[1]}: {match[2]}")
    return found


def boxes() -> list[str]:
    """Return the texts of the checklist's boxes, without those of the days."""
    return re.findall(r"^  - \[ \] (.+)$", section("9"), re.MULTILINE)


def tree(number: str) -> Iterator[str]:
    """Yield the paths of a section's first directory tree, relative to its root; folders end in `/`."""
    parents: list[str] = []
    for line in section(number).split("```")[1].splitlines():
        if match := TREE_LINE.match(line):
            depth = len(match["indent"]) // 4
            parents = [*parents[:depth], match["name"].rstrip("/")]
            yield "/".join(parents) + ("/" if match["name"].endswith("/") else "")


def demands() -> list[str]:
    """Return everything that must be traced to a test."""
    return [*services(), *endpoints(), *boxes(), *rules()]
