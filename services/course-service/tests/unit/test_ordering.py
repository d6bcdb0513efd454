"""Places in an ordered list."""

from __future__ import annotations

import pytest

from course_service.repositories.ordering import placed


@pytest.mark.parametrize(
    ("position", "expected"),
    [(1, [9, 1, 2, 3]), (2, [1, 9, 2, 3]), (4, [1, 2, 3, 9]), (99, [1, 2, 3, 9]), (None, [1, 2, 3, 9])],
)
def test_a_new_one_takes_the_position_and_the_others_move_on(position: int | None, expected: list[int]) -> None:
    assert placed([1, 2, 3], 9, position) == expected


@pytest.mark.parametrize(("position", "expected"), [(1, [3, 1, 2]), (2, [1, 3, 2]), (3, [1, 2, 3])])
def test_one_that_is_there_is_moved(position: int, expected: list[int]) -> None:
    assert placed([1, 2, 3], 3, position) == expected
