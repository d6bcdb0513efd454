"""Each attack names what proves that it fails or says what is open: `docs/security-cases.md`."""

from __future__ import annotations

import ast

import pytest

from .cases import Row, check_row, check_test, label, named_tests, quoted, rows
from .guide import ROOT

PAGE = ROOT / "docs" / "security-cases.md"
KINDS = ("Tokens", "Headers", "Paths", "Wire", "Accounts", "Objects", "Surface")
MUTATIONS = ROOT / "services/api-gateway/tests/mutations/test_mutations.py"
CASES = [row for kind in KINDS for row in rows(PAGE, kind)]


def mutations() -> list[str]:
    """Return the names of the gateway's mutations, as their file has them."""
    tree = ast.parse(MUTATIONS.read_text("utf-8"))
    assigned = {ast.unparse(each.targets[0]): each.value for each in tree.body if isinstance(each, ast.Assign)}
    table = assigned["MUTATIONS"]
    assert isinstance(table, ast.Dict)
    return [str(ast.literal_eval(key)) for key in table.keys if key is not None]


def test_the_page_has_a_part_for_each_kind_of_attack_and_one_for_mutations() -> None:
    headings = [line.removeprefix("## ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("## ")]
    assert headings == [*KINDS, "Mutations"]
    assert all(rows(PAGE, heading) for heading in headings)


def test_cases_are_numbered_in_order() -> None:
    assert [number for number, *_ in CASES] == [str(number) for number in range(1, len(CASES) + 1)]


@pytest.mark.parametrize("row", CASES, ids=label)
def test_a_row_names_tests_or_says_what_is_open(row: Row) -> None:
    check_row(row)


@pytest.mark.parametrize("node", named_tests(CASES))
def test_every_named_test_exists(node: str) -> None:
    check_test(node)


def test_each_mutation_of_the_gateway_is_told_and_no_other() -> None:
    told = [name for cell, _ in rows(PAGE, "Mutations") for name in quoted(cell)]
    assert len(mutations()) > 1
    assert told == mutations()


def test_a_mutation_names_the_cases_that_it_breaks() -> None:
    known = {number for number, *_ in CASES}
    wrong = {name: cases for name, cases in rows(PAGE, "Mutations") if not known.issuperset(cases.split(", "))}
    assert wrong == {}
