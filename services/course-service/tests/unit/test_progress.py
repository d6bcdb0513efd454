"""How far a student has come."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_service.core.progress import Required, measure

IDS = st.frozensets(st.integers(1, 40), max_size=20)


def required(*modules: set[int]) -> Required:
    return Required({number: frozenset(lessons) for number, lessons in enumerate(modules, start=1)})


def test_a_course_that_requires_nothing_is_at_zero_and_never_complete() -> None:
    standing = measure(required(), {1, 2})
    assert (standing.percentage, standing.is_complete, standing.total_lessons) == (Decimal("0.00"), False, 0)


def test_what_is_no_longer_required_counts_on_neither_side() -> None:
    standing = measure(required({1, 2}), {1, 98, 99})
    assert (standing.percentage, standing.completed_lessons, standing.missing_lessons) == (Decimal("50.00"), [1], [2])


@pytest.mark.parametrize(("done", "of", "percentage"), [(1, 3, "33.33"), (2, 3, "66.66"), (29_999, 30_000, "99.99")])
def test_the_share_is_rounded_down_so_that_100_means_all(done: int, of: int, percentage: str) -> None:
    standing = measure(required(set(range(of))), range(done))
    assert standing.percentage == Decimal(percentage)
    assert not standing.is_complete


def test_a_module_is_complete_when_all_that_it_requires_is() -> None:
    standing = measure(required({1, 2}, {3}, {4}), {1, 2, 3})
    assert (standing.completed_modules, standing.total_modules) == ([1, 2], 3)


@given(modules=st.lists(IDS.filter(bool), max_size=4), completed=IDS)
def test_the_share_is_between_0_and_100_and_100_exactly_if_complete(
    modules: list[frozenset[int]], completed: frozenset[int]
) -> None:
    standing = measure(Required(dict(enumerate(modules))), completed)
    assert 0 <= standing.percentage <= 100
    assert standing.is_complete == (standing.percentage == 100) == (bool(modules) and not standing.missing_lessons)
    assert len(standing.completed_lessons) + len(standing.missing_lessons) == standing.total_lessons


@given(modules=st.lists(IDS.filter(bool), max_size=4), completed=IDS, more=IDS)
def test_completing_more_never_lowers_the_share(
    modules: list[frozenset[int]], completed: frozenset[int], more: frozenset[int]
) -> None:
    course = Required(dict(enumerate(modules)))
    assert measure(course, completed | more).percentage >= measure(course, completed).percentage
