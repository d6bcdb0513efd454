"""Searching by the beginnings of words."""

from __future__ import annotations

import pytest

from course_service.repositories.search import prefix_expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("java", "'java':*"),
        ("  two words ", "'two':* & 'words':*"),
        ("a&b|!c:*", "'a':* & 'b':* & 'c':*"),
        ("it's", "'it':* & 's':*"),
        ("\\' :* <->", ""),
    ],
)
def test_every_word_becomes_a_prefix_and_nothing_an_operator(text: str, expected: str) -> None:
    assert prefix_expression(text) == expected
