"""Each case that the operator must survive names what proves it or says what is open: `docs/operator-cases.md`."""

from __future__ import annotations

import pytest

from .cases import Row, check_row, check_test, label, named_tests, rows
from .guide import ROOT

PAGE = ROOT / "docs" / "operator-cases.md"
CASES = 29
LEVELS = ("I", "II", "III", "IV", "V")
ROWS = [*rows(PAGE, "Cases"), *rows(PAGE, "Capability levels")]


def test_each_case_has_one_row_in_order() -> None:
    assert [number for number, *_ in rows(PAGE, "Cases")] == [str(number) for number in range(1, CASES + 1)]


def test_each_level_has_its_rows_in_order() -> None:
    assert tuple(dict.fromkeys(level for level, *_ in rows(PAGE, "Capability levels"))) == LEVELS


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_a_row_names_tests_or_says_what_is_open(row: Row) -> None:
    check_row(row)


@pytest.mark.parametrize("node", named_tests(ROWS))
def test_every_named_test_exists(node: str) -> None:
    check_test(node)
