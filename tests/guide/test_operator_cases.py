"""Each case that the operator must survive names what proves it or says what is open: `docs/operator-cases.md`."""

from __future__ import annotations

import pytest

from .guide import ROOT
from .test_traceability import functions, quoted

PAGE = ROOT / "docs" / "operator-cases.md"
CASES = 29
LEVELS = ("I", "II", "III", "IV", "V")
NOTHING = "-"


def rows(heading: str) -> list[list[str]]:
    """Return `[number or level, what, proved by, open]` of each row under a heading."""
    part = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


ROWS = [*rows("Cases"), *rows("Capability levels")]


def test_each_case_has_one_row_in_order() -> None:
    assert [number for number, *_ in rows("Cases")] == [str(number) for number in range(1, CASES + 1)]


def test_each_level_has_its_rows_in_order() -> None:
    assert tuple(dict.fromkeys(level for level, *_ in rows("Capability levels"))) == LEVELS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1][:40]}")
def test_a_row_names_tests_or_says_what_is_open(row: list[str]) -> None:
    _, _, proved, left = row
    assert quoted(proved) or left != NOTHING, "name the tests that prove it, or say what is open"
    assert quoted(proved) or proved == NOTHING


@pytest.mark.parametrize("node", sorted({node for _, _, proved, _ in ROWS for node in quoted(proved)}))
def test_every_named_test_exists(node: str) -> None:
    path, _, function = node.partition("::")
    assert function.startswith("test_")
    assert function in functions(ROOT / path), f"{path} has no test {function}"
