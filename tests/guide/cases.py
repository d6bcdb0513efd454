"""Tables of pages below `docs/` whose rows name the tests that prove something, or say what is open."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from .guide import ROOT

NOTHING = "-"
Row = list[str]
"""`[number, what, proved by, open]`, as pages of cases have them."""


def rows(page: Path, heading: str) -> list[Row]:
    """Return the cells of each row of the table under a heading."""
    part = page.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def label(row: Row) -> str:
    return f"{row[0]}-{row[1][:40]}"


def named_tests(cases: Iterable[Row]) -> list[str]:
    """Return what cases are proved by, each test once: `path::function`."""
    return sorted({node for _, _, proved, _ in cases for node in quoted(proved)})


def check_row(row: Row) -> None:
    """Fail if a case names neither a test nor what is open, or something else in a test's place."""
    _, _, proved, left = row
    assert quoted(proved) or left != NOTHING, "name the tests that prove it, or say what is open"
    assert quoted(proved) or proved == NOTHING, f"{proved!r} names no test"


def check_test(node: str) -> None:
    """Fail if there is no such test."""
    path, _, function = node.partition("::")
    assert function.startswith("test_"), f"{node} names no test"
    assert function in functions(ROOT / path), f"{path} has no test {function}"
